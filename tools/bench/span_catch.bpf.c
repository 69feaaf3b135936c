/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The least that has all of a batch (or of a span in simple mode): a copy into a ring buffer. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SONDE_SPAN_ABI_ONLY
#include <sonde/span.h>

/* Room for a span without fields. */
enum { SIMPLE_SIZE = 256 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring SEC(".maps");

__u64 lost;

/* No wakeup: the other side looks by itself. */
static __always_inline void copy(const void *from, __u64 bytes, __u64 room)
{
	void *to = bpf_ringbuf_reserve(&ring, room, 0);

	if (!to) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	if (bytes > room)
		bytes = room;
	bpf_probe_read_user(to, bytes, from);
	bpf_ringbuf_submit(to, BPF_RB_NO_WAKEUP);
}

SEC("uprobe")
int batch(struct pt_regs *ctx)
{
	copy((const void *)PT_REGS_PARM1(ctx), (__u32)PT_REGS_PARM2(ctx), SONDE_BATCH_SIZE);
	return 0;
}

SEC("uprobe")
int span(struct pt_regs *ctx)
{
	copy((const void *)PT_REGS_PARM5(ctx), (__u32)ctx->r9, SIMPLE_SIZE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
