/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics by probe, kept in the kernel: for sessions that ask for nothing else. The layout is
 * shared with daemon/collect/span_program.c.
 */
#ifndef SONDE_BPF_STATS_H
#define SONDE_BPF_STATS_H

#include "sonde/hist.h"
#include "sonde/kernel_stat.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* the daemon sets the number of probes */
	__type(key, __u32);
	__type(value, struct kernel_stat);
} stats SEC(".maps");

/* Atomic although per CPU: uprobe programs can be preempted by each other. */
static __always_inline void stats_add(__u32 probe, __u64 duration, bool error)
{
	struct kernel_stat *st = bpf_map_lookup_elem(&stats, &probe);
	__u64 bucket;

	if (!st)
		return;
	__sync_fetch_and_add(&st->total_ns, duration);
	if (error)
		__sync_fetch_and_add(&st->errors, 1);
	if (duration > st->max_ns)
		st->max_ns = duration;
	bucket = hist_bucket(duration);
	/* The compiler knows that it is in bounds and would drop the check; the verifier does not.
	 */
	asm volatile("" : "+r"(bucket));
	if (bucket < HIST_BUCKETS)
		__sync_fetch_and_add(&st->buckets[bucket], 1);
}

#endif
