/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of span.bpf.c, which has what they call: the programs on static probes. */
#ifndef SONDE_BPF_SPAN_STATIC_PROGRAMS_H
#define SONDE_BPF_SPAN_STATIC_PROGRAMS_H

#include "span_static.bpf.h"

/* The rest of passing a static probe, when the frame is pushed; ends in a condition, if any. */
static __always_inline void begin_static(struct pt_regs *ctx, struct thread_state *s, __u64 sp,
					 const struct probe_info *info)
{
	s->busy = 0;
	if (rich && (wants & (WANT_ARGS | WANT_VALUES | WANT_OFFCPU) || (info && info->begin)))
		begin(ctx, s, sp, info, BY_STATIC);
}

SEC("uprobe")
int static_entry(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), position = stack_position(ctx, sp), now;
	__u32 probe = (__u32)bpf_get_attach_cookie(ctx), top;
	struct calls_state *cs = NULL;
	struct probe_info *info;
	struct thread_state *s;
	bool pushed = false;

	if (!is_followed())
		return 0;
	info = info_of(probe);
	s = thread_get(ctx, true);
	if (!s) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	if (rich)
		cs = calls_get(ctx, false);
	now = bpf_ktime_get_ns();
	s->busy = 1;
	/* What has its stack pointer here is the function that this place is in. */
	drop_stale(ctx, s, position - 1, sp, now, false);
	if (make_room(s, cs, position, now)) {
		top = s->open;
		position = top > 0 ? s->frames[frame_index(top - 1)].sp : ~0ULL;
		pushed = push(s, position, now, probe, info, false);
	}
	if (!pushed) {
		s->busy = 0;
		return 0;
	}
	s->frames[frame_index(s->open - 1)].flags |= FRAME_STATIC;
	begin_static(ctx, s, sp, info);
	return 0;
}

SEC("uprobe")
int static_return(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx), now, ret;
	__u32 first = (__u32)cookie - (cookie >> PAIR_BACK_SHIFT & 0xffff), probe = 0;
	__u32 count = cookie >> PAIR_COUNT_SHIFT;
	struct calls_state *cs = NULL;
	struct thread_state *s;
	int r = END_DONE;

	if (!is_followed())
		return 0;
	s = thread_get(ctx, false);
	if (s && s->lost_pairs) {
		s->lost_pairs--;
		return 0;
	}
	if (!s || !is_pair_open(s, first, count)) {
		if (!has_gates)
			count_loss(session, LOSS_RETURN);
		return 0;
	}
	now = bpf_ktime_get_ns();
	ret = static_result(ctx, (__u32)cookie);
	if (rich)
		cs = calls_get(ctx, false);
	s->busy = 1;
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f;

		if (s->open == 0 || s->open > RECORD_MAX_OPEN)
			break;
		f = &s->frames[frame_index(s->open - 1)];
		probe = f->probe;
		if (f->flags & FRAME_STATIC && probe - first < count) {
			r = end_span(s, cs, now, ret, 0);
			break;
		}
		/* What began inside and is still open has been left, but has not been seen to. */
		end_span(s, cs, now, 0, SPAN_UNWOUND);
	}
	s->busy = 0;
	if (r == END_ASK) {
		ask_condition(ctx, probe, false);
		undecided(ctx);
	}
	return 0;
}

SEC("uprobe")
int static_instant(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), position = stack_position(ctx, sp), now;
	__u32 probe = (__u32)bpf_get_attach_cookie(ctx);
	struct probe_info *info;
	struct thread_state *s;
	int r;

	if (!is_followed())
		return 0;
	info = info_of(probe);
	s = thread_get(ctx, true);
	if (!s) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	now = bpf_ktime_get_ns();
	s->busy = 1;
	drop_stale(ctx, s, position - 1, sp, now, false);
	if (!push(s, position, now, probe, info, false)) {
		s->busy = 0;
		return 0;
	}
	begin_static(ctx, s, sp, info);
	s->busy = 1;
	r = end_span(s, rich ? calls_get(ctx, false) : NULL, now, 0, SPAN_INSTANT);
	s->busy = 0;
	if (r == END_ASK) {
		ask_condition(ctx, probe, false);
		undecided(ctx);
	}
	return 0;
}

#endif
