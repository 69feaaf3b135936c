/* SPDX-License-Identifier: MIT */
/*
 * The process ends, or the library that has the spans is unloaded: what threads still have leaves.
 * Other threads may be running, and may be inside these functions, so no address is unmapped, and
 * memory is given back only of those that are outside and will not record any more. What they send
 * later repeats what was sent here for them, with the same sequence number.
 */
#ifndef SONDE_SPAN_FINISH_H
#define SONDE_SPAN_FINISH_H

#include <sys/auxv.h>
#include "open.h"

/* A program header, as the ELF specification has it: <elf.h> is not for everybody's programs. */
struct sonde_segment {
	sonde_u32 type, flags;
	sonde_u64 offset, vaddr, paddr, file_size, size, align;
};

/*
 * Whether the object is the program itself, which ends with the process: then no memory needs to
 * be given back, and nothing is asked of the kernel, whose filters of system calls may kill for it.
 */
SONDE_SLOW int sonde_is_program(void)
{
	enum { LOADED = 1, HEADERS = 6 };
	const struct sonde_segment *p = (const struct sonde_segment *)getauxval(AT_PHDR);
	unsigned long n = p ? getauxval(AT_PHNUM) : 0, bias = 0, i;
	unsigned long here = (unsigned long)&SONDE_SHARED(object);

	for (i = 0; i < n; i++)
		if (p[i].type == HEADERS)
			bias = (unsigned long)p - p[i].vaddr;
	for (i = 0; i < n; i++)
		if (p[i].type == LOADED && here - bias - p[i].vaddr < p[i].size)
			return 1;
	return 0;
}

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

/* What other threads have gathered leaves, by way of memory for a batch. */
__attribute__((no_sanitize("thread"))) SONDE_SLOW void
sonde_send_others(const struct sonde_thread *self, struct sonde_batch *copy)
{
	const struct sonde_thread *t;

	t = (struct sonde_thread *)__atomic_load_n(&SONDE_SHARED(object).threads, __ATOMIC_ACQUIRE);
	for (; t; t = (const struct sonde_thread *)t->block.next)
		if (t != self && !t->busy && sonde_copy_batch(t, copy))
			SONDE_SHARED(probe_batch)(copy, copy->bytes);
}

/* Everything that other threads have written by now is seen, and they see what was written here,
 * before they go on. Returns whether that is so. */
SONDE_SLOW int sonde_meet_threads(void)
{
	enum { EXPEDITED = 1 << 3, REGISTER_EXPEDITED = 1 << 4 };

	return sonde_syscall(SONDE_SYS_MEMBARRIER, REGISTER_EXPEDITED, 0, 0, 0) == 0 &&
	       sonde_syscall(SONDE_SYS_MEMBARRIER, EXPEDITED, 0, 0, 0) == 0;
}

/*
 * Gives back the memory of other threads. One that is recording is busy or has an open span. Any
 * other one makes itself busy and looks at the generation and the phase then, before it touches
 * anything else: so after all have been met, it is seen to be busy here, or sees that all is off.
 */
__attribute__((no_sanitize("thread"))) SONDE_SLOW void
sonde_wipe_others(const struct sonde_thread *self)
{
	struct sonde_thread *t, *next;

	t = (struct sonde_thread *)__atomic_load_n(&SONDE_SHARED(object).threads, __ATOMIC_ACQUIRE);
	if (!t || (t == self && !t->block.next))
		return;
	__atomic_fetch_add(&SONDE_SHARED(control).generation, 1, __ATOMIC_SEQ_CST);
	if (!sonde_meet_threads())
		return;
	for (; t; t = next) {
		next = (struct sonde_thread *)t->block.next;
		if (t != self && __atomic_load_n(&t->block.depth, __ATOMIC_ACQUIRE) == 0 &&
		    __atomic_load_n(&t->busy, __ATOMIC_ACQUIRE) == 0)
			sonde_wipe(t, sizeof(*t));
	}
}

/* The thread that ends the object, when it has a block that it is not just writing to: its last
 * records leave, and it stays busy. */
SONDE_SLOW struct sonde_thread *sonde_finish_self(void)
{
	struct sonde_thread *self = SONDE_SHARED(thread);

	if ((sonde_u64)self <= 1 || self->block.magic != SONDE_BLOCK_MAGIC || self->busy)
		return 0;
	sonde_set_busy(self);
	SONDE_SHARED(thread) = SONDE_NO_THREAD;
	sonde_end_open(self);
	sonde_send_batch(self);
	return self;
}

SONDE_STATIC_ASSERT(sizeof(struct sonde_thread) - SONDE_PAGE >= SONDE_BATCH_SIZE);

SONDE_SLOW void sonde_finish_object(int is_program)
{
	struct sonde_object *o = &SONDE_SHARED(object);
	struct sonde_thread *self;
	struct sonde_batch *copy;
	sonde_u32 key;

	if (__atomic_exchange_n(&o->phase, (sonde_u32)SONDE_OFF, __ATOMIC_ACQ_REL) != SONDE_READY)
		return;
	self = sonde_finish_self();
	if (sonde_interest() & SONDE_INTEREST_BATCH) {
		/* Its own memory is free now, but for the block's head, which others may read. */
		copy = self ? (struct sonde_batch *)(void *)((char *)self + SONDE_PAGE)
			    : (struct sonde_batch *)sonde_map(SONDE_BATCH_SIZE);
		if (copy)
			sonde_send_others(self, copy);
		if (copy && !self)
			sonde_syscall(SONDE_SYS_MUNMAP, (long)copy, SONDE_BATCH_SIZE, 0, 0);
	}
	key = __atomic_exchange_n(&o->thread_key, 0, __ATOMIC_ACQ_REL);
	if (key && key != SONDE_NO_KEY)
		pthread_key_delete((pthread_key_t)(key - 1));
	if (is_program)
		return;
	sonde_wipe_others(self);
	if (self)
		sonde_wipe(self, sizeof(*self));
}

/* Each translation unit has one, the first does it. */
__attribute__((destructor)) SONDE_SLOW void sonde_finish(void)
{
	sonde_finish_object(sonde_is_program());
}

#endif
