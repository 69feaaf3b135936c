// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spans of function calls. The daemon loads this object once a session, with the session's
 * options as constants, so that what a session does not ask for is compiled out.
 *
 * Every thread has a stack of open spans in task storage. An entry probe pushes, a return probe
 * pops. The stack pointer tells what really happened: a frame below the current stack pointer
 * was passed over by an exception, longjmp or thread exit and ends flagged SPAN_UNWOUND; one at
 * the same stack pointer is the caller of a tail call when the return address there is already
 * the kernel's trampoline, else it is stale too.
 */
#include "common.bpf.h"
#include "stats.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 session;	    /* slot */
const volatile __u64 path_seed;	    /* makes paths of different sessions different */
const volatile bool filter_targets; /* the links cover more processes than the session */
const volatile bool want_args;
const volatile bool errors_only;
const volatile bool null_is_error;
const volatile bool stats_only;
const volatile __u32 max_depth = RECORD_MAX_OPEN;
__u64 min_duration_ns; /* may be changed while attached */
__u32 first_target;
bool active; /* between attaching and detaching, which both take their time, function by function */

struct frame {
	__u64 sp; /* stack pointer at entry: where the return address is */
	__u64 start_ns;
	__u64 child_ns; /* in probed calls made inside */
	__u64 path;
	__u32 probe;
	__u32 pad;
};

struct thread_state {
	__u32 open;
	__u32 pad;
	__u64 last_path; /* announced: the common case is the same path again */
	struct frame frames[RECORD_MAX_OPEN];
	__u64 args[RECORD_MAX_OPEN][RECORD_ARGS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} threads SEC(".maps");

/* Call paths the daemon has been told of. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, __u8);
} paths SEC(".maps");

/*
 * An index the verifier is sure of. The compiler sees that a plain mask changes nothing and drops
 * it; the verifier of 6.1 does not know what the compiler knows.
 */
static __always_inline __u64 frame_index(__u64 i)
{
	_Static_assert(RECORD_MAX_OPEN == 64, "the mask below");
	asm volatile("%[i] &= 63" : [i] "+r"(i));
	return i;
}

/* Tells the daemon what the path of the span at index top consists of, outermost first. */
__noinline int announce_path(struct thread_state *s, __u32 top)
{
	__u64 parent = 0;
	__u8 known = 1;

	if (!s)
		return 0;
	for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f = &s->frames[frame_index(i)];
		__u64 path = f->path;
		struct record_path *r;

		if (i > top)
			break;
		if (!bpf_map_lookup_elem(&paths, &path)) {
			r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
			if (!r) {
				count_loss(session, LOSS_RING_EVENT);
				return 0;
			}
			set_header(&r->h, RECORD_PATH, 0, session);
			r->probe = f->probe;
			r->pad = 0;
			r->path = path;
			r->parent = parent;
			bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
			if (bpf_map_update_elem(&paths, &path, &known, BPF_ANY))
				count_loss(session, LOSS_PATHS_FULL);
		}
		parent = path;
	}
	s->last_path = parent;
	return 0;
}

static __always_inline void emit_span(struct thread_state *s, __u32 top, __u64 duration, __u64 ret,
				      __u32 flags)
{
	struct frame *f = &s->frames[frame_index(top)];
	__u64 id = bpf_get_current_pid_tgid();
	struct record_span_args *r;

	if (want_args)
		r = bpf_ringbuf_reserve(&ring, sizeof(struct record_span_args), 0);
	else
		r = bpf_ringbuf_reserve(&ring, sizeof(struct record_span), 0);
	if (!r) {
		count_loss(session, LOSS_RING_SPAN);
		return;
	}
	set_header(&r->span.h, RECORD_SPAN, flags | (want_args ? SPAN_ARGS : 0), session);
	r->span.pid = id >> 32;
	r->span.tid = (__u32)id;
	r->span.probe = f->probe;
	r->span.depth = top;
	r->span.pad = 0;
	r->span.start_ns = f->start_ns;
	r->span.duration_ns = duration;
	r->span.self_ns = duration > f->child_ns ? duration - f->child_ns : 0;
	r->span.ret = ret;
	r->span.path = f->path;
	if (want_args)
		__builtin_memcpy(r->args, s->args[frame_index(top)], sizeof(r->args));
	bpf_ringbuf_submit(r, wake_flags());
}

