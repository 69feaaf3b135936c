/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See span_help.h. Written for all who compile it: C11 without extensions. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "span_help.h"

struct span_hits span_hits;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[1 << 20];
static size_t lines_len;

/* What ids mean, as all batches so far have said. */
static struct name {
	sonde_u64 id;
	char text[2 * SONDE_MAX_NAME + 2];
} names[512];

const char *span_lines(void)
{
	return lines;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(lines + lines_len, sizeof(lines) - lines_len, format, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(lines) - lines_len)
		lines_len += (size_t)n;
}

static const char *name_of(sonde_u64 id)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].id == id)
			return names[i].text;
	return "?";
}

static void keep_name(sonde_u64 id, const char *category, int category_len, const char *separator,
		      const char *name, int name_len)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].id && names[i].id != id)
			continue;
		names[i].id = id;
		snprintf(names[i].text, sizeof(names[i].text), "%.*s%s%.*s", category_len, category,
			 separator, name_len, name);
		return;
	}
}

static const char *say_field(const char *at)
{
	const struct sonde_field *f = (const struct sonde_field *)(const void *)at;
	union {
		sonde_u64 u;
		sonde_i64 i;
		double d;
	} value;

	at += sizeof(*f);
	if (f->type == SONDE_FIELD_TEXT) {
		say(" %s='%.*s'", name_of(f->key), f->len, at);
		return at + (f->len + 7) / 8 * 8;
	}
	memcpy(&value, at, sizeof(value));
	if (f->len != 8)
		say(" bad length %u", f->len);
	if (f->type == SONDE_FIELD_I64)
		say(" %s=%lld", name_of(f->key), (long long)value.i);
	else if (f->type == SONDE_FIELD_U64)
		say(" %s=%lluu", name_of(f->key), (unsigned long long)value.u);
	else if (f->type == SONDE_FIELD_F64)
		say(" %s=%g", name_of(f->key), value.d);
	else if (f->type == SONDE_FIELD_BOOL)
		say(" %s=%s", name_of(f->key), value.u ? "true" : "false");
	else
		say(" bad type %u", f->type);
	return at + 8;
}

static void say_span(const struct sonde_record *r, const struct sonde_batch *b)
{
	const struct sonde_record_span *s = (const struct sonde_record_span *)(const void *)r;
	const char *at = (const char *)(s + 1);

	say("span %s %u", name_of(s->site), r->depth);
	if (r->flags & SONDE_SPAN_HAS_ERROR_CODE) {
		sonde_i64 code;

		memcpy(&code, at, sizeof(code));
		at += sizeof(code);
		say(" error=%lld", (long long)code);
	} else if (r->flags & SONDE_SPAN_ERROR) {
		say(" error");
	}
	if (r->flags & SONDE_SPAN_HAS_TRACE) {
		memcpy(&span_hits.last_trace, at, sizeof(struct sonde_trace));
		at += sizeof(struct sonde_trace);
		say(" trace");
	}
	for (unsigned i = 0; i < r->n_fields; i++)
		at = say_field(at);
	say("%s%s", r->flags & SONDE_SPAN_EXCEPTION ? " exception" : "",
	    r->flags & SONDE_SPAN_UNFINISHED ? " unfinished" : "");
	if (at != (const char *)r + r->size)
		say(" bad size %u", r->size);
	say("\n");
	if (!(b->flags & SONDE_BATCH_SIMPLE))
		span_hits.last_span = *s;
}

static void say_event(const struct sonde_record *r)
{
	const struct sonde_record_event *e = (const struct sonde_record_event *)(const void *)r;
	double number;

	memcpy(&number, &e->value, sizeof(number));
	if (r->kind == SONDE_RECORD_INSTANT)
		say("instant %s %u\n", name_of(e->site), r->depth);
	else if (r->kind == SONDE_RECORD_COUNTER)
		say("counter %s %u =%g\n", name_of(e->site), r->depth, number);
	else
		say("%s %s %u #%llu\n", r->kind == SONDE_RECORD_ASYNC_BEGIN ? "begin" : "end",
		    name_of(e->site), r->depth, (unsigned long long)e->value);
}

