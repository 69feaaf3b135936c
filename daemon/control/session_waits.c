/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_waits.h"

#include "symbol/kallsyms.h"

static int look_for_switch(const char *name, const char *module, uint64_t address, void *data)
{
	struct switch_function *found = data;

	if (found->start) {
		found->end = address;
		return 1;
	}
	if (!*module && streq(name, "__schedule"))
		found->start = address;
	return 0;
}

struct switch_function session_switch_function(struct session_context *context)
{
	struct kallsyms *symbols _cleanup_(kallsyms_freep) = NULL;
	struct error error = {};

	/* By itself, as the symbolizer may be busy for long, and the main thread must not wait. */
	if (!context->switches.end && kallsyms_load(NULL, &error, &symbols) >= 0)
		kallsyms_each(symbols, look_for_switch, &context->switches);
	return context->switches;
}

struct wait {
	uint32_t tid, process, thread, stack, weight;
	uint64_t since_ns; /* 0: it does not wait */
	struct stack_flaws flaws;
};

/* More threads than this at a time are not known: half of the pids there are by default. */
enum { WAITS_MAX = 16384 };

/* Room for others when it is full: threads that do not wait now are forgotten. */
static void forget_idle(struct session_waits *w)
{
	size_t n = 0;

	table_clear(&w->by_tid);
	for (size_t i = 0; i < w->n; i++) {
		uint32_t *slot;

		if (!w->items[i].since_ns)
			continue;
		slot = table_put(&w->by_tid, w->items[i].tid, NULL); /* there was room before */
		*slot = (uint32_t)n;
		w->items[n++] = w->items[i];
	}
	w->n = n;
}

static struct wait *put(struct session_waits *w, uint32_t tid)
{
	uint32_t *slot = table_get(&w->by_tid, tid);

	if (slot)
		return &w->items[*slot];
	if (w->n >= WAITS_MAX)
		forget_idle(w);
	if (w->n >= WAITS_MAX || array_reserve(&w->items, &w->cap, w->n + 1, sizeof(*w->items)) < 0)
		return NULL;
	slot = table_put(&w->by_tid, tid, NULL);
	if (!slot)
		return NULL;
	*slot = (uint32_t)w->n;
	w->items[w->n] = (struct wait){.tid = tid};
	return &w->items[w->n++];
}

void session_add_wait(struct session *s, const struct record_sample *r)
{
	uint32_t process, stack;
	struct stack_flaws flaws;
	struct wait *item;

	stack = session_stack_of(s, r, &process, &flaws);
	if (!process)
		return;
	item = put(&s->waits, r->tid);
	if (!item) {
		s->window.losses[LOSS_NO_MEMORY]++;
		return;
	}
	item->process = process;
	item->thread = session_thread_of(s, r);
	item->stack = stack;
	item->flaws = flaws;
	item->weight = r->weight;
	item->since_ns = r->time_ns;
}

static int add(const struct session *s, struct window *w, const struct wait *item, uint64_t ns,
	       uint64_t total_ns)
{
	return window_add_raw_sample(w,
				     &(struct raw_sample){.time_ns = item->since_ns,
							  .ns = ns,
							  .total_ns = total_ns,
							  .process = item->process,
							  .tid = item->tid,
							  .thread = item->thread,
							  .stack = item->stack,
							  .kind = SAMPLE_OFFCPU,
							  .count = 1},
				     session_keeps_raw_samples(s));
}

static void count(struct session *s, const struct wait *item, uint64_t ns, uint64_t total_ns)
{
	s->n_samples++;
	session_count_flaws(s, &item->flaws);
	(void)add(s, &s->window, item, ns, total_ns);
}

/* 0: it does not wait. */
static uint64_t so_far(const struct wait *item, uint64_t now_ns)
{
	return item->since_ns && now_ns > item->since_ns ? now_ns - item->since_ns : 0;
}

int session_waits_now(struct session *s, uint64_t now_ns, struct window *ret)
{
	struct window w = {};
	int r = 0;

	for (size_t i = 0; i < s->waits.n && r >= 0; i++) {
		const struct wait *item = &s->waits.items[i];
		uint64_t ns = so_far(item, now_ns);

		if (ns)
			r = add(s, &w, item, ns, ns * item->weight);
	}
	if (r < 0) {
		window_release(&w);
		return r;
	}
	*ret = w;
	return 0;
}

void session_end_wait(struct session *s, const struct record_wait_end *r)
{
	uint32_t *slot = table_get(&s->waits.by_tid, r->tid);
	struct wait *item = slot ? &s->waits.items[*slot] : NULL;

	/* One whose beginning was lost when the ring was full. */
	if (!item || item->since_ns != r->since_ns)
		return;
	if (r->total_ns)
		count(s, item, r->duration_ns, r->total_ns);
	item->since_ns = 0;
	session_roll_when_full(s);
}

void session_end_all_waits(struct session *s, uint64_t now_ns)
{
	for (size_t i = 0; i < s->waits.n; i++) {
		struct wait *item = &s->waits.items[i];
		uint64_t ns = so_far(item, now_ns);

		if (ns)
			count(s, item, ns, ns * item->weight);
		item->since_ns = 0;
	}
}

void session_waits_release(struct session_waits *w)
{
	free(w->items);
	table_release(&w->by_tid);
	*w = (struct session_waits){};
}
