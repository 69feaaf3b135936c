/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace_event.h"

#include <math.h>

#include "intern.h"
#include "number.h"
#include "pairs.h"
#include "trace_samples.h"

struct import_events {
	struct import_sink *sink;
	struct error *error;
	struct import_pairs *pairs;
	struct import_trace_samples *samples;
	struct import_strings odd; /* processes and threads that are not known by a number */
	struct table told;	   /* of those, processes that the sink has been told the name of */
	struct strbuf key, name;
};

struct import_events *import_events_new(struct import_sink *sink, struct error *error)
{
	struct import_events *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sink = sink;
	t->error = error;
	t->pairs = import_pairs_new();
	t->samples = import_trace_samples_new(sink);
	return t->pairs && t->samples ? t : import_events_free(t);
}

struct import_events *import_events_free(struct import_events *t)
{
	if (!t)
		return NULL;
	import_pairs_free(t->pairs);
	import_trace_samples_free(t->samples);
	import_strings_release(&t->odd);
	table_release(&t->told);
	strbuf_release(&t->key);
	strbuf_release(&t->name);
	free(t);
	return NULL;
}

/* From the highest one down: real ones are small. */
int import_events_pid(struct import_events *t, const struct import_value *v, uint32_t *ret)
{
	uint64_t number;
	uint32_t id;
	bool is_new;

	if (!import_is_text(v)) {
		*ret = 0;
		return 0;
	}
	if (import_digits(v->text, v->len, &number) == 0 && number <= INT32_MAX) {
		*ret = (uint32_t)number;
		return 0;
	}
	id = import_strings_put(&t->odd, v->text, v->len, &is_new);
	if (!id)
		return -ENOMEM;
	t->sink->notes[NOTE_NUMBER] += is_new;
	*ret = (uint32_t)INT32_MAX - id + 1;
	return 0;
}

/* A process that is known by a text has that for its name, until it gets another. */
static int tell_odd(struct import_events *t, const struct import_value *v, uint32_t pid)
{
	bool is_new = false;

	if (v->kind != IMPORT_JSON_STRING || pid < (uint32_t)INT32_MAX / 2)
		return 0;
	if (!table_put(&t->told, pid, &is_new))
		return -ENOMEM;
	return is_new ? t->sink->process(t->sink->arg, pid, v->text) : 0;
}

/* Time in microseconds, as nanoseconds. 1; 0: the event cannot be used, which has been counted. */
static int read_time(struct import_events *t, const struct import_value *v, int64_t *ret)
{
	int r = !import_is_text(v) ? -EINVAL : import_number(v->text, v->len, 3, ret);

	if (r == -EINVAL)
		t->sink->notes[NOTE_INCOMPLETE]++;
	else if (r < 0 || *ret > IMPORT_MAX_US * 1000 || *ret < -IMPORT_MAX_US * 1000)
		t->sink->notes[NOTE_HUGE]++;
	else
		return 1;
	return 0;
}

static int take_complete(struct import_events *t, const struct import_value *v,
			 struct import_span *span)
{
	const struct import_value *dur = &v[FIELD_DUR];
	int64_t ns = 0;
	int r = import_is_text(dur) ? import_number(dur->text, dur->len, 3, &ns) : -EINVAL;

	if (r == -EINVAL)
		t->sink->notes[NOTE_NO_DURATION]++;
	else if (r < 0 || ns > (int64_t)IMPORT_MAX_SPAN)
		t->sink->notes[NOTE_HUGE]++;
	else if (ns < 0)
		t->sink->notes[NOTE_NEGATIVE]++;
	else {
		span->duration_ns = (uint64_t)ns;
		return t->sink->span(t->sink->arg, span);
	}
	return 0;
}

/*
 * Asynchronous events belong to what has their id: of a process when it says "local" or, as most
 * writers do, nothing.
 */
static uint64_t async_lane(struct import_events *t, const struct import_value *v, uint32_t pid,
			   bool by_name)
{
	const struct import_value *id = v[FIELD_ID_GLOBAL].kind	 ? &v[FIELD_ID_GLOBAL]
					: v[FIELD_ID_LOCAL].kind ? &v[FIELD_ID_LOCAL]
								 : &v[FIELD_ID];

	strbuf_reset(&t->key);
	strbuf_printf(&t->key, "%u %s\n", v[FIELD_ID_GLOBAL].kind ? 0 : pid,
		      v[FIELD_SCOPE].kind ? v[FIELD_SCOPE].text : "");
	if (v[FIELD_CAT].kind)
		strbuf_append(&t->key, v[FIELD_CAT].text, v[FIELD_CAT].len);
	strbuf_putc(&t->key, '\n');
	if (id->kind)
		strbuf_append(&t->key, id->text, id->len);
	if (by_name)
		strbuf_append(&t->key, v[FIELD_NAME].text, v[FIELD_NAME].len);
	return hash_bytes(t->key.data, t->key.len, 0x6173796e63) | 1ULL << 63;
}

/* Those of threads do not have the highest bit set. */
static uint64_t thread_lane(uint32_t pid, uint32_t tid)
{
	return (uint64_t)pid << 32 | tid;
}

static int take_name(struct import_events *t, const struct import_value *v)
{
	bool of_thread = streq(v[FIELD_NAME].text, "thread_name");
	const char *name = v[FIELD_ARGS_NAME].text;
	uint32_t pid, tid;
	int r;

	if ((!of_thread && !streq(v[FIELD_NAME].text, "process_name")) ||
	    v[FIELD_ARGS_NAME].kind != IMPORT_JSON_STRING)
		return 0;
	r = import_events_pid(t, &v[FIELD_PID], &pid);
	if (r >= 0 && of_thread)
		r = import_events_pid(t, &v[FIELD_TID], &tid);
	if (r < 0)
		return r;
	return of_thread ? import_trace_samples_name(t->samples, pid, tid, name)
			 : t->sink->process(t->sink->arg, pid, name);
}

