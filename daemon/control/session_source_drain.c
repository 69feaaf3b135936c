/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What idle threads keep in their memory, read from there: a thread hands on its spans when one
 * ends, and the next one may be long in coming. The batch that has them comes later all the same:
 * its number says what is known of it.
 */
#include "control/session_source_private.h"

#include "control/proc.h"
#include "sonde/base/format.h"

enum { LONGEST_MS = 2000, ON_ITS_WAY_MS = 1000 };

/* The start of a block, up to the records. */
struct block_head {
	struct sonde_block_start {
		uint32_t magic;
		uint16_t version, flags;
		uint32_t size, pid, tid, generation, used, depth;
		uint64_t path, control, next, owner;
	} start;
	struct sonde_open open[SONDE_MAX_OPEN];
	struct sonde_batch batch;
};

_Static_assert(sizeof(struct block_head) ==
		       offsetof(struct sonde_block, batch) + sizeof(struct sonde_batch),
	       "the block of span/abi.h");

static bool read_head(uint32_t pid, uint64_t block, struct block_head *ret)
{
	return proc_read_memory(pid, block, ret, sizeof(*ret)) &&
	       ret->start.magic == SONDE_BLOCK_MAGIC && ret->start.version == SONDE_SPAN_VERSION &&
	       ret->start.used <= SONDE_BATCH_SIZE;
}

void session_sources_found(struct session *s, uint32_t pid, uint32_t tid, uint64_t block,
			   uint64_t time_ns)
{
	struct source_thread *t;
	struct block_head head;

	if (!read_head(pid, block, &head))
		return;
	t = session_sources_thread(s, pid, tid, head.start.control);
	if (!t)
		return;
	/* It was said before the thread's end was seen in its memory, which may have been read
	 * ahead of what comes now. */
	if (t->gone_ns && time_ns <= t->gone_ns)
		return;
	if (t->gone_ns)
		session_sources_begin_again(t);
	t->block = block;
	t->block_tid = head.start.tid;
	s->sources->last_file = t->file;
	session_sources_heard(s, t);
}

/* Threads leave their blocks when they end, to others. */
static bool is_of(const struct block_head *head, const struct source_thread *t)
{
	return head->start.control == t->control && head->start.owner &&
	       head->start.tid == t->block_tid &&
	       (head->start.pid != t->pid || head->start.tid == t->tid);
}

/* Whether there is something in the thread's block that has not been seen. */
static bool has_more(const struct source_thread *t, const struct block_head *head)
{
	if (head->start.used <= sizeof(head->batch) || head->batch.sequence <= t->sequence)
		return false;
	return head->batch.sequence != t->drained || head->start.used > t->drained_bytes;
}

/*
 * The batch before it is on its way still, and has the names that this one does without. What does
 * not come in a while is lost.
 */
static bool must_wait(struct source_thread *t, const struct block_head *head)
{
	uint64_t now = now_monotonic_ns();

	if (head->batch.sequence == t->sequence + 1) {
		t->ahead_ns = 0;
		return false;
	}
	if (!t->ahead_ns)
		t->ahead_ns = now;
	return now - t->ahead_ns < ON_ITS_WAY_MS * NSEC_PER_MSEC;
}

/*
 * Which calls of probed functions are around it: those that have ended have said so, but perhaps
 * not to the daemon yet, and those that are open are asked for. So that is read now, and taken the
 * next time.
 */
static bool must_look(struct session *s, struct source_thread *t, const struct block_head *head)
{
	if (!s->sources->mixed)
		return false;
	if (t->noted >> SOURCE_AT_SHIFT == head->batch.sequence)
		return session_sources_must_wait(t);
	session_sources_unnote(t);
	session_sources_note(s, t, source_at(head->batch.sequence, head->start.used));
	return true;
}

/* Whether something was found. all: what is on its way has come. */
static bool drain(struct session *s, struct source_thread *t, bool all)
{
	uint64_t bytes[SONDE_BATCH_SIZE / sizeof(uint64_t)];
	struct source_origin from = {.pid = t->pid, .tid = t->tid, .block = t->block};
	struct block_head head, after;
	struct sonde_batch *batch = (struct sonde_batch *)bytes;
	size_t used;

	if (!read_head(t->pid, t->block, &head) || !is_of(&head, t)) {
		session_sources_gone(s->sources, t, now_monotonic_ns());
		return false;
	}
	if (!has_more(t, &head) || (!all && must_wait(t, &head)))
		return false;
	if (!all && must_look(s, t, &head))
		return true;
	used = s->sources->mixed && !all ? t->noted & ((1 << SOURCE_AT_SHIFT) - 1)
					 : head.start.used;
	if (!proc_read_memory(t->pid, t->block + offsetof(struct sonde_block, batch), bytes,
			      used) ||
	    !read_head(t->pid, t->block, &after) || after.batch.sequence != head.batch.sequence ||
	    after.start.used < head.start.used)
		return false;
	/* As it lies there, it has not left. */
	batch->bytes = 0;
	batch->end = (struct sonde_anchor){};
	from.time_ns = now_monotonic_ns();
	from.open = head.open;
	from.n_open = MIN(head.start.depth, (uint32_t)SONDE_MAX_OPEN);
	session_sources_take(s, &from, bytes, used);
	session_sources_unnote(t);
	return true;
}

void session_sources_look(struct session *s)
{
	for (size_t i = 0; s->sources->mixed && i < s->sources->n_threads; i++) {
		struct source_thread *t = &s->sources->threads[i];
		struct block_head head;

		if (t->block && read_head(t->pid, t->block, &head) && is_of(&head, t) &&
		    has_more(t, &head))
			(void)must_look(s, t, &head);
	}
}

void session_sources_drain(struct session *s, bool all)
{
	uint64_t now = now_monotonic_ns();

	session_sources_forget(s);
	for (size_t i = 0; i < s->sources->n_threads; i++) {
		struct source_thread *t = &s->sources->threads[i];

		if (!t->block || (!all && now < t->heard_ns + t->idle_ns))
			continue;
		if (drain(s, t, all) || t->ahead_ns)
			continue;
		/* Most threads that say nothing will not soon. */
		t->heard_ns = now;
		t->idle_ns = MIN(2 * t->idle_ns, LONGEST_MS * NSEC_PER_MSEC);
	}
}
