/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all programs share. The daemon loads process.bpf.c first and gives its three maps to every
 * other object (bpf_map__reuse_fd), so that there is one ring buffer, one table of counters and
 * one table of targets for all sessions.
 */
#ifndef SONDE_BPF_COMMON_H
#define SONDE_BPF_COMMON_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "sonde/record.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24); /* the daemon may set another size */
} ring SEC(".maps");

/* Row of a session: LOSS_COUNTERS counters from slot × LOSS_COUNTERS on. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORD_MAX_SESSIONS *LOSS_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* The processes that sessions with a selector are about: a bit a session slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

static __always_inline void count_losses(__u32 slot, __u32 kind, __u64 n)
{
	__u32 key = slot * LOSS_COUNTERS + kind;
	__u64 *counter = bpf_map_lookup_elem(&losses, &key);

	/* Atomic although per CPU: uprobe programs can be preempted by each other. */
	if (counter)
		__sync_fetch_and_add(counter, n);
}

static __always_inline void count_loss(__u32 slot, __u32 kind)
{
	count_losses(slot, kind, 1);
}

/* first: a process that is one for certain, 0 for none; most sessions have no other. */
static __always_inline bool is_target(__u32 tgid, __u32 slot, __u32 first)
{
	__u64 *mask;

	if (first && tgid == first)
		return true;
	mask = bpf_map_lookup_elem(&targets, &tgid);
	return mask && (*mask >> slot & 1);
}

static __always_inline void set_header(struct record_header *h, __u16 kind, __u16 flags, __u16 slot)
{
	h->kind = kind;
	h->flags = flags;
	h->session = slot;
	h->cpu = bpf_get_smp_processor_id();
}

/* A return value that is an error by the session's rule. */
static __always_inline bool is_error(__u64 ret, bool null_is_error)
{
	if (null_is_error)
		return ret == 0;
	/* A negative int leaves the upper half of the register zero (x86-64) or undefined. */
	return (__s64)ret < 0 || (ret >> 32 == 0 && (__s32)ret < 0);
}

/*
 * No wakeup a record: the daemon drains by timer. Only a burst that crosses another megabyte of
 * unread data wakes it early.
 */
enum { WAKE_BYTES = 1 << 20, WAKE_SLACK = 256 };

static __always_inline __u64 wake_flags(void)
{
	__u64 unread = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	if (unread >= WAKE_BYTES && (unread & (WAKE_BYTES - 1)) < WAKE_SLACK)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
