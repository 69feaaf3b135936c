/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans written in source code (sonde/span.h). A thread gathers them in a block of its own memory
 * and hands on a batch at a time by passing a static probe: it is copied from there right into the
 * ring, in one of three sizes, as the ring wants to know how much before. Where the block is has
 * been said by another probe, so that what a thread leaves behind can be read when it ends: that
 * works where the exit tracepoint comes before the address space goes (since Linux 6.16), and
 * reads nothing elsewhere. The same is done where it executes another program (since 6.10).
 *
 * Nothing is taken for granted of what is in a program's memory: the daemon looks at it, and here
 * only sizes count.
 */
#ifndef SONDE_BPF_SPAN_SOURCE_H
#define SONDE_BPF_SPAN_SOURCE_H

#include "span_mixed.bpf.h"

_Static_assert(RECORD_SOURCE_BYTES == SONDE_BATCH_SIZE, "a batch fits into a record");
_Static_assert(RECORD_SOURCE_OPEN == sizeof(struct sonde_open), "so do open spans");
_Static_assert(RECORD_MAX_OPEN == SONDE_MAX_OPEN, "all of them");

/* Batches in the ring: the sizes that are reserved. Larger than what is in them by any rounding. */
enum {
	SOURCE_SMALL = 1024,
	SOURCE_MIDDLE = 4096,
	SOURCE_LARGE = RECORD_SOURCE_BYTES,
	SOURCE_OPEN_BYTES = RECORD_MAX_OPEN * RECORD_SOURCE_OPEN,
	SOURCE_SINGLE = 5120, /* bytes of a batch of one span, and the sites and keys it needs */
	/* Of one that has few fields or none, and as many open spans as there mostly are. */
	SOURCE_SINGLE_SMALL = 256,
	SOURCE_SMALL_OPEN = 4,
};

/* A record of the simple mode in the making. */
struct source_single {
	__u8 bytes[sizeof(struct record_source) + SOURCE_SINGLE + SOURCE_OPEN_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct source_single);
} source_singles SEC(".maps");

/* What a record of a batch begins with. */
static __always_inline void source_begin(struct record_source *r, __u16 flags, __u64 block,
					 __u32 bytes)
{
	__u64 id = bpf_get_current_pid_tgid();

	set_header(&r->h, RECORD_SOURCE, flags, session);
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->time_ns = bpf_ktime_get_ns();
	r->block = block;
	r->bytes = bytes;
	r->n_open = 0;
}

/* Copies the open spans of a block behind the batch, whose place the verifier must be sure of: that
 * there is room for so many bytes of a batch and the most open spans. */
static __always_inline void source_open(struct record_source *r, __u64 at, __u64 room, __u64 block,
					__u32 depth, __u32 most)
{
	__u64 n = depth < most ? depth : most;

	at = (at + 7) & ~7ULL;
	asm volatile("" : "+r"(n), "+r"(at));
	if (n == 0 || n > most || at > room)
		return;
	if (bpf_probe_read_user(r->data + at, n * RECORD_SOURCE_OPEN,
				(void *)(block + offsetof(struct sonde_block, open))) == 0)
		r->n_open = n;
}

/* How many records a batch has that is lost, for it is not known how many of them are spans. */
static __always_inline void lose_batch(__u64 batch)
{
	__u32 n = 0;

	if (bpf_probe_read_user(&n, sizeof(n),
				(void *)(batch + offsetof(struct sonde_batch, n_records))) == 0 &&
	    n <= SONDE_BATCH_SIZE / sizeof(struct sonde_record_span))
		count_losses(session, LOSS_RING_SPAN, n);
	else
		count_loss(session, LOSS_BATCH);
}

