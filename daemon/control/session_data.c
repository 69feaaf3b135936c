/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data side of a session: records into windows, windows into the total. */
#include "control/keeper.h"
#include "control/replay_session.h"
#include "control/session_events.h"
#include "control/session_pack.h"
#include "control/session_source.h"
#include "control/session_waits.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"

/* Of the sessions that the rolling store has: raw spans of a call path that a window keeps. */
enum { EXEMPLARS = 10 };

/* Raw spans that are packed without waiting for the window's end: in memory, and into a file. */
enum { RAW_ROLL = CHUNK_MAX_SPANS, RAW_ROLL_FILE = 4 * CHUNK_MAX_SPANS };

/* Windows of a recording were rolled when they had as many: they end by themselves. */
static bool is_full(const struct session *s)
{
	size_t spans = s->writer ? (size_t)RAW_ROLL_FILE : (size_t)RAW_ROLL;
	size_t samples = RAW_SAMPLE_CHUNK_MAX;

	if (s->replay) {
		spans = 2 * (size_t)RAW_ROLL_FILE;
		samples *= 2;
	}
	return s->window.n_spans >= spans || s->window.n_raw >= samples;
}

void session_add_path(struct session *s, const struct record_path *r)
{
	uint32_t parent = 0, *slot;
	bool is_new;

	if (r->probe >= session_n_probes(s))
		return;
	if (s->sources) {
		session_sources_path(s, r);
		return;
	}
	if (r->parent != 0) {
		const uint32_t *p = table_get(&s->paths, r->parent);

		parent = p ? *p : 0;
	}
	slot = table_put(&s->paths, r->path, &is_new);
	if (slot && (is_new || *slot == 0))
		*slot = model_path(s->context->model, parent, s->first_probe + r->probe);
}

/* The path of a span; one whose announcement was lost stands at the root. */
static uint32_t find_path(struct session *s, const struct record_span *r)
{
	const uint32_t *known = table_get(&s->paths, r->path);
	uint32_t path = known ? *known : 0;

	if (!known && s->sources)
		path = session_sources_call_path(s, r->path);
	return path ? path : model_path(s->context->model, 0, s->first_probe + r->probe);
}

bool session_keeps_raw_samples(const struct session *s)
{
	return !s->options.stats_only && s->kind != SESSION_KEPT && s->kind != SESSION_TRACE;
}

static void before_spans_go(struct session *s, bool final)
{
	if (s->context->before_roll)
		s->context->before_roll(s->context->before_roll_arg, s, final);
}

/* They are packed now, or only the slowest spans stay. */
void session_roll_when_full(struct session *s)
{
	if (s->kind == SESSION_TRACE || !is_full(s))
		return;
	if (s->kind != SESSION_KEPT) {
		session_roll(s, false);
		return;
	}
	before_spans_go(s, false);
	window_keep_slowest(&s->window, EXEMPLARS);
	/* So many call paths: of each just one, or what would be sorted again and again. */
	if (s->window.n_spans > RAW_ROLL / 2)
		window_keep_slowest(&s->window, 1);
	if (s->window.n_spans > RAW_ROLL / 2)
		window_drop_spans(&s->window);
}

void session_keep_raw(struct session *s, struct raw_span *span, const struct span_more *more)
{
	if (!span->process || !span->path)
		return; /* out of memory: what cannot be named is not kept */
	if (more)
		span->flags |= (more->args ? SPAN_ARGS : 0) | (more->values_len ? SPAN_VALUES : 0);
	if (s->replay && !replay_passes(s->replay, span, more)) {
		s->window.losses[FILTERED_SPAN] += !(span->flags & SPAN_COUNTER);
		return;
	}
	s->n_spans++;
	s->n_counted += !!(span->flags & SPAN_COUNTER);
	(void)window_add_span(&s->window, span, more, !s->options.stats_only);
	session_roll_when_full(s);
}

