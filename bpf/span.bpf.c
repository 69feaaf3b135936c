// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spans of function calls. The daemon loads this object once a session, with the session's
 * options as constants, so that what a session does not ask for is compiled out.
 *
 * Every thread (of a Go program: every goroutine) has a stack of open spans. An entry probe
 * pushes, a return probe or a probe on the instruction that leaves the function pops. The stack
 * pointer tells what really happened: a frame below the current stack pointer was passed over by
 * an exception, longjmp or thread exit and ends flagged SPAN_UNWOUND; one at the same stack
 * pointer is the caller of a tail call when the return address there is already the kernel's
 * trampoline, else it is stale too. What is still open when the thread ends, or executes another
 * program, ends so as well. Stacks of signal handlers are known to the kernel, those of goroutines
 * to Go; nobody knows those of other coroutines, whose spans end flagged SPAN_UNWOUND when a switch
 * goes to a higher stack (and their returns are then lost, and counted): nothing of the program is
 * changed by that. Frames of kernel functions lie on top of those of the user's
 * and are compared among themselves only.
 *
 * Conditions are programs of their own (daemon/expr), reached by a tail call when all else is
 * done: the call at hand is in `pending`, and the condition ends in one of the programs at the
 * start of `programs`.
 */
#include "span_end.bpf.h"
#include "span_outcome.bpf.h"
#include "span_site.bpf.h"
#include "span_source.bpf.h"
#include "span_static.bpf.h"
#include "span_throw.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline __u64 return_trampoline(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct xol_area *area = BPF_CORE_READ(task, mm, uprobes_state.xol_area);

	return area ? BPF_CORE_READ(area, vaddr) : 0;
}

/* True when a frame at the same stack pointer is still open: its function ended in a tail call. */
static __always_inline bool is_tail_call(struct pt_regs *ctx, __u64 sp)
{
	__u64 return_address = 0;

	bpf_probe_read_user(&return_address, sizeof(return_address), (void *)sp);
	return return_address && return_address == return_trampoline();
}

/* Kernel stacks are 16 KiB and aligned to that; interrupts have one of their own. */
enum { KERNEL_STACK_SHIFT = 14 };

/*
 * Between the stack of a signal handler and the one it has interrupted: frames of the latter stay
 * open while the handler runs, and its own are over when it does not any more.
 */
static __always_inline bool is_other_stack(const struct frame *f, bool on_signal)
{
	return !(f->flags & FRAME_SIGNAL) != !on_signal;
}

/* Whether the innermost frame cannot be open any more, seen from an entry at this place. */
static __always_inline bool is_stale(struct pt_regs *ctx, const struct frame *f, __u64 position,
				     __u64 sp, bool kernel)
{
	bool on_signal;

	if (kernel)
		return f->flags & FRAME_KERNEL && f->sp < position &&
		       (f->sp ^ position) >> KERNEL_STACK_SHIFT == 0;
	if (f->flags & FRAME_KERNEL)
		return true;
	on_signal = on_signal_stack(sp);
	if (is_other_stack(f, on_signal))
		return !on_signal;
	return f->sp < position || (f->sp == position && !is_tail_call(ctx, sp));
}

static __always_inline void drop_stale(struct pt_regs *ctx, struct thread_state *s, __u64 position,
				       __u64 sp, __u64 now, bool kernel)
{
	struct calls_state *cs = rich ? calls_get(ctx, false) : NULL;

	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		if (s->open == 0 || s->open > RECORD_MAX_OPEN ||
		    !is_stale(ctx, &s->frames[frame_index(s->open - 1)], position, sp, kernel))
			return;
		end_span(s, cs, now, 0, SPAN_UNWOUND);
	}
}

