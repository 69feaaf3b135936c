/* SPDX-License-Identifier: MIT */
/*
 * Writing records: into the thread's batch, or as a batch of one record for those who want a hit
 * each (simple mode). The thread is busy in all of these functions.
 */
#ifndef SONDE_SPAN_RECORD_H
#define SONDE_SPAN_RECORD_H

#include "thread.h"

/* What a use of SONDE_FIELD() keeps. */
struct sonde_key {
	const char *text;
	sonde_u64 id; /* 0: not computed yet */
};

/* In the arena, before the field's value. */
struct sonde_pending {
	const struct sonde_key *key;
	struct sonde_field field;
};

SONDE_FAST sonde_u32 sonde_round(unsigned long n)
{
	return (sonde_u32)((n + 7) & ~7UL);
}

/* Room for a record. NULL: it is larger than what simple mode has. */
SONDE_FAST struct sonde_record *sonde_room(struct sonde_thread *t, int simple, sonde_u32 size)
{
	sonde_u32 used;

	if (simple) {
		if (t->simple_used + size > SONDE_SIMPLE_SIZE)
			return 0;
		return (struct sonde_record *)(void *)(t->simple.bytes + t->simple_used);
	}
	used = t->block.used;
	if (SONDE_UNLIKELY(used + size > SONDE_BATCH_SIZE)) {
		sonde_send_batch(t);
		used = t->block.used;
	}
	if (SONDE_UNLIKELY(used == 0)) {
		sonde_begin_batch(t);
		used = t->block.used;
	}
	return (struct sonde_record *)(void *)(t->block.records + used -
					       sizeof(struct sonde_batch));
}

SONDE_FAST void sonde_commit(struct sonde_thread *t, int simple, sonde_u32 size)
{
	if (simple) {
		t->simple.batch.n_records++;
		t->simple_used += size;
		return;
	}
	t->block.batch.n_records++;
	__atomic_store_n(&t->block.used, t->block.used + size, __ATOMIC_RELEASE);
}

SONDE_FAST void sonde_head(struct sonde_record *r, sonde_u32 size, sonde_u8 kind, sonde_u8 flags,
			   sonde_u32 depth, sonde_u16 n_fields)
{
	r->size = (sonde_u16)size;
	r->kind = kind;
	r->flags = flags;
	r->depth = (sonde_u16)(depth < 0xffff ? depth : 0xffff);
	r->n_fields = n_fields;
}

/* Text behind a record's struct, which is zeroed up to the end. */
SONDE_FAST void sonde_put_text(void *to, const char *text, unsigned long len)
{
	sonde_u8 *bytes = (sonde_u8 *)to;
	unsigned long i = len;

	__builtin_memcpy(bytes, text, len);
	for (; i < sonde_round(len); i++)
		bytes[i] = 0;
}

SONDE_SLOW void sonde_put_site(struct sonde_thread *t, int simple, const struct sonde_site *site)
{
	unsigned long all_category = sonde_strlen(site->category);
	unsigned long all_name = sonde_strlen(site->name);
	unsigned long category = sonde_cut(site->category, all_category, SONDE_MAX_NAME);
	unsigned long name = sonde_cut(site->name, all_name, SONDE_MAX_NAME);
	char text[2 * SONDE_MAX_NAME];
	struct sonde_record_site *r;
	sonde_u32 size = (sonde_u32)sizeof(*r) + sonde_round(category + name);

	r = (struct sonde_record_site *)(void *)sonde_room(t, simple, size);
	if (!r)
		return;
	sonde_head(&r->h, size, SONDE_RECORD_SITE, 0, 0, 0);
	r->id = sonde_id_of(site);
	r->category_len = (sonde_u8)category;
	r->name_len = (sonde_u8)name;
	__builtin_memset(r->reserved, 0, sizeof(r->reserved));
	__builtin_memcpy(text, site->category, category);
	__builtin_memcpy(text + category, site->name, name);
	sonde_put_text(r + 1, text, category + name);
	sonde_commit(t, simple, size);
	if (!simple)
		t->known_sites[sonde_id_of(site) % SONDE_KNOWN_SITES] = sonde_id_of(site);
}

