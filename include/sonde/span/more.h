/* SPDX-License-Identifier: MIT */
/*
 * What is said about the innermost open span of the thread: fields, an error, a trace context.
 * Nothing is said about a span that is not wanted.
 */
#ifndef SONDE_SPAN_MORE_H
#define SONDE_SPAN_MORE_H

#include <sys/auxv.h>
#include "open.h"

/* 55 characters of a traceparent and a NUL. */
#define SONDE_TRACE_SIZE 56

/* The thread, busy, when the innermost open span is wanted; else NULL. */
SONDE_FAST struct sonde_thread *sonde_enter_span(struct sonde_more **ret_more)
{
	struct sonde_thread *t = sonde_enter_open();
	sonde_u32 depth;

	if (!t)
		return 0;
	depth = t->block.depth;
	if (depth > SONDE_MAX_OPEN || !t->block.open[depth - 1].site) {
		sonde_clear_busy(t);
		return 0;
	}
	*ret_more = &t->more[depth - 1];
	return t;
}

SONDE_SLOW void sonde_add_field(struct sonde_key *key, enum sonde_field_type type,
				const void *value, unsigned long len)
{
	struct sonde_more *m;
	struct sonde_thread *t = sonde_enter_span(&m);
	sonde_u32 size = (sonde_u32)sizeof(struct sonde_pending) + sonde_round(len);
	struct sonde_pending *p;

	if (!t)
		return;
	if (m->said.n_fields == SONDE_MAX_FIELDS || t->arena_used + size > SONDE_ARENA_SIZE) {
		sonde_drop(t, SONDE_DROPPED_TOO_LARGE);
		sonde_clear_busy(t);
		return;
	}
	if (!__atomic_load_n(&key->id, __ATOMIC_RELAXED))
		__atomic_store_n(&key->id, sonde_key_id(key->text, sonde_strlen(key->text)),
				 __ATOMIC_RELAXED);
	p = (struct sonde_pending *)(void *)(t->arena.bytes + t->arena_used);
	p->key = key;
	p->field.key = key->id;
	p->field.type = (sonde_u8)type;
	p->field.len = (sonde_u8)len;
	__builtin_memset(p->field.reserved, 0, sizeof(p->field.reserved));
	sonde_put_text(p + 1, (const char *)value, len);
	t->arena_used += size;
	m->said.n_fields++;
	sonde_clear_busy(t);
}

SONDE_FAST void sonde_field_i64(struct sonde_key *key, sonde_i64 value)
{
	sonde_add_field(key, SONDE_FIELD_I64, &value, sizeof(value));
}

SONDE_FAST void sonde_field_u64(struct sonde_key *key, sonde_u64 value)
{
	sonde_add_field(key, SONDE_FIELD_U64, &value, sizeof(value));
}

SONDE_FAST void sonde_field_f64(struct sonde_key *key, double value)
{
	sonde_add_field(key, SONDE_FIELD_F64, &value, sizeof(value));
}

SONDE_FAST void sonde_field_long_double(struct sonde_key *key, long double value)
{
	sonde_field_f64(key, (double)value);
}

SONDE_FAST void sonde_field_bool(struct sonde_key *key, int value)
{
	sonde_u64 number = value != 0;

	sonde_add_field(key, SONDE_FIELD_BOOL, &number, sizeof(number));
}

SONDE_FAST void sonde_field_bytes(struct sonde_key *key, const char *text, unsigned long len)
{
	sonde_add_field(key, SONDE_FIELD_TEXT, text, sonde_cut(text, len, SONDE_MAX_TEXT));
}

/* NULL is empty. */
SONDE_FAST void sonde_field_text(struct sonde_key *key, const char *text)
{
	sonde_field_bytes(key, text ? text : "", sonde_strlen(text));
}

SONDE_SLOW void sonde_error(sonde_i64 code)
{
	struct sonde_more *m;
	struct sonde_thread *t = sonde_enter_span(&m);

	if (!t)
		return;
	m->said.flags |= SONDE_SPAN_ERROR | SONDE_SPAN_HAS_ERROR_CODE;
	m->error = code;
	sonde_clear_busy(t);
}

/* An id of a trace or span; never 0. Seeded by the kernel's random bytes for this program. */
SONDE_SLOW sonde_u64 sonde_random(struct sonde_thread *t)
{
	const void *seed = (const void *)getauxval(AT_RANDOM);
	sonde_u64 mixed, bytes[2];

	if (!t->random) {
		struct sonde_anchor now = sonde_take_anchor();

		t->random = now.ns << 32 ^ now.ticks ^ (sonde_u64)t->block.tid << 40 ^ (sonde_u64)t;
		if (seed) {
			__builtin_memcpy(bytes, seed, sizeof(bytes));
			t->random ^= bytes[0] ^ bytes[1] << 1;
		}
	}
	do { /* splitmix64 */
		mixed = t->random += 0x9e3779b97f4a7c15ULL;
		mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
		mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
		mixed ^= mixed >> 31;
	} while (!mixed);
	return mixed;
}