/* As wake_flags(), for records that may step over its mark. */
static __always_inline __u64 source_wake_flags(void)
{
	__u64 unread = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	if (unread >= WAKE_BYTES && (unread & (WAKE_BYTES - 1)) < 2 * RECORD_SOURCE_BYTES)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* What is to be sent. */
struct source_batch {
	__u64 batch, block; /* addresses; block 0: open spans are not known */
	__u32 bytes, depth, flags, pad;
};

#define SEND_SOURCE(name, room)                                                                    \
	__noinline int name(const struct source_batch *what)                                       \
	{                                                                                          \
		struct record_source *r;                                                           \
		__u64 bytes;                                                                       \
                                                                                                   \
		if (!what)                                                                         \
			return 0;                                                                  \
		bytes = what->bytes;                                                               \
		asm volatile("" : "+r"(bytes));                                                    \
		if (bytes > (room))                                                                \
			return 0;                                                                  \
		r = bpf_ringbuf_reserve(&ring, sizeof(*r) + (room) + SOURCE_OPEN_BYTES, 0);        \
		if (!r) {                                                                          \
			lose_batch(what->batch);                                                   \
			return 0;                                                                  \
		}                                                                                  \
		source_begin(r, what->flags, what->block, bytes);                                  \
		if (bpf_probe_read_user(r->data, bytes, (void *)what->batch)) {                    \
			bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);                                  \
			count_loss(session, LOSS_BATCH);                                           \
			return 0;                                                                  \
		}                                                                                  \
		if (what->block)                                                                   \
			source_open(r, bytes, (room), what->block, what->depth, RECORD_MAX_OPEN);  \
		bpf_ringbuf_submit(r, source_wake_flags());                                        \
		return 0;                                                                          \
	}

SEND_SOURCE(send_small, SOURCE_SMALL)
SEND_SOURCE(send_middle, SOURCE_MIDDLE)
SEND_SOURCE(send_large, SOURCE_LARGE)

static __always_inline void send_source(const struct source_batch *what)
{
	if (what->bytes < sizeof(struct sonde_batch) || what->bytes > SONDE_BATCH_SIZE)
		count_loss(session, LOSS_BATCH);
	else if (what->bytes <= SOURCE_SMALL)
		send_small(what);
	else if (what->bytes <= SOURCE_MIDDLE)
		send_middle(what);
	else
		send_large(what);
}

/* Calls that are open say what they have of the batch, which comes behind that. */
static __always_inline void tell_calls(const struct source_batch *what)
{
	__u64 sequence = 0;

	if (in_sources && bpf_probe_read_user(&sequence, sizeof(sequence),
					      (void *)(what->batch + offsetof(struct sonde_batch,
									      sequence))) == 0)
		source_batch_leaves(what->block, sequence, what->bytes);
}

SEC("uprobe")
int source_batch(struct pt_regs *ctx)
{
	struct source_batch what = {.batch = PT_REGS_PARM1(ctx), .bytes = PT_REGS_PARM2(ctx)};
	__u64 block = what.batch - offsetof(struct sonde_block, batch);
	struct source_block b;

	if (!is_followed())
		return 0;
	/* Batches leave from the block they were gathered in. */
	if (read_block(block, &b)) {
		what.block = block;
		what.depth = b.depth;
		tell_calls(&what);
	}
	send_source(&what);
	return 0;
}

