/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the span programs keep: the session's options, the stacks of open spans, and what is known
 * of a call beyond its times.
 */
#ifndef SONDE_BPF_SPAN_STATE_H
#define SONDE_BPF_SPAN_STATE_H

#include "common.bpf.h"
#include "stats.bpf.h"
#include "sonde/fetch.h"
#include "sonde/probe_info.h"

const volatile __u32 session;	    /* slot */
const volatile __u64 path_seed;	    /* makes paths of different sessions different */
const volatile bool filter_targets; /* the links cover more processes than the session */
const volatile bool errors_only;
const volatile bool unwound_only;
const volatile bool null_is_error;
const volatile bool stats_only;
const volatile bool rich;	/* there are conditions, arguments or captures: RECORD_CALL */
const volatile bool use_info;	/* some probe differs from the others: see probe_info */
const volatile bool has_gates;	/* --inside */
const volatile bool in_sources; /* calls and spans written in source code are in each other */
const volatile bool goroutines; /* stacks of open spans belong to goroutines, not to threads */
const volatile __u32 max_depth = RECORD_MAX_OPEN;

/* May be changed while attached. */
__u64 min_duration_ns;
__u32 first_target;
__u32 wants;	 /* enum span_wants */
bool active;	 /* between attaching and detaching, which both take their time, probe by probe */
bool shared_end; /* all probes have the same condition: PROGRAM_FIRST, a direct jump */
bool send_calls; /* what passes is sent as RECORD_CALL, else as RECORD_SPAN */

enum frame_flags {
	FRAME_KERNEL = 1 << 0, /* its stack pointer is one of the kernel */
	FRAME_HIDDEN = 1 << 1, /* no span: a condition at entry, or a gate */
	FRAME_INSIDE = 1 << 2, /* below a call of a gate, or one itself */
	FRAME_SIGNAL = 1 << 3, /* on the thread's stack for signal handlers */
	FRAME_STATIC = 1 << 4, /* begun by a static probe: see span_static.bpf.h */
};

struct frame {
	__u64 sp; /* stack pointer at entry: where the return address is */
	__u64 start_ns;
	__u64 child_ns; /* in probed calls made inside */
	__u64 path;
	__u32 probe;
	__u16 depth; /* spans open above it */
	__u16 flags;
};

struct thread_state {
	__u32 open;
	__u32 busy; /* a program works on this: probes on what it calls itself are not for us */
	__u64 last_path; /* announced: the common case is the same path again */
	/* Spans of static probes that there was no room for: how many, and where the first began.
	 */
	__u64 lost_pairs, lost_position;
	struct frame frames[RECORD_MAX_OPEN];
};

/* What is known of each open call, in sessions that are `rich`. */
struct frame_more {
	__u64 args[RECORD_ARGS];
	__u64 offcpu_ns; /* of the thread, up to the call */
	__u64 valid;
	__u64 values[RECORD_MAX_VALUES / 8];
};

struct calls_state {
	struct frame_more more[RECORD_MAX_OPEN];
};

/*
 * The call at hand, for the programs that are reached by a tail call. Generated programs find it
 * at the start of the value. What is behind it is room for reads whose bounds the verifier does
 * not see.
 */
struct pending_call {
	struct record_call call;
	__u8 slack[RECORD_MAX_VALUES];
	__u32 top; /* index of the frame */
	__u32 bytes;
	bool announced; /* the daemon knows its path */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct calls_state);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct pending_call);
} pending SEC(".maps");

/* The same two by goroutine. The oldest goroutines go when there are too many. */
struct goroutine {
	__u64 g; /* address of its descriptor, which Go keeps in r14 */
	__u32 tgid, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* the daemon sets it for Go programs */
	__type(key, struct goroutine);
	__type(value, struct thread_state);
} goroutine_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct goroutine);
	__type(value, struct calls_state);
} goroutine_calls SEC(".maps");

