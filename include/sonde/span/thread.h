/* SPDX-License-Identifier: MIT */
/*
 * What a thread keeps for a linked object: its block, how it comes, how batches leave it, how it
 * goes. Only the thread itself writes to it. A signal handler that finds it busy records nothing.
 *
 * Blocks are in a list that only grows; threads that end leave theirs to those that come. After a
 * fork() the child finds all of them zeroed, and begins a list of its own.
 */
#ifndef SONDE_SPAN_THREAD_H
#define SONDE_SPAN_THREAD_H

#include <pthread.h>
#include "rules.h"

enum {
	SONDE_KNOWN_SITES = 256,
	SONDE_KNOWN_KEYS = 64,
	SONDE_ARENA_SIZE = 4096,  /* fields of open spans */
	SONDE_SIMPLE_SIZE = 5120, /* a batch of one record, with all that it needs */
	SONDE_PAGE = 4096	  /* at most what a page of this machine has, or less: see below */
};

/* What has been said about a span; mostly nothing. */
struct sonde_said {
	sonde_u16 n_fields;
	sonde_u8 flags; /* enum sonde_record_flags */
	sonde_u8 reserved;
};

/* What there is about an open span besides struct sonde_open. */
struct sonde_more {
	struct sonde_site *site;
	sonde_i64 error;
	sonde_u32 fields; /* where they begin in the arena */
	struct sonde_said said;
	struct sonde_trace trace;
};

struct sonde_thread {
	struct sonde_block block; /* next: the thread after it; owner: tid, 0 when free */
	sonde_u32 busy;
	sonde_u32 wanted; /* sonde_verdict() of wanted sites in the block's generation */
	/* Its complement where spans may begin and end by the short ways of open.h. 0: not, and in
	 * the child of a fork(). */
	sonde_u32 short_way;
	sonde_u32 reserved;
	sonde_u64 threshold; /* ticks */
	sonde_i64 flush;     /* likewise; below anything where every batch is old enough */
	sonde_u64 threshold_ns;
	double ns_per_tick;
	struct sonde_anchor first;  /* when the thread began to record */
	struct sonde_anchor anchor; /* of times in simple mode */
	sonde_u32 arena_used;
	sonde_u32 simple_used;
	const void *exceptions; /* C++: where the thread's are counted; NULL: not asked yet */
	sonde_u64 random;	/* state of the generator of ids; 0: not seeded */
	sonde_u32 dropped[SONDE_DROPPED_COUNT];
	struct sonde_more more[SONDE_MAX_OPEN];
	sonde_u64 known_sites[SONDE_KNOWN_SITES]; /* sent in this generation, by hash */
	sonde_u64 known_keys[SONDE_KNOWN_KEYS];
	union {
		sonde_u8 bytes[SONDE_ARENA_SIZE];
		sonde_u64 align;
	} arena;
	union {
		struct sonde_batch batch;
		sonde_u8 bytes[SONDE_SIMPLE_SIZE];
	} simple;
};

#ifdef __cplusplus
extern "C" {
#endif
/*
 * NULL: none yet; SONDE_NO_THREAD: being made, or there can be none. One word in the static TLS
 * that the dynamic loader has room in for libraries loaded late: no call, and no allocation when
 * a signal handler is the first to ask.
 */
#ifndef SONDE_TLS_MODEL
#if defined(__GLIBC__)
#define SONDE_TLS_MODEL __attribute__((tls_model("initial-exec")))
#else
#define SONDE_TLS_MODEL
#endif
#endif
extern __thread struct sonde_thread *SONDE_SHARED(thread) SONDE_HIDDEN SONDE_TLS_MODEL;
__attribute__((weak)) __thread struct sonde_thread *SONDE_SHARED(thread) SONDE_TLS_MODEL;
#ifdef __cplusplus
}
#endif
#define SONDE_NO_THREAD ((struct sonde_thread *)1)

SONDE_FAST sonde_u64 sonde_ticks(void)
{
	if (SONDE_UNLIKELY(SONDE_SHARED(object).ticks_are_ns))
		return sonde_clock_ns();
	return sonde_counter();
}