SONDE_SLOW void sonde_put_key(struct sonde_thread *t, int simple, const struct sonde_key *key)
{
	unsigned long len = sonde_cut(key->text, sonde_strlen(key->text), SONDE_MAX_NAME);
	struct sonde_record_key *r;
	sonde_u32 size = (sonde_u32)sizeof(*r) + sonde_round(len);

	r = (struct sonde_record_key *)(void *)sonde_room(t, simple, size);
	if (!r)
		return;
	sonde_head(&r->h, size, SONDE_RECORD_KEY, 0, 0, 0);
	r->id = key->id;
	r->len = (sonde_u8)len;
	__builtin_memset(r->reserved, 0, sizeof(r->reserved));
	sonde_put_text(r + 1, key->text, len);
	sonde_commit(t, simple, size);
	if (!simple)
		t->known_keys[key->id % SONDE_KNOWN_KEYS] = key->id;
}

SONDE_FAST void sonde_need_site(struct sonde_thread *t, int simple, const struct sonde_site *site)
{
	if (SONDE_UNLIKELY(simple || t->known_sites[sonde_id_of(site) % SONDE_KNOWN_SITES] !=
					     sonde_id_of(site)))
		sonde_put_site(t, simple, site);
}

/* Bytes of a value, padded. */
SONDE_FAST sonde_u32 sonde_value_size(const struct sonde_field *f)
{
	return f->type == SONDE_FIELD_TEXT ? sonde_round(f->len) : 8;
}

/* Returns what the fields of an open span take in a record, after the keys they need. */
SONDE_SLOW sonde_u32 sonde_prepare_fields(struct sonde_thread *t, int simple,
					  const struct sonde_more *m)
{
	const sonde_u8 *at = t->arena.bytes + m->fields;
	sonde_u32 size = 0;
	int i;

	for (i = 0; i < m->said.n_fields; i++) {
		const struct sonde_pending *p = (const struct sonde_pending *)(const void *)at;
		sonde_u32 value = sonde_value_size(&p->field);

		if (simple || t->known_keys[p->field.key % SONDE_KNOWN_KEYS] != p->field.key)
			sonde_put_key(t, simple, p->key);
		size += (sonde_u32)sizeof(p->field) + value;
		at += sizeof(*p) + value;
	}
	return size;
}

SONDE_SLOW void sonde_put_fields(const struct sonde_thread *t, const struct sonde_more *m,
				 sonde_u8 *to)
{
	const sonde_u8 *at = t->arena.bytes + m->fields;
	int i;

	for (i = 0; i < m->said.n_fields; i++) {
		const struct sonde_pending *p = (const struct sonde_pending *)(const void *)at;
		sonde_u32 size = (sonde_u32)sizeof(p->field) + sonde_value_size(&p->field);

		__builtin_memcpy(to, &p->field, size);
		to += size;
		at += sizeof(p->key) + size;
	}
}

/* Of a span with an error, a trace or fields: what struct sonde_record_span has no room for. */
SONDE_SLOW void sonde_put_rich_span(struct sonde_thread *t, int simple,
				    const struct sonde_record_span *span,
				    const struct sonde_more *m)
{
	sonde_u32 fields = sonde_prepare_fields(t, simple, m);
	sonde_u32 code = m->said.flags & SONDE_SPAN_HAS_ERROR_CODE ? 8 : 0;
	sonde_u32 trace = m->said.flags & SONDE_SPAN_HAS_TRACE ? (sonde_u32)sizeof(m->trace) : 0;
	sonde_u32 size = (sonde_u32)sizeof(*span) + code + trace + fields;
	sonde_u8 *to = (sonde_u8 *)sonde_room(t, simple, size);

	if (!to)
		return;
	__builtin_memcpy(to, span, sizeof(*span));
	sonde_head((struct sonde_record *)(void *)to, size, SONDE_RECORD_SPAN, span->h.flags,
		   span->h.depth, m->said.n_fields);
	to += sizeof(*span);
	__builtin_memcpy(to, &m->error, code);
	__builtin_memcpy(to + code, &m->trace, trace);
	sonde_put_fields(t, m, to + code + trace);
	sonde_commit(t, simple, size);
}

