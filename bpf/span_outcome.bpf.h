/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What conditions end in: the pending call is sent or not, with its stack or not. */
#ifndef SONDE_BPF_SPAN_OUTCOME_H
#define SONDE_BPF_SPAN_OUTCOME_H

#include "python.bpf.h"
#include "span_end.bpf.h"
#include "unwind.bpf.h"

static __always_inline int do_emit(struct pt_regs *ctx)
{
	struct pending_call *p = pending_get();

	if (!p)
		return 0;
	if (stats_only)
		stats_add(p->call.span.probe, p->call.span.duration_ns,
			  p->call.span.h.flags & SPAN_ERROR);
	else
		emit_call(thread_to_announce(ctx, p), p);
	return 0;
}

static __always_inline int do_reject(struct pt_regs *ctx)
{
	count_loss(session, FILTERED_SPAN);
	return 0;
}

static __always_inline int do_hide(struct pt_regs *ctx)
{
	struct thread_state *s = thread_get(ctx, false);
	struct pending_call *p = pending_get();

	if (!s || !p)
		return 0;
	count_loss(session, FILTERED_SPAN);
	if (p->top + 1 == s->open) {
		struct frame *f = &s->frames[frame_index(p->top)];

		/* What is called inside belongs to the path above. */
		f->flags |= FRAME_HIDDEN;
		f->path = p->top > 0 ? s->frames[frame_index(p->top - 1)].path : path_seed;
		if (in_sources)
			f->path ^= source_around(p->top);
	}
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct unwind_walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct python_walk);
} python_walks SEC(".maps");

static __always_inline void emit_python(const struct pending_call *p)
{
	const struct python_process *process = python_of(p->call.span.pid);
	struct python_walk *w;

	if (!process)
		return;
	w = bpf_task_storage_get(&python_walks, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (w)
		send_python_stack(w, process, session,
				  p->call.span.start_ns + p->call.span.duration_ns);
}

enum { STACK_RECORD_AT = STACK_HEADER_WORDS - sizeof(struct record_stack) / sizeof(__u64) };

static __always_inline void emit_stack(struct pt_regs *ctx, const struct pending_call *p)
{
	struct unwind_walk *w = bpf_task_storage_get(&walks, bpf_get_current_task_btf(), NULL,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 frames = w ? find_user_stack(ctx, w) : 0;
	struct record_stack *r;

	if (!w || !frames) {
		count_loss(session, LOSS_STACK);
		return;
	}
	r = (struct record_stack *)&w->words[STACK_RECORD_AT];
	set_header(&r->h, RECORD_STACK, w->flags, session);
	r->pid = p->call.span.pid;
	r->tid = p->call.span.tid;
	r->time_ns = p->call.span.start_ns + p->call.span.duration_ns;
	r->user_count = frames;
	r->pad = 0;
	emit_python(p);
	if (bpf_ringbuf_output(&ring, r, sizeof(*r) + frames * sizeof(__u64), BPF_RB_NO_WAKEUP))
		count_loss(session, LOSS_STACK);
}

static __always_inline int do_emit_stack(struct pt_regs *ctx)
{
	struct pending_call *p = pending_get();

	if (!p)
		return 0;
	emit_stack(ctx, p);
	emit_call(thread_to_announce(ctx, p), p);
	return 0;
}

#endif