/* Fills in the frame of a call that begins; false when it is not followed. */
static __always_inline bool push(struct thread_state *s, __u64 position, __u64 now, __u32 probe,
				 const struct probe_info *info, bool kernel)
{
	__u64 parent = path_seed;
	__u16 depth = 0, flags = kernel			     ? FRAME_KERNEL
				 : on_signal_stack(position) ? FRAME_SIGNAL
							     : 0;
	__u32 top = s->open;
	struct frame *f;

	if (top > 0) {
		struct frame *above = &s->frames[frame_index(top - 1)];

		parent = above->path;
		depth = above->depth + !(above->flags & FRAME_HIDDEN);
		flags |= above->flags & FRAME_INSIDE;
	}
	if (has_gates) {
		bool gate = info && info->flags & PROBE_GATE;

		if (!gate && !(flags & FRAME_INSIDE))
			return false;
		/* The outermost gate only opens the way; one inside another may be a span. */
		if (info && (info->flags & PROBE_HIDDEN || (gate && !(flags & FRAME_INSIDE))))
			flags |= FRAME_HIDDEN;
		flags |= FRAME_INSIDE;
	}
	if (top >= RECORD_MAX_OPEN) {
		count_loss(session, LOSS_TOO_DEEP);
		return false;
	}
	if (in_sources)
		parent ^= source_enter(top);
	f = &s->frames[frame_index(top)];
	f->sp = position;
	f->start_ns = now;
	f->child_ns = 0;
	f->probe = probe;
	f->depth = depth;
	f->flags = flags;
	/* Any good 64-bit mixing will do: the daemon learns parents from announce_path(). */
	parent = flags & FRAME_HIDDEN ? parent : (parent ^ (probe + 1)) * 0x9E3779B97F4A7C15ULL;
	f->path = flags & FRAME_HIDDEN ? parent : parent ^ (parent >> 29);
	s->open = top + 1;
	return true;
}

/* How a program was reached: decides how arguments are read, and whether tail calls are possible.
 */
enum way { BY_UPROBE, BY_KPROBE, BY_TRACING, BY_STATIC };

/* The rest of an entry in `rich` sessions; ends in the condition on the begun call, if any. */
static __always_inline void begin(void *ctx, struct thread_state *s, __u64 sp,
				  const struct probe_info *info, enum way way)
{
	struct calls_state *cs = calls_get(ctx, true);
	bool is_asked = info && info->begin, is_pending = is_asked || wants & WANT_VALUES;
	struct pending_call *p = is_pending ? pending_get() : NULL;
	__u32 top = s->open - 1;
	struct frame_more *m;
	struct frame *f;

	if (!cs || (is_pending && !p)) {
		count_loss(session, LOSS_NO_MEMORY);
		s->open = top;
		return;
	}
	f = &s->frames[frame_index(top)];
	m = &cs->more[frame_index(top)];
	if (way == BY_STATIC) {
		keep_static(ctx, m, p, f->probe, info);
	} else if (wants & (WANT_ARGS | WANT_VALUES)) {
		struct capture_source from = {.sp = sp, .kernel = f->flags & FRAME_KERNEL};

		if (way == BY_TRACING)
			read_traced_arguments(ctx, from.args);
		else
			read_registers(ctx, from.args);
		keep_arguments(m, p, &from, f->probe, info);
	}
	m->offcpu_ns = offcpu_now(true);
	if (!is_asked || !p || f->flags & FRAME_HIDDEN || way == BY_TRACING)
		return;
	set_header(&p->call.span.h, RECORD_CALL, f->flags & FRAME_KERNEL ? SPAN_KERNEL : 0,
		   session);
	fill_identity(&p->call, s, top);
	__builtin_memcpy(p->call.args, m->args, sizeof(p->call.args));
	p->call.valid = m->valid;
	p->top = top;
	call_program(ctx, info->begin, way == BY_KPROBE);
}

/*
 * Of each thread the kernel keeps track of 64 return probes. One more is not made, and its call
 * would seem to last until something else is called from above it.
 */
enum { KERNEL_RETURNS = 64 };

static __always_inline bool is_return_lost(void)
{
	return bpf_get_current_task_btf()->utask->depth >= KERNEL_RETURNS;
}

/* sp: of the entry, for kernel functions; of the probe's place for the user's. */
static __always_inline int enter(void *ctx, __u64 sp, enum way way)
{
	bool kernel = way != BY_UPROBE;
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 probe = (__u32)cookie;
	struct probe_info *info;
	struct thread_state *s;
	__u64 position, now;

	if (!is_followed())
		return 0;
	info = info_of(probe);
	if (info && !kernel)
		sp += info->sp_below;
	s = thread_get(ctx, true);
	if (!s) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	if (kernel && s->busy)
		return 0;
	now = bpf_ktime_get_ns();
	position = kernel ? sp : stack_position(ctx, sp);
	s->busy = 1;
	if (s->open && (kernel || s->frames[frame_index(s->open - 1)].sp <= position ||
			s->frames[frame_index(s->open - 1)].flags & (FRAME_KERNEL | FRAME_SIGNAL)))
		drop_stale(ctx, s, position, sp, now, kernel);
	if (!kernel && !(cookie >> ENTRY_SITES_SHIFT & 1) && is_return_lost()) {
		s->busy = 0;
		count_loss(session, LOSS_TOO_DEEP);
		return 0;
	}
	if (push(s, position, now, probe, info, kernel) && rich &&
	    (wants & (WANT_ARGS | WANT_VALUES | WANT_OFFCPU) || (info && info->begin))) {
		s->busy = 0;
		begin(ctx, s, sp, info, way);
		return 0;
	}
	s->busy = 0;
	return 0;
}