static void say_record(const struct sonde_record *r, const struct sonde_batch *b)
{
	const struct sonde_record_site *site = (const struct sonde_record_site *)(const void *)r;
	const struct sonde_record_key *key = (const struct sonde_record_key *)(const void *)r;
	const char *text = (const char *)(site + 1);

	if (r->kind == SONDE_RECORD_SITE)
		keep_name(site->id, text, site->category_len, "/", text + site->category_len,
			  site->name_len);
	else if (r->kind == SONDE_RECORD_KEY)
		keep_name(key->id, "", 0, "", text, key->len);
	else if (r->kind == SONDE_RECORD_SPAN)
		say_span(r, b);
	else if (r->kind >= SONDE_RECORD_INSTANT && r->kind <= SONDE_RECORD_ASYNC_END)
		say_event(r);
	else
		say("bad kind %u\n", r->kind);
}

static void say_batch(const struct sonde_batch *b, sonde_u32 bytes)
{
	const char *at = (const char *)(b + 1), *end = (const char *)b + bytes;
	unsigned n = 0;

	if (b->magic != SONDE_BATCH_MAGIC || b->version != SONDE_SPAN_VERSION ||
	    b->bytes != bytes || bytes > SONDE_BATCH_SIZE || b->begin.ticks > b->end.ticks ||
	    b->first.ns > b->begin.ns)
		say("bad header\n");
	while (end - at >= (long)sizeof(struct sonde_record)) {
		const struct sonde_record *r = (const struct sonde_record *)(const void *)at;

		if (r->size < sizeof(*r) || r->size % 8 || r->size > end - at) {
			say("bad record\n");
			return;
		}
		say_record(r, b);
		at += r->size;
		n++;
	}
	if (at != end || n != b->n_records)
		say("bad count %u of %u\n", n, b->n_records);
	for (int i = 0; i < SONDE_DROPPED_COUNT; i++)
		span_hits.dropped[i] += b->dropped[i];
	span_hits.last = *b;
}

void sonde_r2_probe_batch(const struct sonde_batch *b, sonde_u32 bytes);
void sonde_r2_probe_batch(const struct sonde_batch *b, sonde_u32 bytes)
{
	pthread_mutex_lock(&lock);
	span_hits.batches++;
	say_batch(b, bytes);
	pthread_mutex_unlock(&lock);
}

void sonde_r2_probe_span(const char *category, const char *name, sonde_u64 duration_ns,
			 sonde_u64 start_ns, const struct sonde_batch *b, sonde_u32 bytes);
void sonde_r2_probe_span(const char *category, const char *name, sonde_u64 duration_ns,
			 sonde_u64 start_ns, const struct sonde_batch *b, sonde_u32 bytes)
{
	pthread_mutex_lock(&lock);
	span_hits.duration_ns = duration_ns;
	span_hits.start_ns = start_ns;
	say("simple %s/%s: ", category, name);
	say_batch(b, bytes);
	pthread_mutex_unlock(&lock);
}

void sonde_r2_probe_event(const char *category, const char *name, sonde_u64 kind, sonde_u64 value,
			  const struct sonde_batch *b, sonde_u32 bytes);
void sonde_r2_probe_event(const char *category, const char *name, sonde_u64 kind, sonde_u64 value,
			  const struct sonde_batch *b, sonde_u32 bytes)
{
	(void)value;
	pthread_mutex_lock(&lock);
	say("simple %s/%s %u: ", category, name, (unsigned)kind);
	say_batch(b, bytes);
	pthread_mutex_unlock(&lock);
}

void sonde_r2_probe_begin(const char *category, const char *name);
void sonde_r2_probe_begin(const char *category, const char *name)
{
	pthread_mutex_lock(&lock);
	say("begins %s/%s\n", category, name);
	pthread_mutex_unlock(&lock);
}

void sonde_r2_probe_thread(struct sonde_block *block);
void sonde_r2_probe_thread(struct sonde_block *block)
{
	(void)block;
	pthread_mutex_lock(&lock);
	span_hits.threads++;
	pthread_mutex_unlock(&lock);
}
