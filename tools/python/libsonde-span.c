/* SPDX-License-Identifier: MIT */
/*
 * sonde/span.h as plain functions, for languages that can call those of a shared library. See
 * sonde-span(7). Any thread may call any of them at any time; none fails in a way that a program
 * has to look at: what cannot be recorded is not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sonde/span.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT const uint64_t *sonde_span_interest(void);
EXPORT void *sonde_span_site(const char *category, const char *name);
EXPORT void *sonde_span_key(const char *text);
EXPORT uint64_t sonde_span_begin(void *site);
EXPORT void sonde_span_end(uint64_t token, int by_exception);
EXPORT void sonde_span_async_begin(void *site, uint64_t key);
EXPORT void sonde_span_async_end(void *site, uint64_t key);
EXPORT void sonde_span_instant(void *site);
EXPORT void sonde_span_counter(void *site, double value);
EXPORT void sonde_span_field_i64(void *key, int64_t value);
EXPORT void sonde_span_field_f64(void *key, double value);
EXPORT void sonde_span_field_bool(void *key, int value);
EXPORT void sonde_span_field_text(void *key, const char *text, size_t len);
EXPORT void sonde_span_error(int64_t code);
EXPORT int sonde_span_trace_from(const char *traceparent);
EXPORT int sonde_span_trace_to(char *buf);

/* Sites and keys live as long as the process: records have their ids, threads their addresses. */
struct interned {
	struct interned *next;
	struct sonde_site site; /* of a key: its text is the name, its category NULL */
	struct sonde_key key;
	char text[];
};

enum { BUCKETS = 1024 };

static struct interned *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct interned *new_interned(const char *category, const char *name)
{
	size_t category_len = category ? strlen(category) + 1 : 0, name_len = strlen(name) + 1;
	struct interned *i = calloc(1, sizeof(*i) + category_len + name_len);

	if (!i)
		return NULL;
	if (category)
		i->site.category = memcpy(i->text, category, category_len);
	i->site.name = i->key.text = memcpy(i->text + category_len, name, name_len);
	return i;
}

/* NULL when there is no memory. */
static struct interned *intern(const char *category, const char *name)
{
	uint64_t id = category ? sonde_site_id(category, strlen(category), name, strlen(name))
			       : sonde_key_id(name, strlen(name));
	struct interned **bucket = &buckets[id % BUCKETS], *i;

	pthread_mutex_lock(&lock);
	for (i = *bucket; i; i = i->next) {
		const char *other = i->site.category;

		if (!other == !category && (!category || strcmp(other, category) == 0) &&
		    strcmp(i->site.name, name) == 0)
			break;
	}
	if (!i) {
		i = new_interned(category, name);
		if (i) {
			i->next = *bucket;
			*bucket = i;
		}
	}
	pthread_mutex_unlock(&lock);
	return i;
}

/* What is not 0 while anybody is attached: languages look there before they call anything. */
const uint64_t *sonde_span_interest(void)
{
	return &SONDE_SHARED(interest);
}

void *sonde_span_site(const char *category, const char *name)
{
	struct interned *i = intern(category ? category : "", name ? name : "");

	return i ? &i->site : NULL;
}

void *sonde_span_key(const char *text)
{
	struct interned *i = intern(NULL, text ? text : "");

	return i ? &i->key : NULL;
}

/* What sonde_span_end() is to be given, in the same thread; 0 when there is nothing to end. */
uint64_t sonde_span_begin(void *site)
{
	return site && SONDE_IS_ON() ? sonde_begin(site) : 0;
}

void sonde_span_end(uint64_t token, int by_exception)
{
	if (token)
		sonde_end(token, by_exception ? SONDE_SPAN_ERROR | SONDE_SPAN_EXCEPTION : 0);
}

static void event(struct sonde_site *site, uint8_t kind, uint64_t value)
{
	if (site && SONDE_IS_ON())
		sonde_event(site, kind, value);
}

void sonde_span_async_begin(void *site, uint64_t key)
{
	event(site, SONDE_RECORD_ASYNC_BEGIN, key);
}

void sonde_span_async_end(void *site, uint64_t key)
{
	event(site, SONDE_RECORD_ASYNC_END, key);
}

void sonde_span_instant(void *site)
{
	event(site, SONDE_RECORD_INSTANT, 0);
}

void sonde_span_counter(void *site, double value)
{
	event(site, SONDE_RECORD_COUNTER, sonde_bits_of(value));
}

void sonde_span_field_i64(void *key, int64_t value)
{
	if (key && SONDE_IS_ON())
		sonde_field_i64(key, value);
}

void sonde_span_field_f64(void *key, double value)
{
	if (key && SONDE_IS_ON())
		sonde_field_f64(key, value);
}

void sonde_span_field_bool(void *key, int value)
{
	if (key && SONDE_IS_ON())
		sonde_field_bool(key, value);
}

void sonde_span_field_text(void *key, const char *text, size_t len)
{
	if (key && text && SONDE_IS_ON())
		sonde_field_bytes(key, text, len);
}

void sonde_span_error(int64_t code)
{
	SONDE_ERROR(code);
}

int sonde_span_trace_from(const char *traceparent)
{
	return SONDE_TRACE_FROM(traceparent);
}

/* buf: SONDE_TRACE_SIZE (56) bytes. */
int sonde_span_trace_to(char *buf)
{
	return SONDE_TRACE_TO(buf);
}
