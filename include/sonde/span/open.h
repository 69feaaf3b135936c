/* SPDX-License-Identifier: MIT */
/*
 * Spans begin and end, threads and the object begin and end: what the macros of span.h come to
 * when anybody is attached.
 */
#ifndef SONDE_SPAN_OPEN_H
#define SONDE_SPAN_OPEN_H

#include <sched.h>
#include "record.h"

/* Of a span that is too deep to be known: in the place of the index + 1 of a token. */
enum { SONDE_TOKEN_DEEP = 0xff };

/* Records the spans that are open when the thread ends, innermost first as they would end. */
SONDE_SLOW void sonde_end_open(struct sonde_thread *t)
{
	sonde_u64 now = sonde_ticks(), interest = sonde_interest();
	sonde_u32 depth = sonde_known_depth(t);

	while (depth-- > 0) {
		const struct sonde_open *open = &t->block.open[depth];

		t->block.depth = depth;
		if (open->site && now - open->start >= t->threshold)
			sonde_put_span(t, depth, now - open->start, SONDE_SPAN_UNFINISHED,
				       interest);
	}
	t->block.depth = 0;
	t->block.path = 0;
}

/* The thread ends: its block is for another one, its memory for anybody. */
SONDE_SLOW void sonde_leave_thread(void *data)
{
	struct sonde_thread *t = (struct sonde_thread *)data;
	const sonde_u64 interest = SONDE_INTEREST_BATCH | SONDE_INTEREST_SPAN;

	if (SONDE_SHARED(thread) != t || t->block.magic != SONDE_BLOCK_MAGIC)
		return;
	sonde_set_busy(t);
	if (sonde_interest() & interest) {
		sonde_end_open(t);
		sonde_send_batch(t);
	}
	t->block.used = t->block.depth = 0;
	SONDE_SHARED(thread) = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	sonde_leave_dropped(t);
	/* The first page, which has the links of the list, stays. */
	sonde_wipe((char *)t + SONDE_PAGE, sizeof(*t) - SONDE_PAGE);
	__atomic_store_n(&t->block.owner, 0, __ATOMIC_RELEASE);
}

/* The object's key, made when it is first needed. Values of keys from 32 on take glibc memory,
 * which a signal handler must not ask for. */