SONDE_FAST int sonde_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the number of n bytes, or -1; whether any is not 0 is in *any. */
SONDE_SLOW int sonde_read_hex(const char *text, sonde_u8 *bytes, int n, int *any)
{
	int i;

	*any = 0;
	for (i = 0; i < n; i++) {
		int high = sonde_hex_digit(text[2 * i]), low;

		low = high < 0 ? -1 : sonde_hex_digit(text[2 * i + 1]);
		if (low < 0)
			return -1;
		bytes[i] = (sonde_u8)(high << 4 | low);
		*any |= bytes[i];
	}
	return 0;
}

SONDE_SLOW void sonde_write_hex(char *text, const sonde_u8 *bytes, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
}

/* version-trace-parent-flags, as W3C says: returns 0, or -1 when it is something else. */
SONDE_SLOW int sonde_read_traceparent(const char *text, struct sonde_trace *to)
{
	sonde_u8 version, flags, parent[8];
	int any, i;

	if (!text || sonde_read_hex(text, &version, 1, &any) || version == 0xff || text[2] != '-' ||
	    sonde_read_hex(text + 3, to->trace_id, 16, &any) || !any || text[35] != '-' ||
	    sonde_read_hex(text + 36, parent, 8, &any) || !any || text[52] != '-' ||
	    sonde_read_hex(text + 53, &flags, 1, &any) || (text[55] && !version) ||
	    (text[55] && text[55] != '-'))
		return -1;
	to->parent_span_id = 0;
	for (i = 0; i < 8; i++)
		to->parent_span_id = to->parent_span_id << 8 | parent[i];
	return 0;
}

/* The innermost open span continues the trace of a traceparent. Returns whether it does. */
SONDE_SLOW int sonde_trace_from(const char *text)
{
	struct sonde_trace trace;
	struct sonde_more *m;
	struct sonde_thread *t;

	if (sonde_read_traceparent(text, &trace))
		return 0;
	t = sonde_enter_span(&m);
	if (!t)
		return 0;
	trace.span_id = sonde_random(t);
	m->trace = trace;
	m->said.flags |= SONDE_SPAN_HAS_TRACE;
	sonde_clear_busy(t);
	return 1;
}

/* A span that has none gets a place in the trace of one around it, or begins one. */
SONDE_SLOW void sonde_make_trace(struct sonde_thread *t, sonde_u32 index)
{
	struct sonde_trace *to = &t->more[index].trace;
	sonde_u32 i = index;
	sonde_u64 random[2];

	if (t->more[index].said.flags & SONDE_SPAN_HAS_TRACE)
		return;
	while (i-- > 0) {
		if (!t->block.open[i].site || !(t->more[i].said.flags & SONDE_SPAN_HAS_TRACE))
			continue;
		*to = t->more[i].trace;
		to->parent_span_id = t->more[i].trace.span_id;
		break;
	}
	if (i == ~(sonde_u32)0) {
		random[0] = sonde_random(t);
		random[1] = sonde_random(t);
		__builtin_memcpy(to->trace_id, random, sizeof(to->trace_id));
		to->parent_span_id = 0;
	}
	to->span_id = sonde_random(t);
	t->more[index].said.flags |= SONDE_SPAN_HAS_TRACE;
}

/* Writes a traceparent of the innermost open span that is wanted into SONDE_TRACE_SIZE bytes.
 * Returns 0, and an empty text, when there is none. */
SONDE_SLOW int sonde_trace_to(char *buf)
{
	struct sonde_thread *t = sonde_enter_open();
	sonde_u8 span[8];
	sonde_u32 i;
	int k;

	buf[0] = 0;
	if (!t)
		return 0;
	i = sonde_known_depth(t);
	while (i > 0 && !t->block.open[i - 1].site)
		i--;
	if (i > 0) {
		sonde_make_trace(t, i - 1);
		for (k = 0; k < 8; k++)
			span[k] = (sonde_u8)(t->more[i - 1].trace.span_id >> (56 - 8 * k));
		__builtin_memcpy(buf, "00-", 3);
		sonde_write_hex(buf + 3, t->more[i - 1].trace.trace_id, 16);
		buf[35] = '-';
		sonde_write_hex(buf + 36, span, 8);
		__builtin_memcpy(buf + 52, "-01", 4);
	}
	sonde_clear_busy(t);
	return i > 0;
}

#endif
