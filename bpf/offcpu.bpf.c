// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waits: how long threads are off the CPU, with the stack they left it by. Loaded once a session,
 * run at every switch.
 *
 * A stack can only be read while its thread is the current one: when it is switched out, and
 * nobody knows yet how long it will wait. Reading all of them would cost more than the waits are
 * worth, so they are sampled twice, each time by chances that are known, and what is kept stands
 * for the rest:
 *
 *   out: with a chance of 1 / weight the stack is sent. weight is period / wait expected, between 1
 *        and MAX_WEIGHT; expected is what waits of the thread at the same place (system call and
 *        stack pointer) have been like: the longest, which fades.
 *   in:  a wait of d stands for d × weight. Where that is less than the period it is kept with a
 *        chance of d × weight / period, and stands for a period.
 *
 * So the expected sum is that of all waits, however wrong the expectation is, long waits where
 * waits are long are exact, and a thread sends hardly more than a stack a period.
 */
#include "sample.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum { MAX_WEIGHT = 64, MAX_THREADS = 32768, PLACES = 16384, MAX_SKIPPED = 8 };

const volatile __u64 period_ns = 10000000;
/* The function that switches: what is called by it is the tracing of this. 0: not known. */
const volatile __u64 switch_start, switch_end;

__u32 skipped; /* frames of tracing; they are the same at every switch */

/*
 * Of threads that have waited. Made beforehand, as memory must not be asked for here: the queue of
 * runnable threads is locked, and whoever gets memory short wakes others.
 */
struct thread_waits {
	__u64 since_ns; /* 0: it does not wait */
	__u32 weight;	/* 0: its stack was not sent */
	__u32 tgid;
	__u32 place, tag;
};

/* Where threads wait, by a hash; of two at one index the later one stays. */
struct wait_place {
	__u32 tag;
	__u32 expected_ns; /* at most twice the period */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, __u32);
	__type(value, struct wait_place);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, __u32);
	__type(value, struct thread_waits);
} waits SEC(".maps");

static __always_inline void find_place(struct thread_waits *t, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 hash = (__u32)task->pid;

	hash = (hash ^ PT_REGS_IP(regs)) * 0x9E3779B97F4A7C15ULL;
	hash = (hash ^ hash >> 32 ^ PT_REGS_SP(regs)) * 0x9E3779B97F4A7C15ULL;
	t->place = hash >> 50; /* of PLACES */
	t->tag = (__u32)hash | 1;
}

static __always_inline __u32 choose_weight(const struct thread_waits *t)
{
	__u32 place = t->place;
	struct wait_place *p = bpf_map_lookup_elem(&places, &place);
	__u64 weight = 1;

	if (p && p->tag == t->tag && p->expected_ns)
		weight = period_ns / p->expected_ns;
	weight = weight < 1 ? 1 : weight > MAX_WEIGHT ? MAX_WEIGHT : weight;
	return weight == 1 || bpf_get_prandom_u32() % weight == 0 ? weight : 0;
}

/* Looks for the frames of tracing in the first stack. */
static __always_inline void calibrate(void *ctx)
{
	__u64 ips[MAX_SKIPPED] = {};

	if (skipped || !switch_start || bpf_get_stack(ctx, ips, sizeof(ips), 0) <= 0)
		return;
	for (__u32 i = 0; i < MAX_SKIPPED; i++)
		if (ips[i] >= switch_start && ips[i] < switch_end) {
			skipped = i;
			break;
		}
}

static __always_inline bool is_wanted(const struct task_struct *task)
{
	if (filter_targets)
		return is_target(task->tgid, session, 0);
	return task->tgid && !(task->flags & PF_KTHREAD);
}

/* The current thread is about to wait. */
static __always_inline void begin_wait(void *ctx, struct task_struct *task, __u64 now)
{
	__u32 tid = task->pid;
	struct thread_waits *t, none = {};
	struct unwind_walk *w;

	if (task->flags & PF_EXITING) {
		bpf_map_delete_elem(&waits, &tid);
		return;
	}
	t = bpf_map_lookup_elem(&waits, &tid);
	if (!t) {
		if (bpf_map_update_elem(&waits, &tid, &none, BPF_NOEXIST))
			count_loss(session, LOSS_NO_MEMORY);
		t = bpf_map_lookup_elem(&waits, &tid);
	}
	w = walk_of_this_cpu();
	if (!t || !w)
		return;
	t->since_ns = now;
	t->tgid = task->tgid;
	find_place(t, task);
	t->weight = choose_weight(t);
	if (!t->weight)
		return;
	calibrate(ctx);
	sample_python(task->tgid, now);
	w->kernel_skip = skipped & BPF_F_SKIP_FIELD_MASK;
	if (!send_sample(ctx, w, RECORD_WAIT, find_user_stack_of_task(ctx, w), now, t->weight))
		t->weight = 0;
}

static __always_inline void send_end(const struct thread_waits *t, __u32 tid, __u64 now)
{
	__u64 duration = now - t->since_ns, stands = duration * t->weight;
	struct record_wait_end r = {};

	if (stands < period_ns) {
		if (bpf_get_prandom_u32() % (__u32)period_ns >= (__u32)stands)
			stands = 0;
		else
			stands = period_ns;
	}
	set_header(&r.h, RECORD_WAIT_END, 0, session);
	r.pid = t->tgid;
	r.tid = tid;
	r.since_ns = t->since_ns;
	r.duration_ns = duration;
	r.total_ns = stands;
	if (bpf_ringbuf_output(&ring, &r, sizeof(r), wake_flags()))
		count_loss(session, LOSS_RING_SAMPLE);
}

static __always_inline void learn(const struct thread_waits *t, __u64 duration)
{
	__u32 place = t->place;
	struct wait_place *p = bpf_map_lookup_elem(&places, &place);
	__u64 expected = 0;

	if (!p)
		return;
	if (p->tag == t->tag)
		expected = p->expected_ns - p->expected_ns / 16;
	if (expected < duration)
		expected = duration;
	p->tag = t->tag;
	p->expected_ns = expected < 2 * period_ns ? expected : 2 * period_ns;
}

static __always_inline void end_wait(struct task_struct *task, __u64 now)
{
	__u32 tid = task->pid;
	struct thread_waits *t = bpf_map_lookup_elem(&waits, &tid);

	if (!t || !t->since_ns)
		return;
	learn(t, now - t->since_ns);
	if (t->weight)
		send_end(t, tid, now);
	t->since_ns = 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(offcpu_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();

	if (is_wanted(prev))
		begin_wait(ctx, prev, now);
	if (is_wanted(next))
		end_wait(next, now);
	return 0;
}