SONDE_SLOW sonde_u32 sonde_get_key(void)
{
	enum { KEYS_WITH_ROOM = 32 };
	sonde_u32 *shared = &SONDE_SHARED(object).thread_key, key = 0, mine = SONDE_NO_KEY;
	pthread_key_t made = 0;
	int has_made = pthread_key_create(&made, sonde_leave_thread) == 0;

	if (has_made && made < KEYS_WITH_ROOM)
		mine = (sonde_u32)made + 1;
	if (!__atomic_compare_exchange_n(shared, &key, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		mine = SONDE_NO_KEY;
	if (has_made && mine == SONDE_NO_KEY)
		pthread_key_delete(made);
	return key ? key : mine;
}

/* So that the thread's end is noticed. */
SONDE_SLOW void sonde_watch_thread(struct sonde_thread *t)
{
	sonde_u32 key = __atomic_load_n(&SONDE_SHARED(object).thread_key, __ATOMIC_ACQUIRE);

	if (!key)
		key = sonde_get_key();
	if (key != SONDE_NO_KEY)
		pthread_setspecific((pthread_key_t)(key - 1), t);
}

/* Sends the sites of what is open, when all that was sent is to be sent again. */
SONDE_SLOW void sonde_name_open(struct sonde_thread *t)
{
	sonde_u32 i, depth = sonde_known_depth(t);

	for (i = 0; i < depth && sonde_interest() & SONDE_INTEREST_BATCH; i++)
		if (t->block.open[i].site)
			sonde_need_site(t, 0, t->more[i].site);
}

/*
 * The object's first span. Of several threads that have one, the first does it, in less than a
 * millisecond, and the others wait; not for ever, as a child of fork() may lack the first. Returns
 * the phase after it.
 */
SONDE_SLOW sonde_u32 sonde_begin_object(struct sonde_object *o)
{
	enum { TURNS = 10000 };
	sonde_u32 phase = SONDE_NEW;
	int i;

	if (!__atomic_compare_exchange_n(&o->phase, &phase, SONDE_BEGINNING, 0, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		for (i = 0; phase == SONDE_BEGINNING && i < TURNS; i++) {
			sched_yield();
			phase = __atomic_load_n(&o->phase, __ATOMIC_ACQUIRE);
		}
		if (phase != SONDE_BEGINNING)
			return phase;
	}
	phase = SONDE_BEGINNING;
	o->ns_per_tick = sonde_measure_ticks();
	sonde_read_environment(o);
	return __atomic_compare_exchange_n(&o->phase, &phase, SONDE_READY, 0, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE)
		       ? (sonde_u32)SONDE_READY
		       : phase;
}

/* The part of sonde_prepare() that writes to the block; tid: of its new thread, or 0. */
SONDE_SLOW void sonde_renew_thread(struct sonde_thread *t, sonde_u32 tid)
{
	if (tid) {
		sonde_init_thread(t, tid);
		sonde_watch_thread(t);
	}
	if (t->block.used > sizeof(struct sonde_batch))
		sonde_send_batch(t);
	sonde_take_settings(t);
	sonde_name_open(t);
	SONDE_SHARED(probe_thread)(&t->block);
}

/* A thread's first span, its first in the child of fork(), or the control has changed. Returns
 * NULL when nothing is recorded. */
SONDE_SLOW struct sonde_thread *sonde_prepare(void)
{
	struct sonde_object *o = &SONDE_SHARED(object);
	struct sonde_thread *t;
	sonde_u32 phase = __atomic_load_n(&o->phase, __ATOMIC_ACQUIRE), tid = 0;

	if (phase == SONDE_OFF)
		return 0;
	/* In one step: a signal handler in between would prepare a block of its own. */
	t = __atomic_exchange_n(&SONDE_SHARED(thread), SONDE_NO_THREAD, __ATOMIC_RELAXED);
	if (t == SONDE_NO_THREAD) {
		__atomic_fetch_add(&o->dropped[SONDE_DROPPED_BUSY], 1, __ATOMIC_RELAXED);
		return 0;
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (phase != SONDE_READY && sonde_begin_object(o) == SONDE_OFF)
		return 0;
	if (t && t->block.magic == SONDE_BLOCK_MAGIC && t->busy) {
		SONDE_SHARED(thread) = t;
		sonde_drop(t, SONDE_DROPPED_BUSY);
		return 0;
	}
	if (!t || t->block.magic != SONDE_BLOCK_MAGIC)
		tid = (sonde_u32)sonde_syscall(SONDE_SYS_GETTID, 0, 0, 0, 0);
	if (!t)
		t = sonde_find_thread(tid);
	if (!t)
		return 0;
	sonde_set_busy(t);
	phase = __atomic_load_n(&o->phase, __ATOMIC_ACQUIRE);
	if (phase != SONDE_OFF)
		sonde_renew_thread(t, tid);
	sonde_clear_busy(t);
	if (phase == SONDE_OFF)
		return 0;
	SONDE_SHARED(thread) = t;
	return t;
}

/* Makes the thread busy when there is nothing to prepare. */
SONDE_FAST int sonde_enter_fresh(struct sonde_thread *t)
{
	sonde_set_busy(t);
	if (!SONDE_UNLIKELY(sonde_is_stale(t)))
		return 1;
	sonde_clear_busy(t);
	return 0;
}

/* The thread, ready to be written to; NULL when nothing can be recorded now. */
SONDE_FAST struct sonde_thread *sonde_enter(void)
{
	struct sonde_thread *t = SONDE_SHARED(thread);

	if ((sonde_u64)t > 1 && !t->busy && sonde_enter_fresh(t))
		return t;
	if ((sonde_u64)t <= 1 || !t->busy) {
		t = sonde_prepare();
		if (!t || (!t->busy && sonde_enter_fresh(t)))
			return t;
	}
	sonde_drop(t, SONDE_DROPPED_BUSY);
	return 0;
}

/* The thread when it has open spans; else NULL. It is busy then. */
SONDE_FAST struct sonde_thread *sonde_enter_open(void)
{
	struct sonde_thread *t = SONDE_SHARED(thread);

	if ((sonde_u64)t <= 1 || t->busy || t->block.depth == 0)
		return 0;
	sonde_set_busy(t);
	return t;
}

SONDE_FAST int sonde_site_is_wanted(const struct sonde_thread *t, struct sonde_site *site)
{
	sonde_u32 verdict = __atomic_load_n(&site->verdict, __ATOMIC_ACQUIRE);

	if (SONDE_UNLIKELY((verdict | 1) != t->wanted)) {
		sonde_decide(site, t->block.generation);
		verdict = __atomic_load_n(&site->verdict, __ATOMIC_RELAXED);
	}
	return verdict == t->wanted;
}

/* sonde_begin(), whatever the matter is. */
SONDE_SLOW sonde_u64 sonde_begin_anyhow(struct sonde_site *site)
{
	static const struct sonde_said nothing = {0, 0, 0};
	struct sonde_thread *t = sonde_enter();
	struct sonde_open *open;
	struct sonde_more *m;
	sonde_u64 start = 0;
	sonde_u32 depth;

	if (!t)
		return 0;
	depth = t->block.depth;
	if (SONDE_UNLIKELY(depth >= SONDE_MAX_OPEN)) {
		t->block.depth = depth + 1;
		sonde_drop(t, SONDE_DROPPED_TOO_DEEP);
		sonde_clear_busy(t);
		return SONDE_TOKEN_DEEP;
	}
	open = &t->block.open[depth];
	m = &t->more[depth];
	m->site = site;
	m->fields = t->arena_used;
	m->said = nothing;
	open->site = 0;
	open->path = t->block.path;
	if (sonde_site_is_wanted(t, site)) {
		open->site = sonde_id_of(site);
		open->path = sonde_path(t->block.path, sonde_id_of(site));
		/* What ends inside has a path with this span in it, which may be open for long. */
		if (sonde_interest() & SONDE_INTEREST_BATCH)
			sonde_need_site(t, 0, site);
		start = sonde_ticks();
	}
	open->start = start;
	t->block.path = open->path;
	__atomic_store_n(&t->block.depth, depth + 1, __ATOMIC_RELEASE);
	sonde_clear_busy(t);
	if (SONDE_UNLIKELY(start && sonde_interest() & SONDE_INTEREST_BEGIN))
		SONDE_SHARED(probe_begin)(site->category, site->name);
	return start << 8 | (depth + 1);
}

/* Closes the span of a token and what is left open inside. Returns whether it is this thread's. */
SONDE_FAST int sonde_pop(struct sonde_thread *t, sonde_u64 token)
{
	sonde_u32 depth = t->block.depth, index = (sonde_u32)(token & 0xff) - 1;

	if (SONDE_UNLIKELY((token & 0xff) == SONDE_TOKEN_DEEP)) {
		if (depth > SONDE_MAX_OPEN)
			t->block.depth = depth - 1;
		return 0;
	}
	if (SONDE_UNLIKELY(index >= depth || t->block.open[index].start << 8 != (token & ~0xffULL)))
		return 0;
	if (SONDE_UNLIKELY(depth != index + 1))
		__atomic_fetch_add(&t->dropped[SONDE_DROPPED_LEFT], depth - index - 1,
				   __ATOMIC_RELAXED);
	__atomic_store_n(&t->block.depth, index, __ATOMIC_RELEASE);
	t->block.path = index ? t->block.open[index - 1].path : 0;
	t->arena_used = t->more[index].fields;
	return 1;
}

/* The span has been popped; the thread is busy until it is recorded. */
SONDE_SLOW void sonde_end_popped(struct sonde_thread *t, sonde_u32 index, sonde_u64 now,
				 sonde_u8 flags)
{
	const struct sonde_open *open = &t->block.open[index];
	sonde_u64 duration = now > open->start ? now - open->start : 0;

	if (duration >= t->threshold)
		sonde_put_span(t, index, duration, flags, sonde_interest());
	if (sonde_is_due(t, now))
		sonde_send_batch(t);
	sonde_clear_busy(t);
}

/* sonde_end(), whatever the matter is. */
SONDE_SLOW void sonde_end_anyhow(sonde_u64 token, sonde_u8 flags)
{
	struct sonde_thread *t = sonde_enter_open();
	sonde_u32 index = (sonde_u32)(token & 0xff) - 1;

	if (!t)
		return;
	if (sonde_pop(t, token) && t->block.open[index].site)
		sonde_end_popped(t, index, sonde_ticks(), flags);
	else
		sonde_clear_busy(t);
}

/*
 * The short ways: nothing but batches is asked for, the thread (which is busy) and the site are
 * known, there is room. They call nothing, so no registers are saved for that.
 */
SONDE_FAST int sonde_has_short_way(const struct sonde_thread *t, const struct sonde_site *site)
{
	sonde_u32 verdict;

	if (sonde_interest() & ~SONDE_INTEREST_BATCH)
		return 0;
	verdict = __atomic_load_n(&site->verdict, __ATOMIC_ACQUIRE);
	return verdict == ~t->short_way && t->block.depth < SONDE_MAX_OPEN &&
	       t->known_sites[sonde_id_of(site) % SONDE_KNOWN_SITES] == sonde_id_of(site) &&
	       t->block.generation ==
		       __atomic_load_n(&SONDE_SHARED(control).generation, __ATOMIC_RELAXED);
}

/*
 * Returns what sonde_end() is to be given, never 0; or 0, when there is nothing to end. A span
 * that is not wanted takes a place, too, so that fields said in it are not those of the one
 * around it.
 */
SONDE_SLOW sonde_u64 sonde_begin(struct sonde_site *site)
{
	static const struct sonde_said nothing = {0, 0, 0};
	struct sonde_thread *t = SONDE_SHARED(thread);
	struct sonde_open *open;
	struct sonde_more *m;
	sonde_u64 start;
	sonde_u32 depth;

	if (SONDE_UNLIKELY((sonde_u64)t <= 1 || t->busy))
		return sonde_begin_anyhow(site);
	sonde_set_busy(t);
	if (SONDE_UNLIKELY(!sonde_has_short_way(t, site))) {
		sonde_clear_busy(t);
		return sonde_begin_anyhow(site);
	}
	depth = t->block.depth;
	open = &t->block.open[depth];
	m = &t->more[depth];
	m->site = site;
	m->fields = t->arena_used;
	m->said = nothing;
	open->site = sonde_id_of(site);
	open->path = t->block.path = sonde_path(t->block.path, sonde_id_of(site));
	open->start = start = sonde_counter();
	__atomic_store_n(&t->block.depth, depth + 1, __ATOMIC_RELEASE);
	sonde_clear_busy(t);
	return start << 8 | (depth + 1);
}

/* Whether it is the innermost span, and nothing has changed since it began by the short way. */
SONDE_FAST int sonde_ends_short(const struct sonde_thread *t, sonde_u64 token)
{
	sonde_u32 depth = (sonde_u32)(token & 0xff);

	return (sonde_u64)t > 1 && !t->busy && t->short_way && depth <= SONDE_MAX_OPEN &&
	       depth == t->block.depth && t->block.open[depth - 1].site &&
	       t->block.open[depth - 1].start << 8 == (token & ~0xffULL);
}

/* Whether a record of a span is all there is to be written, and can be. */
SONDE_FAST int sonde_fits_short(const struct sonde_thread *t, const struct sonde_more *m,
				sonde_u8 flags)
{
	const sonde_u32 most = SONDE_BATCH_SIZE - sizeof(struct sonde_record_span);

	return !m->said.flags && !m->said.n_fields && !flags &&
	       (sonde_interest() & SONDE_INTEREST_BATCH) &&
	       !(sonde_interest() & ~SONDE_INTEREST_BATCH) && t->block.used &&
	       t->block.used <= most &&
	       t->known_sites[sonde_id_of(m->site) % SONDE_KNOWN_SITES] == sonde_id_of(m->site);
}

/* flags: SONDE_SPAN_EXCEPTION and SONDE_SPAN_ERROR when an exception ends it. */
SONDE_SLOW void sonde_end(sonde_u64 token, sonde_u8 flags)
{
	struct sonde_thread *t = SONDE_SHARED(thread);
	sonde_u32 index = (sonde_u32)(token & 0xff) - 1;
	const struct sonde_open *open;
	struct sonde_record_span *to;
	sonde_u64 now;

	if (SONDE_UNLIKELY(!sonde_ends_short(t, token))) {
		sonde_end_anyhow(token, flags);
		return;
	}
	sonde_set_busy(t);
	now = sonde_counter();
	open = &t->block.open[index];
	__atomic_store_n(&t->block.depth, index, __ATOMIC_RELEASE);
	t->block.path = index ? t->block.open[index - 1].path : 0;
	t->arena_used = t->more[index].fields;
	if (SONDE_UNLIKELY(sonde_is_due(t, now) || now < open->start)) {
		sonde_end_popped(t, index, now, flags);
		return;
	}
	if (now - open->start >= t->threshold) {
		if (SONDE_UNLIKELY(!sonde_fits_short(t, &t->more[index], flags))) {
			sonde_end_popped(t, index, now, flags);
			return;
		}
		to = (struct sonde_record_span *)(void *)(t->block.records + t->block.used -
							  sizeof(struct sonde_batch));
		sonde_head(&to->h, sizeof(*to), SONDE_RECORD_SPAN, 0, index, 0);
		to->site = open->site;
		to->path = open->path;
		to->start = open->start;
		to->duration = now - open->start;
		sonde_commit(t, 0, sizeof(*to));
	}
	sonde_clear_busy(t);
}

SONDE_SLOW void sonde_event(struct sonde_site *site, sonde_u8 kind, sonde_u64 value)
{
	struct sonde_thread *t = sonde_enter();

	if (!t)
		return;
	if (sonde_site_is_wanted(t, site))
		sonde_put_event(t, site, kind, value, sonde_interest());
	sonde_clear_busy(t);
}

#endif