/* As it is counted: "name", or "name[id]"; of several, or by another name than "value", with that.
 */
static const char *counter_name(struct import_events *t, const struct import_value *v,
				const char *series)
{
	const struct import_value *id = &v[FIELD_ID];

	strbuf_reset(&t->name);
	strbuf_puts(&t->name, v[FIELD_NAME].text);
	if (import_is_text(id))
		strbuf_printf(&t->name, "[%s]", id->text);
	if (!streq(series, "value"))
		strbuf_printf(&t->name, ".%s", series);
	return t->name.data;
}

/* Each number is a counter of its own. */
static int take_counter(struct import_events *t, const struct import_value *v,
			const struct import_series *series, struct import_span *span)
{
	int r = 0;

	span->flags |= IMPORT_INSTANT | IMPORT_COUNTER;
	t->sink->notes[NOTE_COUNTER] += !series->n || series->has_more;
	for (size_t i = 0; i < series->n && r >= 0; i++) {
		const char *text = series->items[i].text;

		span->value = strtod(text, NULL);
		if (isinf(span->value) && !strstr(text, "inf")) {
			t->sink->notes[NOTE_HUGE]++;
			continue;
		}
		span->name = counter_name(t, v, series->items[i].name);
		r = strbuf_error(&t->name) < 0 ? -ENOMEM : t->sink->span(t->sink->arg, span);
	}
	return r;
}

static int take(struct import_events *t, const struct import_value *v, char ph,
		struct import_span *span)
{
	struct import_sink *sink = t->sink;

	switch (ph) {
	case 'X':
		return take_complete(t, v, span);
	case 'B':
		return import_pairs_begin(t->pairs, span, t->error);
	case 'E':
		return import_pairs_end(t->pairs, span, t->error);
	case 'b':
	case 'S':
		span->lane = async_lane(t, v, span->pid, ph == 'S');
		return import_pairs_begin(t->pairs, span, t->error);
	case 'e':
	case 'F':
		span->lane = async_lane(t, v, span->pid, ph == 'F');
		return import_pairs_end(t->pairs, span, t->error);
	case 'n':
		span->lane = async_lane(t, v, span->pid, false);
		span->flags |= IMPORT_INSTANT;
		return sink->span(sink->arg, span);
	default: /* i, I, R */
		span->flags |= IMPORT_INSTANT;
		return sink->span(sink->arg, span);
	}
}

int import_events_add(void *arg, const struct import_value v[IMPORT_FIELDS],
		      const struct import_series *series)
{
	struct import_events *t = arg;
	const struct import_value *ph = &v[FIELD_PH];
	bool ends = ph->kind == IMPORT_JSON_STRING && ph->len == 1 && strchr("EeF", ph->text[0]);
	struct import_span span = {};
	int r;

	if (ph->kind != IMPORT_JSON_STRING || ph->len != 1 ||
	    (v[FIELD_NAME].kind != IMPORT_JSON_STRING && !ends)) {
		t->sink->notes[NOTE_INCOMPLETE]++;
		return 0;
	}
	if (ph->text[0] == 'M')
		return take_name(t, v);
	if (!strchr("XBEbeSFniIRC", ph->text[0])) {
		t->sink->notes[strchr("stf", ph->text[0]) ? NOTE_FLOW : NOTE_KIND]++;
		return 0;
	}
	r = read_time(t, &v[FIELD_TS], &span.start_ns);
	if (r > 0)
		r = import_events_pid(t, &v[FIELD_PID], &span.pid);
	else
		return r;
	if (r >= 0)
		r = tell_odd(t, &v[FIELD_PID], span.pid);
	if (r >= 0)
		r = import_events_pid(t, &v[FIELD_TID], &span.tid);
	if (r < 0)
		return r;
	span.name = v[FIELD_NAME].kind == IMPORT_JSON_STRING ? v[FIELD_NAME].text : "";
	span.category = v[FIELD_CAT].kind == IMPORT_JSON_STRING && v[FIELD_CAT].len
				? v[FIELD_CAT].text
				: NULL;
	span.lane = thread_lane(span.pid, span.tid);
	/* As sonde writes them; others have other things of these names. */
	span.binary = span.category && v[FIELD_ARGS_BINARY].kind == IMPORT_JSON_STRING
			      ? v[FIELD_ARGS_BINARY].text
			      : NULL;
	span.flags = (v[FIELD_ARGS_ERROR].kind == IMPORT_JSON_TRUE ? IMPORT_ERROR : 0U) |
		     (v[FIELD_ARGS_UNWOUND].kind == IMPORT_JSON_TRUE ? IMPORT_UNWOUND : 0U);
	r = import_trace_samples_add(t->samples, v, &span, t->error);
	if (r != 0)
		return MIN(r, 0);
	r = ph->text[0] == 'C' ? take_counter(t, v, series, &span) : take(t, v, ph->text[0], &span);
	return strbuf_error(&t->key) < 0 ? -ENOMEM : r;
}

int import_events_finish(struct import_events *t)
{
	int r = import_pairs_finish(t->pairs, t->sink, t->error);

	return r < 0 ? r : import_trace_samples_finish(t->samples, t->error);
}

int import_events_frame(void *arg, const char *id, const struct import_value v[IMPORT_FIELDS])
{
	struct import_events *t = arg;

	return import_trace_samples_frame(t->samples, id, v);
}