/* Ends the innermost open span. A function of its own, so that it is verified once. */
__noinline int end_span(struct thread_state *s, __u64 now, __u64 ret, __u32 flags)
{
	struct frame *f;
	__u64 duration;
	__u32 top;

	if (!s || s->open == 0 || s->open > RECORD_MAX_OPEN)
		return 0;
	top = s->open - 1;
	s->open = top;
	f = &s->frames[frame_index(top)];
	duration = now - f->start_ns;
	if (top > 0)
		s->frames[frame_index(top - 1)].child_ns += duration;
	if (!(flags & SPAN_UNWOUND) && is_error(ret, null_is_error))
		flags |= SPAN_ERROR;
	if (duration < min_duration_ns || top >= max_depth ||
	    (errors_only && !(flags & SPAN_ERROR))) {
		count_loss(session, FILTERED_SPAN);
		return 0;
	}
	if (stats_only) {
		stats_add(f->probe, duration, flags & SPAN_ERROR);
		return 0;
	}
	if (f->path != s->last_path)
		announce_path(s, top);
	emit_span(s, top, duration, ret, flags);
	return 0;
}

static __always_inline __u64 return_trampoline(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct xol_area *area = BPF_CORE_READ(task, mm, uprobes_state.xol_area);

	return area ? BPF_CORE_READ(area, vaddr) : 0;
}

/* True when a frame at the same stack pointer is still open: its function ended in a tail call. */
static __always_inline bool is_tail_call(__u64 sp)
{
	__u64 return_address = 0;

	bpf_probe_read_user(&return_address, sizeof(return_address), (void *)sp);
	return return_address && return_address == return_trampoline();
}

static __always_inline void drop_stale(struct thread_state *s, __u64 sp, __u64 now)
{
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f;

		if (s->open == 0 || s->open > RECORD_MAX_OPEN)
			return;
		f = &s->frames[frame_index(s->open - 1)];
		if (f->sp > sp || (f->sp == sp && is_tail_call(sp)))
			return;
		end_span(s, now, 0, SPAN_UNWOUND);
	}
}

static __always_inline int enter(struct pt_regs *ctx)
{
	struct thread_state *s;
	struct frame *f;
	__u64 sp = PT_REGS_SP(ctx), now, parent = 0;
	__u32 top;

	if (!active ||
	    (filter_targets && !is_target(bpf_get_current_pid_tgid() >> 32, session, first_target)))
		return 0;
	s = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!s) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (s->open && s->frames[frame_index(s->open - 1)].sp <= sp)
		drop_stale(s, sp, now);
	top = s->open;
	if (top >= RECORD_MAX_OPEN) {
		count_loss(session, LOSS_TOO_DEEP);
		return 0;
	}
	if (top > 0)
		parent = s->frames[frame_index(top - 1)].path;
	else
		parent = path_seed;
	f = &s->frames[frame_index(top)];
	f->sp = sp;
	f->start_ns = now;
	f->child_ns = 0;
	f->probe = bpf_get_attach_cookie(ctx);
	/* Any good 64-bit mixing will do: the daemon learns parents from announce_path(). */
	parent = (parent ^ (f->probe + 1)) * 0x9E3779B97F4A7C15ULL;
	f->path = parent ^ (parent >> 29);
	if (want_args) {
		__u64 *a = s->args[frame_index(top)];

		a[0] = PT_REGS_PARM1(ctx);
		a[1] = PT_REGS_PARM2(ctx);
		a[2] = PT_REGS_PARM3(ctx);
		a[3] = PT_REGS_PARM4(ctx);
		a[4] = PT_REGS_PARM5(ctx);
#if defined(__TARGET_ARCH_x86)
		a[5] = ctx->r9;
#else
		a[5] = ((const volatile struct user_pt_regs *)ctx)->regs[5];
#endif
	}
	s->open = top + 1;
	return 0;
}

static __always_inline int leave(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx) - sizeof(__u64), now;
	__u32 probe = bpf_get_attach_cookie(ctx);
	struct thread_state *s;

	if (!active ||
	    (filter_targets && !is_target(bpf_get_current_pid_tgid() >> 32, session, first_target)))
		return 0;
	s = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!s) {
		count_loss(session, LOSS_RETURN);
		return 0;
	}
	now = bpf_ktime_get_ns();
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f;

		if (s->open == 0 || s->open > RECORD_MAX_OPEN)
			break;
		f = &s->frames[frame_index(s->open - 1)];
		if (f->sp > sp)
			break;
		if (f->sp == sp && f->probe == probe) {
			end_span(s, now, PT_REGS_RC(ctx), 0);
			return 0;
		}
		end_span(s, now, 0, SPAN_UNWOUND);
	}
	count_loss(session, LOSS_RETURN);
	return 0;
}

SEC("uprobe")
int span_entry(struct pt_regs *ctx)
{
	return enter(ctx);
}

SEC("uretprobe")
int span_return(struct pt_regs *ctx)
{
	return leave(ctx);
}