/* What a call that ends is looked for by. */
struct ending {
	__u64 position, ret;
	__u32 probe, flags;
	enum way way;
	bool quiet; /* no such call is no loss */
};

static __always_inline int leave(void *ctx, const struct ending *e)
{
	bool kernel = e->way != BY_UPROBE;
	struct thread_state *s = thread_get(ctx, false);
	struct calls_state *cs = NULL;
	bool on_signal;
	__u64 now;

	if (!s) {
		if (!e->quiet)
			count_loss(session, LOSS_RETURN);
		return 0;
	}
	if (kernel && s->busy)
		return 0;
	now = bpf_ktime_get_ns();
	on_signal = !kernel && on_signal_stack(e->position);
	if (rich)
		cs = calls_get(ctx, false);
	s->busy = 1;
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f;
		bool in_kernel;

		if (s->open == 0 || s->open > RECORD_MAX_OPEN)
			break;
		f = &s->frames[frame_index(s->open - 1)];
		in_kernel = f->flags & FRAME_KERNEL;
		if (kernel && !in_kernel)
			break;
		if (in_kernel == kernel) {
			bool elsewhere = !kernel && is_other_stack(f, on_signal);

			if (elsewhere ? on_signal : f->sp > e->position)
				break;
			if (f->sp == e->position && f->probe == e->probe) {
				int r = end_span(s, cs, now, e->ret, e->flags);

				s->busy = 0;
				if (r == END_ASK && e->way != BY_TRACING)
					ask_condition(ctx, e->probe, kernel);
				return r;
			}
			if (kernel && (f->sp ^ e->position) >> KERNEL_STACK_SHIFT)
				break;
		}
		end_span(s, cs, now, 0, SPAN_UNWOUND);
	}
	s->busy = 0;
	/* One that is deeper than what is open was too deep to be pushed, and counted so. */
	if (!e->quiet && s->open < RECORD_MAX_OPEN)
		count_loss(session, LOSS_RETURN);
	return 0;
}

/* The condition of the pending call could not be asked: it is being replaced. */
static __always_inline void undecided(void *ctx)
{
	struct pending_call *p = pending_get();

	if (!p)
		return;
	if (stats_only) {
		count_loss(session, LOSS_UNDECIDED);
		return;
	}
	p->call.span.h.flags |= SPAN_UNDECIDED;
	emit_call(thread_to_announce(ctx, p), p);
}

SEC("uprobe")
int span_entry(struct pt_regs *ctx)
{
	return enter(ctx, PT_REGS_SP(ctx), BY_UPROBE);
}

static __always_inline int leave_return(struct pt_regs *ctx, enum way way)
{
	__u64 sp = PT_REGS_SP(ctx) - sizeof(__u64);
	struct ending e = {
		.position = way == BY_UPROBE ? stack_position(ctx, sp) : sp,
		.ret = PT_REGS_RC(ctx),
		.probe = bpf_get_attach_cookie(ctx),
		.way = way,
		.quiet = has_gates,
	};

	if (!is_followed())
		return 0;
	if (leave(ctx, &e) == END_ASK)
		undecided(ctx);
	return 0;
}

SEC("uretprobe")
int span_return(struct pt_regs *ctx)
{
	return leave_return(ctx, BY_UPROBE);
}

#if defined(__TARGET_ARCH_x86)

SEC("uprobe")
int span_site(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx), sp = PT_REGS_SP(ctx);
	bool is_ret = (cookie >> SITE_KIND_SHIFT & 7) == WAY_RET;
	struct ending e = {
		.position = stack_position(ctx, sp),
		.ret = is_ret ? PT_REGS_RC(ctx) : 0,
		.probe = (__u32)cookie,
		.flags = is_ret ? 0 : SPAN_TAIL,
		.quiet = has_gates || !is_ret,
	};

	if (!is_followed() || is_no_exit(ctx, cookie))
		return 0;
	if (leave(ctx, &e) == END_ASK)
		undecided(ctx);
	return 0;
}

#endif

#include "span_static_programs.bpf.h"

SEC("kprobe")
int kernel_entry(struct pt_regs *ctx)
{
	return enter(ctx, PT_REGS_SP(ctx), BY_KPROBE);
}