/* What goes into the two when there is nothing yet: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_state);
} empty_thread SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct calls_state);
} empty_calls SEC(".maps");

/* Call paths the daemon has been told of. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, __u8);
} paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the daemon sets the number of probes */
	__type(key, __u32);
	__type(value, struct probe_info);
} infos SEC(".maps");

struct fetch_row {
	struct fetch fetches[RECORD_MAX_CAPTURES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fetch_row);
} fetches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PROGRAMS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

/* The same for kernel functions, whose programs are attached otherwise: kinds do not mix. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PROGRAMS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} kernel_programs SEC(".maps");

struct offcpu {
	__u64 total_ns;
	/* The last switch of the thread that was seen: */
	__u64 at_ns;
	__u64 runtime_ns; /* its time on the CPU until then */
	__u64 switches;	  /* how often it had been switched out */
	__u32 off;	  /* switched out, not in */
	__u32 pad;
};

/* Threads that have had a probed call, in sessions that ask for time off the CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct offcpu);
} offcpus SEC(".maps");

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

static __always_inline bool is_followed(void)
{
	return active && (!filter_targets ||
			  is_target(bpf_get_current_pid_tgid() >> 32, session, first_target));
}

static __always_inline __u64 goroutine_address(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return ctx->r14;
#else
	return ((const volatile struct user_pt_regs *)ctx)->regs[28];
#endif
}

static __always_inline struct thread_state *thread_of_goroutine(struct pt_regs *ctx, bool create)
{
	struct goroutine key = {.g = goroutine_address(ctx),
				.tgid = bpf_get_current_pid_tgid() >> 32};
	struct thread_state *s = bpf_map_lookup_elem(&goroutine_threads, &key), *empty;
	__u32 zero = 0;

	if (s || !create)
		return s;
	empty = bpf_map_lookup_elem(&empty_thread, &zero);
	if (!empty)
		return NULL;
	bpf_map_update_elem(&goroutine_threads, &key, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&goroutine_threads, &key);
}

static __always_inline struct calls_state *calls_of_goroutine(struct pt_regs *ctx, bool create)
{
	struct goroutine key = {.g = goroutine_address(ctx),
				.tgid = bpf_get_current_pid_tgid() >> 32};
	struct calls_state *s = bpf_map_lookup_elem(&goroutine_calls, &key), *empty;
	__u32 zero = 0;

	if (s || !create)
		return s;
	empty = bpf_map_lookup_elem(&empty_calls, &zero);
	if (!empty)
		return NULL;
	bpf_map_update_elem(&goroutine_calls, &key, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&goroutine_calls, &key);
}

static __always_inline struct thread_state *thread_get(struct pt_regs *ctx, bool create)
{
	if (goroutines)
		return thread_of_goroutine(ctx, create);
	return bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

static __always_inline struct calls_state *calls_get(struct pt_regs *ctx, bool create)
{
	if (goroutines)
		return calls_of_goroutine(ctx, create);
	return bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

static __always_inline struct pending_call *pending_get(void)
{
	return bpf_task_storage_get(&pending, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/*
 * The stack pointer as a number that can be compared with that of other calls of the thread.
 * Go moves stacks, and what stays the same is the distance from their upper end (g.stack.hi, the
 * second word of the descriptor).
 */
static __always_inline __u64 stack_position(struct pt_regs *ctx, __u64 sp)
{
	__u64 hi = 0;

	if (!goroutines)
		return sp;
	bpf_probe_read_user(&hi, sizeof(hi), (void *)(goroutine_address(ctx) + sizeof(hi)));
	return hi > sp ? (1ULL << 62) - (hi - sp) : sp;
}

/*
 * Whether that is a place on the stack for signal handlers (sigaltstack). It may lie above the
 * stack of what the handler has interrupted.
 */
static __always_inline bool on_signal_stack(__u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 size = task->sas_ss_size;

	return !goroutines && size && sp - task->sas_ss_sp <= size;
}

#endif
