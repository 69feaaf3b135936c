/* SPDX-License-Identifier: MIT */
/*
 * The process ends, or the library that has the spans is unloaded: what threads still have leaves.
 * Other threads may be running, and may be inside these functions, so nothing of theirs is written
 * to, and no address is unmapped. What they send later repeats what was sent here for them, with
 * the same sequence number.
 */
#ifndef SONDE_SPAN_FINISH_H
#define SONDE_SPAN_FINISH_H

#include "open.h"

/* Reading what another thread may be writing: it is thrown away when it was. */
__attribute__((no_sanitize("thread"))) SONDE_SLOW int sonde_copy_batch(const struct sonde_thread *t,
								       struct sonde_batch *to)
{
	const volatile sonde_u64 *from = (const volatile sonde_u64 *)(const void *)&t->block.batch;
	sonde_u64 sequence = __atomic_load_n(&t->block.batch.sequence, __ATOMIC_ACQUIRE);
	sonde_u32 used = __atomic_load_n(&t->block.used, __ATOMIC_ACQUIRE), i;

	if (t->block.magic != SONDE_BLOCK_MAGIC || used <= sizeof(*to) || used > SONDE_BATCH_SIZE)
		return 0;
	for (i = 0; i < used / 8; i++)
		((sonde_u64 *)(void *)to)[i] = from[i];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (sequence != __atomic_load_n(&t->block.batch.sequence, __ATOMIC_RELAXED) ||
	    used > __atomic_load_n(&t->block.used, __ATOMIC_RELAXED))
		return 0;
	to->bytes = used;
	to->flags |= SONDE_BATCH_EXIT;
	for (i = 0; i < SONDE_DROPPED_COUNT; i++)
		to->dropped[i] = t->dropped[i];
	to->end = sonde_take_anchor();
	return 1;
}

__attribute__((no_sanitize("thread"))) SONDE_SLOW void
sonde_finish_others(struct sonde_thread *self, struct sonde_batch *copy)
{
	struct sonde_thread *t, *next;
	sonde_u64 interest = sonde_interest();

	t = (struct sonde_thread *)__atomic_load_n(&SONDE_SHARED(object).threads, __ATOMIC_ACQUIRE);
	for (; t; t = next) {
		next = (struct sonde_thread *)t->block.next;
		if (t == self || t->busy)
			continue;
		if (interest & SONDE_INTEREST_BATCH && copy && sonde_copy_batch(t, copy))
			SONDE_SHARED(probe_batch)(copy, copy->bytes);
		/* Should it run on, it finds nothing there and that all is off. */
		if (!t->busy && t->block.depth == 0)
			sonde_wipe(t, sizeof(*t));
	}
}

/* Each translation unit has one, the first does it. */
__attribute__((destructor)) SONDE_SLOW void sonde_finish(void)
{
	struct sonde_object *o = &SONDE_SHARED(object);
	struct sonde_thread *self = SONDE_SHARED(thread);
	sonde_u32 key;
	void *copy;

	if (__atomic_exchange_n(&o->phase, (sonde_u32)SONDE_OFF, __ATOMIC_ACQ_REL) != SONDE_READY)
		return;
	if (self == SONDE_NO_THREAD || (self && self->block.magic != SONDE_BLOCK_MAGIC))
		self = 0;
	if (self && !self->busy) {
		sonde_set_busy(self);
		sonde_end_open(self);
		sonde_send_batch(self);
		sonde_clear_busy(self);
	}
	copy = sonde_map(SONDE_BATCH_SIZE);
	sonde_finish_others(self, (struct sonde_batch *)copy);
	if (copy)
		sonde_syscall(SONDE_SYS_MUNMAP, (long)copy, SONDE_BATCH_SIZE, 0, 0);
	key = __atomic_exchange_n(&o->thread_key, 0, __ATOMIC_ACQ_REL);
	if (key)
		pthread_key_delete((pthread_key_t)(key - 1));
	if (self && !self->busy) {
		SONDE_SHARED(thread) = SONDE_NO_THREAD;
		sonde_wipe(self, sizeof(*self));
	}
}

#endif
