/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples and spans of an import, put into windows by their time. */
#include <cjson/cJSON.h>

#include "control/import_private.h"
#include "varlink/params.h"

enum {
	WINDOW_US = 10000000,
	WINDOW_ROWS = 65536,
	/* From here on only rows end a window: times of a file may be far apart. */
	TIMED_WINDOWS = 10000,
};
/* What a file can hold as a sum, and as a time: in nanoseconds it stays below 2^62. */
#define MAX_WEIGHT (1ULL << 61)
#define MAX_US	   ((int64_t)1 << 52)
#define MAX_NS	   ((int64_t)1 << 53)

static bool window_is_full(const struct import *i, uint64_t ns)
{
	const struct window *w = &i->window;
	const uint64_t length = WINDOW_US * NSEC_PER_USEC;

	if (w->n_samples + w->n_spans >= WINDOW_ROWS || w->n_raw >= WINDOW_ROWS)
		return true;
	return i->totals.windows < TIMED_WINDOWS &&
	       (ns >= w->start_ns + length || ns + length < w->start_ns);
}

/* Makes the window one that a row of that time belongs to. */
static int go_to(struct import *i, uint64_t ns)
{
	struct window *w = &i->window;
	int r;

	if (w->n_samples + w->n_stats > 0 && window_is_full(i, ns)) {
		r = import_roll(i);
		if (r < 0)
			return r;
	}
	if (w->n_samples + w->n_stats == 0)
		w->start_ns = w->end_ns = ns;
	w->start_ns = MIN(w->start_ns, ns);
	w->end_ns = MAX(w->end_ns, ns);
	return 0;
}

static int find_thread(const struct import *i, int64_t number, const struct import_thread **ret,
		       struct error *error)
{
	uint32_t id;
	int r = import_id(&i->ids[IMPORT_THREADS], number, "thread", &id, error);

	if (r >= 0)
		*ret = &i->threads[id - 1];
	return r;
}

static int weigh(struct import *i, uint64_t weight, struct error *error)
{
	i->weight += weight;
	return i->weight > MAX_WEIGHT
		       ? error_set(error, ERANGE, "TooMany",
				   "the times, or the counts, of the file add up to more than a "
				   "recording can hold")
		       : 0;
}

static int advance(int64_t *us, int64_t by, const char *column, struct error *error)
{
	if (by < -*us || by > MAX_US - *us)
		return error_set(error, EINVAL, "BadArgument",
				 "%s: a time is before 1970 or too far in the future", column);
	*us += by;
	return 0;
}

/* So many at one time are a sum, and no sample. */
static int keep_raw(struct import *i, const struct sample_row *row, uint32_t tid, uint64_t time_ns)
{
	const bool waits = row->kind == SAMPLE_OFFCPU;
	struct raw_sample sample = {
		.time_ns = time_ns,
		.ns = waits && row->count == 1 ? row->total_ns : 0,
		.total_ns = waits ? row->total_ns : 0,
		.process = row->process,
		.tid = tid,
		.thread = row->thread,
		.stack = row->stack,
		.kind = row->kind,
		.count = (uint32_t)row->count,
	};

	return row->count > UINT32_MAX ? 0 : window_add_raw_samples(&i->window, &sample, 1);
}

static int add_sample(struct import *i, const struct import_column c[5], size_t row,
		      struct error *error)
{
	const uint64_t count = (uint64_t)c[2].values[row];
	const struct import_thread *thread;
	struct sample_row sample = {};
	uint64_t us = i->started_us;
	int r = find_thread(i, c[0].values[row], &thread, error);

	if (r >= 0 && c[1].values[row])
		r = import_id(&i->ids[IMPORT_STACKS], c[1].values[row], "stack", &sample.stack,
			      error);
	if (r >= 0 && c[4].values) {
		r = advance(&i->sample_us, c[4].values[row], "time_us", error);
		us = (uint64_t)i->sample_us;
	}
	if (r >= 0)
		r = weigh(i, (uint64_t)MAX(c[2].values[row], import_cell(&c[3], row)), error);
	if (r >= 0)
		r = go_to(i, us * NSEC_PER_USEC);
	if (r < 0)
		return r;
	sample.process = thread->process;
	sample.thread = thread->name;
	sample.count = count;
	sample.total_ns = (uint64_t)import_cell(&c[3], row);
	/* There may be both: waits are those that took time. */
	sample.kind = i->waits && sample.total_ns ? SAMPLE_OFFCPU : SAMPLE_CPU;
	i->totals.samples += count;
	r = window_add_row(&i->window, &sample);
	return r < 0 || !c[4].values ? r : keep_raw(i, &sample, thread->tid, us * NSEC_PER_USEC);
}