void session_keep_span(struct session *s, const struct record_span *r, const struct span_more *more)
{
	struct raw_span span;

	if (r->probe >= session_n_probes(s))
		return;
	span = (struct raw_span){
		.start_ns = r->start_ns,
		.duration_ns = r->duration_ns,
		.self_ns = r->self_ns,
		.ret = r->ret,
		.tid = r->tid,
		.depth = r->depth,
		.flags = r->h.flags & (SPAN_UNWOUND | SPAN_ERROR | SPAN_TAIL | SPAN_KERNEL |
				       SPAN_INSTANT | SPAN_COUNTER | SPAN_ASYNC),
	};
	span.process = processes_find(s->context->processes, r->pid);
	span.path = find_path(s, r);
	if (s->sources)
		session_sources_called(s, r, &span);
	session_keep_raw(s, &span, more);
}

/*
 * The record has leaf first. Addresses of callers are where they go on, behind the call: one byte
 * before is in the call itself, whatever function comes next.
 */
static uint32_t user_frame(struct session *s, uint32_t process, const __u64 *ips, uint32_t i)
{
	struct model *m = s->context->model;
	uint64_t address = ips[i] - (i > 0);
	const struct model_mapping *map = model_mapping_at(m, process, address);
	uint32_t frame;

	if (!map)
		return model_frame(m, 0, address);
	frame = jit_frame(s->context->jit, map, address);
	return frame ? frame : model_frame(m, map->file, address - map->start + map->offset);
}

/*
 * How many of the user addresses, from the leaf on, can be true. A walk along frame pointers ends
 * up anywhere when a function keeps something else in the register; a caller outside all
 * executable mappings is such a case, and so is what is above it. Tables are trusted.
 */
static uint32_t user_depth(struct session *s, uint32_t process, uint16_t flags, const __u64 *ips,
			   uint32_t n)
{
	bool trusted = flags & STACK_TABLES && !(flags & STACK_POINTERS);

	if (flags & STACK_TABLES && !(flags & STACK_WHOLE))
		s->window.losses[LOSS_STACK]++;
	for (uint32_t i = 1; i < n && !trusted; i++) {
		const struct model_frame *f =
			model_frame_get(s->context->model, user_frame(s, process, ips, i));

		if (f && f->file)
			continue;
		s->window.losses[LOSS_STACK] += !(flags & STACK_TABLES) || flags & STACK_WHOLE;
		return i;
	}
	return n;
}

uint32_t session_user_stack(struct session *s, uint32_t process, uint16_t flags, const __u64 *ips,
			    uint32_t n, const struct record_python *python, bool *ret_whole)
{
	uint32_t frames[RECORD_MAX_STACK + RECORD_MAX_PYTHON], stack = 0;
	struct unwinding *unwinding = s->context->unwinding;
	size_t depth;
	bool whole;

	if (unwinding)
		unwinding_want(unwinding, process);
	depth = user_depth(s, process, flags, ips, n);
	whole = flags & STACK_WHOLE && depth == n;
	for (uint32_t i = 0; i < depth; i++)
		frames[i] = user_frame(s, process, ips, i);
	if (python && unwinding)
		depth = python_interleave(unwinding_python(unwinding), python, whole, frames,
					  depth);
	if (ret_whole)
		*ret_whole = whole;
	while (depth-- > 0)
		stack = model_stack(s->context->model, stack, frames[depth]);
	return stack;
}

uint32_t session_thread_of(struct session *s, const struct record_sample *r)
{
	return model_stringn(s->context->model, r->comm, strnlen(r->comm, RECORD_COMM_LEN));
}

uint32_t session_stack_of(struct session *s, const struct record_sample *r, uint32_t *ret_process,
			  struct stack_flaws *ret_flaws)
{
	struct model *m = s->context->model;
	uint32_t process = processes_find_mapped(s->context->processes, r->pid);
	uint32_t stack;
	bool whole;