SEC("kretprobe")
int kernel_return(struct pt_regs *ctx)
{
	return leave_return(ctx, BY_KPROBE);
}

/*
 * fentry and fexit: the context lies on the stack, at the same place for both ends of a call, so
 * it serves as the stack pointer. These programs cannot call the conditions, which are of another
 * type: the daemon decides. One instance of each is loaded for each function.
 */
/* As a number: the verifier lets nobody reckon with the pointer itself. */
static __always_inline __u64 context_address(void *ctx)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &ctx);
	return address;
}

SEC("?fentry")
int kernel_fentry(void *ctx)
{
	return enter(ctx, context_address(ctx), BY_TRACING);
}

SEC("?fexit")
int kernel_fexit(void *ctx)
{
	__u64 ret = 0;
	struct ending e = {
		.position = context_address(ctx),
		.probe = bpf_get_attach_cookie(ctx),
		.way = BY_TRACING,
		.quiet = has_gates,
	};

	if (!is_followed())
		return 0;
	/* Not into e, whose members the compiler would then not know any more. */
	bpf_get_func_ret(ctx, &ret);
	e.ret = ret;
	if (leave(ctx, &e) == END_ASK)
		undecided(ctx);
	return 0;
}

/* Where conditions end: an instance of each for user and kernel functions. */
#define OUTCOME(section, name, outcome)                                                            \
	SEC(section)                                                                               \
	int name(struct pt_regs *ctx)                                                              \
	{                                                                                          \
		return outcome(ctx);                                                               \
	}

OUTCOME("uprobe", span_emit, do_emit)
OUTCOME("uprobe", span_reject, do_reject)
OUTCOME("uprobe", span_hide, do_hide)
OUTCOME("uprobe", span_emit_stack, do_emit_stack)
OUTCOME("kprobe", kernel_emit, do_emit)
OUTCOME("kprobe", kernel_reject, do_reject)
OUTCOME("kprobe", kernel_hide, do_hide)
OUTCOME("kprobe", kernel_emit_stack, do_emit_stack)

SEC("uprobe")
int span_throw(struct pt_regs *ctx)
{
	struct thread_state *s;

	if (!is_followed())
		return 0;
	s = thread_get(ctx, false);
	if (s && s->open)
		send_throw(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), bpf_ktime_get_ns());
	return 0;
}

/*
 * The handler has been reached: what lies below it has been passed over, just now. By which
 * exception is said again, as others may have been thrown and caught on the way.
 */
SEC("uprobe")
int span_catch(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), position, now;
	struct thread_state *s;

	if (!is_followed())
		return 0;
	s = thread_get(ctx, false);
	if (!s || s->open == 0)
		return 0;
	position = stack_position(ctx, sp);
	if (!is_stale(ctx, &s->frames[frame_index(s->open - 1)], position, sp, false))
		return 0;
	now = bpf_ktime_get_ns();
	send_caught(PT_REGS_PARM1(ctx), now);
	drop_stale(ctx, s, position, sp, now, false);
	return 0;
}

/* A thread that ends, or that another program takes over, has left all its calls. */
static __always_inline int leave_all(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_state *s = bpf_task_storage_get(&threads, task, NULL, 0);
	struct calls_state *cs = NULL;
	__u64 now;

	/* Its process may be no target any more, but was when they began. */
	if (!s || s->open == 0 || !active)
		return 0;
	now = bpf_ktime_get_ns();
	if (rich)
		cs = bpf_task_storage_get(&calls, task, NULL, 0);
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		if (s->open == 0 || s->open > RECORD_MAX_OPEN)
			break;
		end_span(s, cs, now, 0, SPAN_UNWOUND);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(span_exit, struct task_struct *task)
{
	return leave_all();
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(span_exec, struct task_struct *task)
{
	return leave_all();
}

/* Time off the CPU of threads that are in `offcpus`. */
SEC("tp_btf/sched_switch")
int BPF_PROG(span_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = 0;
	struct offcpu *o = bpf_task_storage_get(&offcpus, prev, NULL, 0);

	if (o) {
		now = bpf_ktime_get_ns();
		note_switch(o, prev, now, true);
	}
	o = bpf_task_storage_get(&offcpus, next, NULL, 0);
	if (o && o->off && o->switches == next->nvcsw + next->nivcsw) {
		if (!now)
			now = bpf_ktime_get_ns();
		o->total_ns += now - o->at_ns;
		note_switch(o, next, now, false);
	}
	return 0;
}