int import_samples(struct import *i, const struct cJSON *table, struct error *error)
{
	struct import_column c[] = {
		{.name = "thread", .max = IMPORT_MAX_THINGS},
		{.name = "stack", .max = IMPORT_MAX_THINGS},
		{.name = "count", .min = 1, .max = MAX_NS},
		{.name = "total_ns", .max = MAX_NS, .optional = true},
		{.name = "time_us", .min = -MAX_US, .max = MAX_US, .optional = true},
	};
	size_t rows = 0;
	int r = import_columns_read(table, "samples", c, ARRAY_SIZE(c), &rows, error);

	for (size_t row = 0; row < rows && r >= 0; row++)
		r = add_sample(i, c, row, error);
	import_columns_release(c, ARRAY_SIZE(c));
	return r;
}

enum {
	SPAN_IS_ERROR = 1,
	SPAN_IS_INSTANT = 2,
	SPAN_IS_UNWOUND = 4,
	SPAN_IS_COUNTER = 8,
	SPAN_FLAGS = 15,
};

static int read_span(struct import *i, const struct import_column c[9], size_t row,
		     struct raw_span *ret, struct error *error)
{
	int64_t duration = c[4].values[row], self = c[5].values[row];
	int64_t flags = import_cell(&c[6], row);
	const struct import_thread *thread;
	uint64_t end_ns;
	int r = find_thread(i, c[0].values[row], &thread, error);

	if (r >= 0)
		r = import_id(&i->ids[IMPORT_PATHS], c[1].values[row], "path", &ret->path, error);
	if (r >= 0)
		r = advance(&i->span_us, c[2].values[row], "end_us", error);
	if (r >= 0)
		r = weigh(i, (uint64_t)duration + 1, error);
	if (r < 0)
		return r;
	end_ns = (uint64_t)i->span_us * NSEC_PER_USEC + (uint64_t)import_cell(&c[3], row);
	if ((uint64_t)duration > end_ns || self > duration || (flags & SPAN_IS_INSTANT && duration))
		return error_set(error, EINVAL, "BadArgument",
				 "spans: row %zu is longer than it can be", row);
	if (flags & SPAN_IS_COUNTER && !(flags & SPAN_IS_INSTANT))
		return error_set(error, EINVAL, "BadArgument",
				 "spans: row %zu is a counter, but no instant", row);
	ret->start_ns = end_ns - (uint64_t)duration;
	ret->duration_ns = (uint64_t)duration;
	ret->self_ns = (uint64_t)self;
	ret->process = thread->process;
	ret->tid = thread->tid;
	ret->depth = (uint16_t)model_path_get(i->model, ret->path)->depth;
	ret->flags = (flags & SPAN_IS_ERROR ? SPAN_ERROR : 0U) |
		     (flags & SPAN_IS_INSTANT ? SPAN_INSTANT : 0U) |
		     (flags & SPAN_IS_UNWOUND ? SPAN_UNWOUND : 0U) |
		     (flags & SPAN_IS_COUNTER ? SPAN_COUNTER | SPAN_VALUES : 0U);
	return 0;
}

/* The value of a counter, as the attribute that it is of those that programs count. */
static int add_span(struct import *i, const struct import_column c[9], size_t row,
		    const struct raw_span *span)
{
	uint8_t values[ATTRIBUTES_MAX_BYTES] __attribute__((aligned(8)));
	struct attribute a = {.type = ATTRIBUTE_REAL, .key = "value", .key_len = strlen("value")};
	struct span_more more = {.values = values};
	uint64_t bits = (uint64_t)import_cell(&c[7], row) << 32 | (uint64_t)import_cell(&c[8], row);

	memcpy(&a.real, &bits, sizeof(bits));
	if (span->flags & SPAN_COUNTER)
		more.values_len = (uint32_t)attributes_put(values, 0, &a, &(bool){false});
	return window_add_span(&i->window, span, more.values_len ? &more : NULL, true);
}

int import_spans(struct import *i, const struct cJSON *table, struct error *error)
{
	struct import_column c[] = {
		{.name = "thread", .max = IMPORT_MAX_THINGS},
		{.name = "path", .max = IMPORT_MAX_THINGS},
		{.name = "end_us", .min = -MAX_US, .max = MAX_US},
		{.name = "end_ns", .max = 999, .optional = true},
		{.name = "duration_ns", .max = MAX_NS},
		{.name = "self_ns", .max = MAX_NS},
		{.name = "flags", .max = SPAN_FLAGS, .optional = true},
		{.name = "value_high", .max = UINT32_MAX, .optional = true},
		{.name = "value_low", .max = UINT32_MAX, .optional = true},
	};
	size_t rows = 0;
	int r = import_columns_read(table, "spans", c, ARRAY_SIZE(c), &rows, error);

	for (size_t row = 0; row < rows && r >= 0; row++) {
		struct raw_span span = {};

		r = read_span(i, c, row, &span, error);
		if (r >= 0)
			r = go_to(i, span.start_ns + span.duration_ns);
		if (r >= 0)
			r = add_span(i, c, row, &span);
		i->totals.spans += r >= 0;
	}
	import_columns_release(c, ARRAY_SIZE(c));
	return r;
}