/* A batch of one record begins: what is the same for all of them is there already. */
SONDE_FAST void sonde_begin_simple(struct sonde_thread *t, sonde_u64 now)
{
	enum { REFRESH_NS = 10000000 };
	struct sonde_batch *b = &t->simple.batch;

	if (SONDE_UNLIKELY((double)(sonde_i64)(now - t->anchor.ticks) * t->ns_per_tick >
			   (double)REFRESH_NS)) {
		struct sonde_anchor here = sonde_take_anchor();

		sonde_learn_rate(t, &here);
	}
	b->n_records = 0;
	b->begin = b->end = t->anchor;
	t->simple_used = sizeof(*b);
}

SONDE_FAST void sonde_end_simple(struct sonde_thread *t)
{
	t->simple.batch.bytes = t->simple_used;
	sonde_take_dropped(t, &t->simple.batch);
}

SONDE_FAST sonde_u64 sonde_tick_ns(const struct sonde_thread *t, sonde_u64 ticks)
{
	sonde_i64 since = (sonde_i64)(ticks - t->anchor.ticks);

	return t->anchor.ns + (sonde_u64)(sonde_i64)((double)since * t->ns_per_tick);
}

SONDE_SLOW void sonde_hit_span(struct sonde_thread *t, const struct sonde_record_span *span,
			       const struct sonde_more *m)
{
	const struct sonde_site *site = m->site;
	sonde_u64 took;

	sonde_begin_simple(t, span->start + span->duration);
	sonde_put_site(t, 1, site);
	sonde_put_rich_span(t, 1, span, m);
	sonde_end_simple(t);
	took = (sonde_u64)((double)span->duration * t->ns_per_tick);
	SONDE_SHARED(probe_span)
	(site->category, site->name, took, sonde_tick_ns(t, span->start), &t->simple.batch,
	 t->simple.batch.bytes);
}

/* A span has ended; interest: who is attached. */
SONDE_FAST void sonde_put_span(struct sonde_thread *t, sonde_u32 index, sonde_u64 duration,
			       sonde_u8 flags, sonde_u64 interest)
{
	const struct sonde_open *open = &t->block.open[index];
	const struct sonde_more *m = &t->more[index];
	struct sonde_record_span span, *to;

	flags |= m->said.flags;
	sonde_head(&span.h, sizeof(span), SONDE_RECORD_SPAN, flags, index, 0);
	span.site = open->site;
	span.path = open->path;
	span.start = open->start;
	span.duration = duration;
	if (interest & SONDE_INTEREST_BATCH) {
		sonde_need_site(t, 0, m->site);
		if (SONDE_UNLIKELY(m->said.flags || m->said.n_fields)) {
			sonde_put_rich_span(t, 0, &span, m);
		} else {
			to = (struct sonde_record_span *)(void *)sonde_room(t, 0, sizeof(span));
			*to = span;
			sonde_commit(t, 0, sizeof(span));
		}
	}
	if (SONDE_UNLIKELY(interest & SONDE_INTEREST_SPAN))
		sonde_hit_span(t, &span, m);
}

/* An instant, a counter, a begin or an end happens, now. */
SONDE_SLOW void sonde_put_event(struct sonde_thread *t, const struct sonde_site *site,
				sonde_u8 kind, sonde_u64 value, sonde_u64 interest)
{
	sonde_u64 now = sonde_ticks();
	struct sonde_record_event *r;
	int simple;

	for (simple = 0; simple < 2; simple++) {
		if (!(interest & (simple ? SONDE_INTEREST_EVENT : SONDE_INTEREST_BATCH)))
			continue;
		if (simple)
			sonde_begin_simple(t, now);
		sonde_need_site(t, simple, site);
		r = (struct sonde_record_event *)(void *)sonde_room(t, simple, sizeof(*r));
		if (!r)
			continue;
		sonde_head(&r->h, sizeof(*r), kind, 0, t->block.depth, 0);
		r->site = sonde_id_of(site);
		r->path = t->block.path;
		r->time = now;
		r->value = value;
		sonde_commit(t, simple, sizeof(*r));
		if (!simple)
			continue;
		sonde_end_simple(t);
		SONDE_SHARED(probe_event)
		(site->category, site->name, kind, value, &t->simple.batch, t->simple.batch.bytes);
	}
	if (sonde_is_due(t, now))
		sonde_send_batch(t);
}

#endif
