// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPU samples: a cpu-clock perf event on each CPU runs this, loaded once a session. The record is
 * put together in per-CPU memory, user stack first, and copied to the ring with the length it has.
 */
#include "python.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 session; /* slot */
const volatile bool filter_targets;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_walk);
} python_walks SEC(".maps");

static __always_inline void sample_python(__u32 tgid, __u64 time_ns)
{
	const struct python_process *process = python_of(tgid);
	__u32 zero = 0;
	struct python_walk *w;

	if (!process)
		return;
	w = bpf_map_lookup_elem(&python_walks, &zero);
	if (w)
		send_python_stack(w, process, session, time_ns);
}

SEC("perf_event")
int sample_cpu(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32, zero = 0;
	struct unwind_walk *w;
	struct record_sample *r;
	__u64 users, kernels = 0, now = bpf_ktime_get_ns();
	long bytes;

	if (tgid == 0 || (filter_targets && !is_target(tgid, session, 0)))
		return 0;
	w = bpf_map_lookup_elem(&walks, &zero);
	if (!w)
		return 0;
	sample_python(tgid, now);
	users = find_user_stack(ctx, w);
	r = (struct record_sample *)w->words;
	set_header(&r->h, RECORD_SAMPLE, w->flags, session);
	r->pid = tgid;
	r->tid = (__u32)id;
	r->time_ns = now;
	r->pad = 0;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bytes = bpf_get_stack(ctx, &w->words[STACK_HEADER_WORDS + users], STACK_BYTES, 0);
	if (bytes > 0)
		kernels = (__u64)bytes / sizeof(__u64);
	asm volatile("%[n] &= 127" : [n] "+r"(kernels)); /* as of the user stack */
	if (users + kernels == 0)
		count_loss(session, LOSS_STACK);
	r->user_count = users;
	r->kernel_count = kernels;
	if (bpf_ringbuf_output(&ring, r,
			       sizeof(struct record_sample) + (users + kernels) * sizeof(__u64),
			       wake_flags()))
		count_loss(session, LOSS_RING_SAMPLE);
	return 0;
}
