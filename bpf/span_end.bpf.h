/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a span: popping it, its record, its call path. */
#ifndef SONDE_BPF_SPAN_END_H
#define SONDE_BPF_SPAN_END_H

#include "span_call.bpf.h"
#include "span_mixed.bpf.h"

static __always_inline void emit_span(struct thread_state *s, __u32 top, __u64 duration, __u64 ret,
				      __u32 flags)
{
	struct frame *f = &s->frames[frame_index(top)];
	__u64 id = bpf_get_current_pid_tgid();
	struct record_span *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		count_loss(session, LOSS_RING_SPAN);
		return;
	}
	set_header(&r->h, RECORD_SPAN, flags, session);
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->probe = f->probe;
	r->depth = f->depth;
	r->pad = 0;
	r->start_ns = f->start_ns;
	r->duration_ns = duration;
	r->self_ns = duration > f->child_ns ? duration - f->child_ns : 0;
	r->ret = ret;
	r->path = f->path;
	bpf_ringbuf_submit(r, wake_flags());
}

/* Sends the pending call. Only a path that is not announced yet needs the thread. */
static __always_inline void emit_call(struct thread_state *s, struct pending_call *p)
{
	struct record_call *c = &p->call;
	__u64 bytes = p->bytes;

	if (!p->announced)
		announce_path(s, p->top);
	if (!send_calls && !(c->span.h.flags & SPAN_UNDECIDED)) {
		c->span.h.kind = RECORD_SPAN;
		bytes = sizeof(c->span);
	} else {
		c->span.h.flags |= (wants & WANT_ARGS ? SPAN_ARGS : 0) |
				   (wants & WANT_VALUES ? SPAN_VALUES : 0);
	}
	if (bytes > sizeof(*c))
		bytes = sizeof(*c);
	if (bpf_ringbuf_output(&ring, c, bytes, wake_flags()))
		count_loss(session, LOSS_RING_SPAN);
}

/* A result that is an error, by its type where that is known, else by the session's rule. */
static __always_inline bool is_failure(__u64 ret, const struct probe_info *info)
{
	__u64 shift;

	if (!info || null_is_error ||
	    !(info->flags & (PROBE_RESULT_SIGNED | PROBE_RESULT_UNSIGNED)))
		return is_error(ret, null_is_error);
	if (info->flags & PROBE_RESULT_UNSIGNED)
		return false;
	shift = (64 - 8 * info->result_size) & 63;
	return (__s64)(ret << shift) < 0;
}

static __always_inline struct probe_info *info_of(__u32 probe)
{
	return use_info || rich ? bpf_map_lookup_elem(&infos, &probe) : NULL;
}

/* What end_span() says is still to be done. */
enum end_result { END_DONE = 0, END_ASK = 1 };

/*
 * Ends the innermost open span. END_ASK: the call is pending, and its condition is to be asked by
 * a tail call, which only the program itself can make. A function of its own, so that it is
 * verified once.
 */
__noinline int end_span(struct thread_state *s, struct calls_state *cs, __u64 now, __u64 ret,
			__u32 flags)
{
	struct pending_call *p;
	struct probe_info *info;
	struct frame *f;
	int in_source;
	__u64 duration;
	__u32 top;

	if (!s || s->open == 0 || s->open > RECORD_MAX_OPEN)
		return END_DONE;
	top = s->open - 1;
	s->open = top;
	f = &s->frames[frame_index(top)];
	duration = now - f->start_ns;
	in_source = in_sources ? source_leave(s, top) : 0;
	if (in_source & SOURCE_IS_AROUND && f->path != s->last_path)
		announce_path(s, top);
	if (top > 0 && !(in_source & SOURCE_IN_SPAN))
		s->frames[frame_index(top - 1)].child_ns +=
			f->flags & FRAME_HIDDEN ? f->child_ns : duration;
	if (f->flags & FRAME_HIDDEN)
		return END_DONE;
	info = info_of(f->probe);
	if (!(flags & (SPAN_UNWOUND | SPAN_TAIL | SPAN_INSTANT)) && is_failure(ret, info))
		flags |= SPAN_ERROR;
	if (f->flags & FRAME_KERNEL)
		flags |= SPAN_KERNEL;
	if (duration < min_duration_ns || f->depth >= max_depth ||
	    (errors_only && !(flags & SPAN_ERROR)) || (unwound_only && !(flags & SPAN_UNWOUND))) {
		count_loss(session, FILTERED_SPAN);
		return END_DONE;
	}
	if (!rich) {
		if (stats_only) {
			stats_add(f->probe, duration, flags & SPAN_ERROR);
			return END_DONE;
		}
		if (f->path != s->last_path)
			announce_path(s, top);
		emit_span(s, top, duration, ret, flags);
		return END_DONE;
	}
	p = pending_get();
	if (!p) {
		count_loss(session, LOSS_NO_MEMORY);
		return END_DONE;
	}
	set_header(&p->call.span.h, RECORD_CALL, flags, session);
	p->call.span.duration_ns = duration;
	p->call.span.self_ns = duration > f->child_ns ? duration - f->child_ns : 0;
	p->call.span.ret = ret;
	p->announced = f->path == s->last_path;
	fill_call(p, s, top, cs, info);
	if (!(info && info->end)) {
		if (stats_only)
			stats_add(f->probe, duration, flags & SPAN_ERROR);
		else
			emit_call(s, p);
		return END_DONE;
	}
	/* Frames that are passed over end several at once: no tail call can come back here. */
	if (!(flags & SPAN_UNWOUND))
		return END_ASK;
	if (stats_only) {
		count_loss(session, LOSS_UNDECIDED);
		return END_DONE;
	}
	p->call.span.h.flags |= SPAN_UNDECIDED;
	emit_call(s, p);
	return END_DONE;
}

/* Does not come back, unless the element is empty. */
static __always_inline void call_program(void *ctx, __u32 index, bool kernel)
{
	if (kernel)
		bpf_tail_call(ctx, &kernel_programs, index);
	else
		bpf_tail_call(ctx, &programs, index);
}

/* Asks the condition of the pending call, and is not back unless there is none any more. */
static __always_inline void ask_condition(void *ctx, __u32 probe, bool kernel)
{
	struct probe_info *info;

	if (shared_end && !kernel)
		bpf_tail_call(ctx, &programs, PROGRAM_FIRST);
	info = bpf_map_lookup_elem(&infos, &probe);
	if (info && info->end)
		call_program(ctx, info->end, kernel);
}

/* The thread of a pending call, where sending it takes that. */
static __always_inline struct thread_state *thread_to_announce(struct pt_regs *ctx,
							       const struct pending_call *p)
{
	return p->announced ? NULL : thread_get(ctx, false);
}

#endif