SEC("uprobe")
int source_thread(struct pt_regs *ctx)
{
	__u64 address = PT_REGS_PARM1(ctx), place = SOURCE_COPIES - 1;
	struct record_source *r;
	struct source_thread *t;
	struct source_block b;

	if (!is_followed() || !read_block(address, &b))
		return 0;
	t = bpf_task_storage_get(&source_threads, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	for (int i = SOURCE_COPIES - 1; i >= 0; i--)
		if (!t->of[i].block)
			place = i;
	for (int i = 0; i < SOURCE_COPIES; i++)
		if (t->of[i].control == b.control)
			place = i;
	asm volatile("%[p] &= 3" : [p] "+r"(place));
	t->of[place].block = address;
	t->of[place].control = b.control;
	t->of[place].tid = b.tid;
	bpf_probe_read_user(&t->of[place].sequence, sizeof(t->of[place].sequence),
			    (void *)(address + offsetof(struct sonde_block, batch.sequence)));
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_loss(session, LOSS_RING_EVENT);
		return 0;
	}
	source_begin(r, 0, address, 0);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* The block that a batch of the simple mode comes from: that of the same object. */
static __always_inline __u64 block_of_single(__u64 batch, struct source_block *ret)
{
	struct source_thread *t =
		bpf_task_storage_get(&source_threads, bpf_get_current_task_btf(), NULL, 0);
	__u64 control = 0;

	if (!t || bpf_probe_read_user(&control, sizeof(control),
				      (void *)(batch + offsetof(struct sonde_batch, control))))
		return 0;
	for (int i = 0; i < SOURCE_COPIES; i++)
		if (t->of[i].control == control && read_own(t, i, ret))
			return t->of[i].block;
	return 0;
}

/* Most of them: right into the ring, as what they take at most is little. */
static __always_inline void send_single_small(__u64 batch, __u64 bytes, __u64 block, __u32 depth)
{
	enum { ROOM = SOURCE_SINGLE_SMALL + SOURCE_SMALL_OPEN * RECORD_SOURCE_OPEN };
	struct record_source *r = bpf_ringbuf_reserve(&ring, sizeof(*r) + ROOM, 0);

	if (!r) {
		count_loss(session, LOSS_RING_SPAN);
		return;
	}
	source_begin(r, 0, block, bytes);
	if (bpf_probe_read_user(r->data, bytes, (void *)batch)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		count_loss(session, LOSS_BATCH);
		return;
	}
	if (block)
		source_open(r, bytes, SOURCE_SINGLE_SMALL, block, depth, SOURCE_SMALL_OPEN);
	bpf_ringbuf_submit(r, wake_flags());
}

/* The simple mode: a span, an instant or a counter is a batch of its own. */
static __always_inline int send_single(struct pt_regs *ctx, __u64 batch, __u64 bytes)
{
	struct source_single *s;
	struct record_source *r;
	struct source_block b = {};
	__u64 block, size;

	if (!is_followed())
		return 0;
	block = block_of_single(batch, &b);
	if (in_sources && block)
		source_single_leaves(b.control);
	asm volatile("" : "+r"(bytes));
	if (bytes <= SOURCE_SINGLE_SMALL && b.depth <= SOURCE_SMALL_OPEN &&
	    bytes >= sizeof(struct sonde_batch)) {
		send_single_small(batch, bytes, block, b.depth);
		return 0;
	}
	s = bpf_task_storage_get(&source_singles, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!s) {
		count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	r = (struct record_source *)s->bytes;
	if (bytes < sizeof(struct sonde_batch) || bytes > SOURCE_SINGLE ||
	    bpf_probe_read_user(r->data, bytes, (void *)batch)) {
		count_loss(session, LOSS_BATCH);
		return 0;
	}
	source_begin(r, 0, block, bytes);
	if (block)
		source_open(r, bytes, SOURCE_SINGLE, block, b.depth, RECORD_MAX_OPEN);
	size = sizeof(*r) + ((bytes + 7) & ~7ULL) + (__u64)r->n_open * RECORD_SOURCE_OPEN;
	asm volatile("" : "+r"(size));
	if (size > sizeof(*s))
		return 0;
	if (bpf_ringbuf_output(&ring, s, size, wake_flags()))
		count_loss(session, LOSS_RING_SPAN);
	return 0;
}

/* span and event have the batch and its size in the same registers. */
SEC("uprobe")
int source_single(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return send_single(ctx, ctx->r8, (__u32)ctx->r9);
#else
	const volatile struct user_pt_regs *regs = (void *)ctx;

	return send_single(ctx, regs->regs[4], (__u32)regs->regs[5]);
#endif
}

/* What a thread that ends has not sent, and what is open still. */
static __always_inline void send_rest(const struct source_thread *t, int i)
{
	const __u64 block = t->of[i].block;
	struct source_batch what = {.batch = block + offsetof(struct sonde_block, batch),
				    .block = block,
				    .flags = SOURCE_ENDED};
	struct source_block b;

	if (!read_own(t, i, &b) || (b.used <= sizeof(struct sonde_batch) && !b.depth))
		return;
	what.bytes = b.used;
	/* The header says what clock the open spans have begun by. */
	if (what.bytes < sizeof(struct sonde_batch))
		what.bytes = sizeof(struct sonde_batch);
	what.depth = b.depth;
	tell_calls(&what);
	send_source(&what);
}

static __always_inline int send_rests(struct task_struct *task)
{
	struct source_thread *t = bpf_task_storage_get(&source_threads, task, NULL, 0);

	if (!t || !active)
		return 0;
	for (int i = 0; i < SOURCE_COPIES; i++) {
		if (t->of[i].block)
			send_rest(t, i);
		t->of[i].block = t->of[i].control = 0;
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(source_exit, struct task_struct *task)
{
	return send_rests(task);
}

/* Since Linux 6.10: another program is about to take the place of the one that has the blocks. */
SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(source_exec, struct task_struct *task)
{
	return send_rests(task);
}

#endif