/* Spans that are open and known. */
SONDE_FAST sonde_u32 sonde_known_depth(const struct sonde_thread *t)
{
	return t->block.depth < SONDE_MAX_OPEN ? t->block.depth : (sonde_u32)SONDE_MAX_OPEN;
}

/* The compiler keeps what is between them there, which is all that handlers need. Whether there
 * is anything to be written at all is asked in between, see sonde_wipe_others(). */
SONDE_FAST void sonde_set_busy(struct sonde_thread *t)
{
	__atomic_store_n(&t->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

SONDE_FAST void sonde_clear_busy(struct sonde_thread *t)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&t->busy, 0, __ATOMIC_RELEASE);
}

SONDE_SLOW void sonde_drop(struct sonde_thread *t, enum sonde_dropped why)
{
	__atomic_fetch_add(&t->dropped[why], 1, __ATOMIC_RELAXED);
}

SONDE_SLOW struct sonde_anchor sonde_take_anchor(void)
{
	struct sonde_anchor a;

	a.ticks = sonde_ticks();
	a.ns = SONDE_SHARED(object).ticks_are_ns ? a.ticks : sonde_clock_ns();
	return a;
}

/* Of two readings, one that was not interrupted. */
SONDE_SLOW struct sonde_anchor sonde_take_good_anchor(void)
{
	struct sonde_anchor best = sonde_take_anchor(), next;
	sonde_u64 took = ~(sonde_u64)0;
	int i;

	for (i = 0; i < 4; i++) {
		next = sonde_take_anchor();
		if (sonde_ticks() - next.ticks < took) {
			took = sonde_ticks() - next.ticks;
			best = next;
		}
	}
	return best;
}

/* The rate of the ticks, to a thousandth: threads know it better with time. */
SONDE_SLOW double sonde_measure_ticks(void)
{
	enum { LONG_ENOUGH_NS = 20000 };
	struct sonde_anchor from, to;

	if (!sonde_ticks_are_good()) {
		SONDE_SHARED(object).ticks_are_ns = 1;
		return 1;
	}
	from = sonde_take_good_anchor();
	do {
		to = sonde_take_good_anchor();
	} while (to.ns - from.ns < LONG_ENOUGH_NS);
	return (double)(to.ns - from.ns) / (double)(to.ticks - from.ticks);
}

/* ns as ticks, at most half of what a number holds. */
SONDE_SLOW sonde_u64 sonde_to_ticks(const struct sonde_thread *t, sonde_u64 ns)
{
	double ticks = (double)ns / t->ns_per_tick;

	return ticks < 9e18 ? (sonde_u64)ticks : 9000000000000000000U;
}

/* What is the same for all batches of a thread in a generation. */
SONDE_SLOW void sonde_init_batch(const struct sonde_thread *t, struct sonde_batch *b,
				 sonde_u32 flags)
{
	b->magic = SONDE_BATCH_MAGIC;
	b->version = SONDE_SPAN_VERSION;
	if (SONDE_SHARED(object).ticks_are_ns)
		flags |= SONDE_BATCH_NS;
	b->flags = (sonde_u16)flags;
	b->pid = t->block.pid;
	b->tid = t->block.tid;
	b->control = t->block.control;
	b->generation = t->block.generation;
	b->first = t->first;
}

