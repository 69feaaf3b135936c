/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `perf script` prints: a line that says who, when and what, then a line a frame, leaf first,
 * then an empty one. Samples were added up, and have no times of their own: those of a thread are
 * given times a period apart, so that tools which need times have them.
 */
#include "formats.h"
#include "../render/flame_tree.h"
#include "sonde/base/table.h"
#include "stacks.h"

struct perf_script {
	uint64_t started_us;
	struct table threads; /* by process and name: which of the clocks */
	uint64_t *clocks_ns;  /* how much of a thread's time has been written */
	size_t clocks_cap;
};

static int perf_begin(struct export *x)
{
	struct perf_script *p = calloc(1, sizeof(*p));

	x->state = p;
	if (!p)
		return -ENOMEM;
	p->started_us = reply_u64(x->session, "started_us");
	return 0;
}

/* A name on a line of its own must stay on it, and its spaces would end it too soon. */
static void put_name(struct strbuf *out, const char *name, bool spaces)
{
	size_t at = out->len;

	flame_clean(out, *name ? name : "[unknown]");
	for (; !spaces && at < out->len && strbuf_error(out) == 0; at++)
		if (out->data[at] == ' ')
			out->data[at] = '_';
}

static void put_frame(struct strbuf *out, const struct stacks_frame *f)
{
	strbuf_printf(out, "\t%16llx ", (unsigned long long)f->offset);
	put_name(out, f->func, true);
	if (f->inlined) {
		strbuf_puts(out, " (inlined)\n");
		return;
	}
	strbuf_puts(out, " (");
	put_name(out, f->kind == FLAME_KERNEL ? "[kernel.kallsyms]" : f->path, true);
	strbuf_puts(out, ")\n");
}

static int put_event(struct export *x, const struct stacks *s, const struct stacks_sample *sample,
		     uint64_t *clock_ns, uint64_t value)
{
	static const char *const events[] = {
		[ANSWER_SPANS] = "span-self-ns",
		[ANSWER_CPU] = "cpu-clock",
		[ANSWER_WAITS] = "off-cpu-ns",
	};
	const struct perf_script *state = x->state;
	const struct stacks_process *p = &s->processes[sample->process];
	uint64_t at_us = state->started_us + *clock_ns / NSEC_PER_USEC;
	size_t n;
	const uint32_t *chain = stacks_chain(s, sample->stack, &n);

	put_name(x->out, *sample->thread ? sample->thread : p->comm, false);
	strbuf_printf(x->out, " %u %llu.%06llu: %llu %s: \n", p->pid,
		      (unsigned long long)(at_us / 1000000), (unsigned long long)(at_us % 1000000),
		      (unsigned long long)value, events[s->kind]);
	while (n-- > 0)
		put_frame(x->out, &s->frames[chain[n]]);
	strbuf_putc(x->out, '\n');
	*clock_ns += value;
	return export_relieve(x);
}

/* A CPU sample is an event each; what else there is has its time as the period of one. */
static int put_sample(struct export *x, const struct stacks *s, const struct stacks_sample *sample)
{
	uint64_t key = hash_bytes(sample->thread, strlen(sample->thread), sample->process);
	struct perf_script *p = x->state;
	uint64_t *clock_ns;
	uint32_t *slot;
	bool is_new;
	int r = 0;

	slot = table_put(&p->threads, key, &is_new);
	if (slot && is_new)
		*slot = p->threads.len - 1;
	if (!slot ||
	    array_reserve(&p->clocks_ns, &p->clocks_cap, p->threads.len, sizeof(*p->clocks_ns)) < 0)
		return -ENOMEM;
	clock_ns = &p->clocks_ns[*slot];
	if (s->kind != ANSWER_CPU)
		return put_event(x, s, sample, clock_ns, sample->ns);
	for (uint64_t i = 0; i < sample->count && r >= 0; i++)
		r = put_event(x, s, sample, clock_ns, MAX(s->period_ns, 1U));
	return r;
}

static int perf_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	int r = stacks_read(reply, &s, x->error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s.n_samples && r >= 0; i++)
		r = put_sample(x, &s, &s.samples[i]);
	return r;
}

static void perf_free(struct export *x)
{
	struct perf_script *p = x->state;

	if (!p)
		return;
	table_release(&p->threads);
	free(p->clocks_ns);
	free(p);
}

const struct export_format export_perf_script = {
	.name = "perf-script",
	.extensions = ".perf",
	.summary = "the text of `perf script` (stackcollapse-perf.pl, speedscope)",
	.carries = EXPORT_STACKS,
	.begin = perf_begin,
	.stacks = perf_stacks,
	.end = export_nothing,
	.free = perf_free,
};