	jit_begin(s->context->jit, process, r->time_ns);
	stack = session_user_stack(s, process, r->h.flags, r->ips, r->user_count,
				   session_take_python(s, r->tid, r->time_ns), &whole);
	for (uint32_t i = r->kernel_count; i-- > 0;)
		stack = model_stack(
			m, stack,
			model_frame(m, FILE_ID_KERNEL, r->ips[r->user_count + i] - (i > 0)));
	*ret_process = process;
	/* Without user frames, as of a thread of the kernel, there is nothing to be missed. */
	*ret_flaws = (struct stack_flaws){
		.partial = r->user_count && !whole,
		.pointers = r->user_count &&
			    (!(r->h.flags & STACK_TABLES) || r->h.flags & STACK_POINTERS),
	};
	return stack;
}

void session_count_flaws(struct session *s, const struct stack_flaws *flaws)
{
	s->window.losses[PARTIAL_STACK] += flaws->partial;
	s->window.losses[POINTERS_STACK] += flaws->pointers;
}

void session_add_sample(struct session *s, const struct record_sample *r)
{
	struct stack_flaws flaws;
	uint32_t process, stack = session_stack_of(s, r, &process, &flaws);

	if (!process)
		return;
	s->n_samples++;
	session_count_flaws(s, &flaws);
	(void)window_add_raw_sample(&s->window,
				    &(struct raw_sample){.time_ns = r->time_ns,
							 .process = process,
							 .tid = r->tid,
							 .thread = session_thread_of(s, r),
							 .stack = stack,
							 .kind = SAMPLE_CPU,
							 .count = 1},
				    session_keeps_raw_samples(s));
	session_roll_when_full(s);
}

static void take_losses(struct session *s)
{
	uint64_t now[LOSS_COUNTERS];

	if (!s->has_slot || kernel_side_losses(s->context->kernel, s->slot, now) < 0)
		return;
	if (s->sources)
		s->window.losses[LOSS_BATCH] += session_sources_missed(
			s, now[LOSS_RING_SPAN] > s->losses_seen[LOSS_RING_SPAN]);
	for (size_t i = 0; i < LOSS_COUNTERS; i++) {
		s->window.losses[i] += now[i] - s->losses_seen[i];
		s->losses_seen[i] = now[i];
	}
}

/* What the kernel has counted: of a kept session since the window before, else all of it, at its
 * end. */
static void take_kernel_window(struct session *s)
{
	struct window kernel;
	int r = s->kind == SESSION_KEPT ? session_take_kernel_window(s, &kernel)
					: session_kernel_window(s, &kernel);

	if (r < 0)
		return;
	for (size_t i = 0; i < kernel.n_stats; i++)
		(void)window_add_stat(&s->window, &kernel.stats[i]);
	window_release(&kernel);
}

void session_roll(struct session *s, bool final)
{
	struct window *w = &s->window;
	uint64_t now = now_monotonic_ns();

	if (s->kind == SESSION_REPLAY)
		return;
	before_spans_go(s, final);
	if (s->replay && !replay_window_end(s->replay, &now))
		return;
	w->end_ns = now;
	if (final)
		session_end_all_waits(s, w->end_ns);
	take_losses(s);
	if (s->options.stats_only && (final || s->kind == SESSION_KEPT))
		take_kernel_window(s);
	if (s->kind == SESSION_KEPT) {
		window_keep_slowest(w, EXEMPLARS);
		s->windows++;
		for (size_t i = 0; i < LOSS_COUNTERS; i++)
			s->total.losses[i] += w->losses[i];
		session_event_losses(s->context->keeper, s, w);
		keeper_take(s->context->keeper, s, w);
		window_reset(w, now);
		return;
	}
	if (window_merge(&s->total, w) < 0)
		log_error("session %s: out of memory: a window is missing from its totals",
			  s->name);
	if (s->kind == SESSION_ATTACHED && past_add(&s->past, w) < 0)
		log_warn("session %s: out of memory: a window cannot be compared", s->name);
	s->windows++;
	/* Its totals are right whatever becomes of what is raw. */
	session_pack(s);
	/* What was handed on to be written took the window's times along. */
	window_reset(w, now);
}