/* Takes over what the control says, and again when it has changed while that was read. */
SONDE_SLOW void sonde_take_settings(struct sonde_thread *t)
{
	const struct sonde_object *o = &SONDE_SHARED(object);
	const struct sonde_control *c = &SONDE_SHARED(control);
	sonde_u64 flush_ms;
	sonde_u32 generation;

	do {
		generation = __atomic_load_n(&c->generation, __ATOMIC_ACQUIRE);
		t->threshold_ns = generation ? c->threshold_ns : o->threshold_ns;
		flush_ms = generation && c->flush_ms ? c->flush_ms : o->flush_ms;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (generation != __atomic_load_n(&c->generation, __ATOMIC_RELAXED));
	t->threshold = sonde_to_ticks(t, t->threshold_ns);
	t->flush = flush_ms ? (sonde_i64)sonde_to_ticks(t, flush_ms * 1000000)
			    : -1 - (sonde_i64)(~0ULL >> 1);
	t->wanted = sonde_verdict(generation, 1);
	t->short_way = o->ticks_are_ns ? 0 : ~t->wanted;
	__builtin_memset(t->known_sites, 0, sizeof(t->known_sites));
	__builtin_memset(t->known_keys, 0, sizeof(t->known_keys));
	t->block.generation = generation;
	__builtin_memset(&t->simple.batch, 0, sizeof(t->simple.batch));
	sonde_init_batch(t, &t->simple.batch, SONDE_BATCH_SIMPLE);
}

SONDE_FAST int sonde_is_stale(const struct sonde_thread *t)
{
	return t->block.magic != SONDE_BLOCK_MAGIC ||
	       t->block.generation !=
		       __atomic_load_n(&SONDE_SHARED(control).generation, __ATOMIC_RELAXED);
}

/* Begins a batch when none has begun. */
SONDE_SLOW void sonde_begin_batch(struct sonde_thread *t)
{
	struct sonde_batch *b = &t->block.batch;

	sonde_init_batch(t, b, 0);
	b->bytes = b->n_records = 0;
	b->begin = sonde_take_anchor();
	b->end.ticks = b->end.ns = 0;
	__builtin_memset(b->dropped, 0, sizeof(b->dropped));
	__atomic_store_n(&t->block.used, (sonde_u32)sizeof(*b), __ATOMIC_RELEASE);
}

/* With each anchor the rate is known better, as the first one is longer ago; unless one of the
 * clocks has stood still since then, as they do while a machine sleeps or is moved. */
SONDE_SLOW void sonde_learn_rate(struct sonde_thread *t, const struct sonde_anchor *now)
{
	double rate;

	t->anchor = *now;
	if (now->ns - t->first.ns < 1000000 || now->ticks <= t->first.ticks)
		return;
	rate = (double)(now->ns - t->first.ns) / (double)(now->ticks - t->first.ticks);
	if (rate < t->ns_per_tick * 0.99 || rate > t->ns_per_tick * 1.01) {
		t->first = t->simple.batch.first = *now;
		return;
	}
	t->ns_per_tick = rate;
	t->threshold = sonde_to_ticks(t, t->threshold_ns);
}

SONDE_SLOW void sonde_take_dropped(struct sonde_thread *t, struct sonde_batch *b)
{
	sonde_u32 *of_others = SONDE_SHARED(object).dropped;
	int i;

	for (i = 0; i < SONDE_DROPPED_COUNT; i++) {
		b->dropped[i] = 0;
		if (__atomic_load_n(&t->dropped[i], __ATOMIC_RELAXED))
			b->dropped[i] = __atomic_exchange_n(&t->dropped[i], 0, __ATOMIC_RELAXED);
		if (__atomic_load_n(&of_others[i], __ATOMIC_RELAXED))
			b->dropped[i] += __atomic_exchange_n(&of_others[i], 0, __ATOMIC_RELAXED);
	}
}

/* What was not said while the thread lived is said by another one. */
SONDE_SLOW void sonde_leave_dropped(const struct sonde_thread *t)
{
	int i;

	for (i = 0; i < SONDE_DROPPED_COUNT; i++)
		if (t->dropped[i])
			__atomic_fetch_add(&SONDE_SHARED(object).dropped[i], t->dropped[i],
					   __ATOMIC_RELAXED);
}

/* The batch leaves, when there is one. The thread is busy. */
SONDE_SLOW void sonde_send_batch(struct sonde_thread *t)
{
	struct sonde_batch *b = &t->block.batch;

	if (t->block.used <= sizeof(*b))
		return;
	b->bytes = t->block.used;
	b->end = sonde_take_anchor();
	sonde_take_dropped(t, b);
	sonde_learn_rate(t, &b->end);
	SONDE_SHARED(probe_batch)(b, b->bytes);
	__atomic_store_n(&t->block.used, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&b->sequence, b->sequence + 1, __ATOMIC_RELEASE);
}

/* Whether the batch is old enough to leave; it may have begun after now. */
SONDE_FAST int sonde_is_due(const struct sonde_thread *t, sonde_u64 now)
{
	return (sonde_i64)(now - t->block.batch.begin.ticks) >= t->flush && t->block.used;
}

/*
 * A block whose thread has ended without a word; what it had gathered leaves. A number that another
 * thread of the process has by now is taken for the first one's, whose block then stays.
 */
SONDE_SLOW struct sonde_thread *sonde_take_dead(struct sonde_thread *head, sonde_u64 tid)
{
	enum { NO_SUCH_THREAD = -3 };
	struct sonde_thread *t;

	for (t = head; t; t = (struct sonde_thread *)t->block.next) {
		sonde_u64 owner = __atomic_load_n(&t->block.owner, __ATOMIC_ACQUIRE);

		if (t->block.magic != SONDE_BLOCK_MAGIC || !owner || owner == tid ||
		    sonde_syscall(SONDE_SYS_TGKILL, t->block.pid, (long)owner, 0, 0) !=
			    NO_SUCH_THREAD ||
		    !__atomic_compare_exchange_n(&t->block.owner, &owner, tid, 0, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			continue;
		t->block.batch.flags |= SONDE_BATCH_EXIT;
		sonde_send_batch(t);
		sonde_leave_dropped(t);
		sonde_wipe((char *)t + SONDE_PAGE, sizeof(*t) - SONDE_PAGE);
		return t;
	}
	return 0;
}

/* A block that a thread has left, or new memory; its owner is tid. */
SONDE_SLOW struct sonde_thread *sonde_find_thread(sonde_u64 tid)
{
	void **list = &SONDE_SHARED(object).threads;
	struct sonde_thread *head = (struct sonde_thread *)__atomic_load_n(list, __ATOMIC_ACQUIRE);
	struct sonde_thread *t;

	for (t = head; t; t = (struct sonde_thread *)t->block.next) {
		sonde_u64 nobody = 0;

		if (t->block.magic == SONDE_BLOCK_MAGIC &&
		    __atomic_compare_exchange_n(&t->block.owner, &nobody, tid, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return t;
	}
	if (__atomic_load_n(&SONDE_SHARED(object).thread_key, __ATOMIC_RELAXED) == SONDE_NO_KEY) {
		t = sonde_take_dead(head, tid);
		if (t)
			return t;
	}
	t = (struct sonde_thread *)sonde_map(sizeof(*t));
	if (t)
		t->block.owner = tid;
	return t;
}

/* Into the list, which a child of fork() begins anew: what its parent had is zeroed there. */
SONDE_SLOW void sonde_link_thread(struct sonde_thread *t)
{
	void **list = &SONDE_SHARED(object).threads;
	void *head = __atomic_load_n(list, __ATOMIC_ACQUIRE);

	do {
		const struct sonde_thread *first = (const struct sonde_thread *)head;
		/* The one that has forked finds itself there. */
		int is_wiped = first == t || (first && first->block.magic != SONDE_BLOCK_MAGIC);

		t->block.next = is_wiped ? 0 : (sonde_u64)head;
	} while (!__atomic_compare_exchange_n(list, &head, t, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
}

SONDE_SLOW void sonde_init_thread(struct sonde_thread *t, sonde_u32 tid)
{
	struct sonde_block *b = &t->block;
	int is_new = b->magic != SONDE_BLOCK_MAGIC;

	b->version = SONDE_SPAN_VERSION;
	b->size = sizeof(*b);
	b->pid = (sonde_u32)sonde_syscall(SONDE_SYS_GETPID, 0, 0, 0, 0);
	b->tid = tid;
	b->used = b->depth = 0;
	b->path = 0;
	b->control = (sonde_u64)&SONDE_SHARED(control);
	b->batch.sequence = 1;
	t->first = t->anchor = sonde_take_good_anchor();
	t->ns_per_tick = SONDE_SHARED(object).ns_per_tick;
	t->arena_used = 0;
	t->exceptions = 0;
	__builtin_memset(t->dropped, 0, sizeof(t->dropped));
	if (!is_new)
		return;
	b->owner = tid;
	__atomic_store_n(&b->magic, (sonde_u32)SONDE_BLOCK_MAGIC, __ATOMIC_RELEASE);
	sonde_link_thread(t);
}

#endif
