/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record with the stacks of the current thread, and its Python frames before it. It is put
 * together in per-CPU memory, user stack first, and copied to the ring with the length it has:
 * only for programs that nothing of the same object interrupts.
 */
#ifndef SONDE_BPF_SAMPLE_H
#define SONDE_BPF_SAMPLE_H

#include "python.bpf.h"
#include "unwind.bpf.h"

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

static __always_inline struct unwind_walk *walk_of_this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

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

/* The user stack is in the walk already, of that many frames. False: the ring is full. */
static __always_inline bool send_sample(void *ctx, struct unwind_walk *w, __u16 kind, __u64 users,
					__u64 time_ns, __u32 weight)
{
	__u64 id = bpf_get_current_pid_tgid(), kernels = 0;
	struct record_sample *r = (struct record_sample *)w->words;
	long bytes;

	set_header(&r->h, kind, w->flags, session);
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->time_ns = time_ns;
	r->weight = weight;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bytes = bpf_get_stack(ctx, &w->words[STACK_HEADER_WORDS + users], STACK_BYTES,
			      w->kernel_skip);
	if (bytes > 0)
		kernels = (__u64)bytes / sizeof(__u64);
	asm volatile("%[n] &= 127" : [n] "+r"(kernels)); /* as of the user stack */
	if (users + kernels == 0)
		count_loss(session, LOSS_STACK);
	r->user_count = users;
	r->kernel_count = kernels;
	if (bpf_ringbuf_output(&ring, r,
			       sizeof(struct record_sample) + (users + kernels) * sizeof(__u64),
			       wake_flags()) == 0)
		return true;
	count_loss(session, LOSS_RING_SAMPLE);
	return false;
}

#endif
