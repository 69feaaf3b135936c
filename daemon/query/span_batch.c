/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span_batch.h"

#include "batch.h"
#include "sonde/base/varint.h"
#include "sonde/span_columns.h"

struct span_batch {
	int64_t monotonic_to_epoch_ns;
	bool wants_details;
	uint32_t n;
	uint64_t last_start;
	struct strbuf columns[SPAN_COLUMNS];
	struct batch_table processes, threads, functions;
	struct span_row *details;
	uint32_t *at; /* which spans of the batch they are */
	size_t n_details, details_cap, at_cap;
};

static void begin(struct span_batch *b)
{
	struct batch_table *tables[] = {&b->processes, &b->threads, &b->functions};

	b->n = 0;
	b->last_start = 0;
	for (size_t i = 0; i < SPAN_COLUMNS; i++)
		strbuf_reset(&b->columns[i]);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		batch_table_begin(tables[i]);
	for (size_t i = 0; i < b->n_details; i++)
		span_row_release(&b->details[i]);
	b->n_details = 0;
}

int span_batch_new(int64_t monotonic_to_epoch_ns, bool details, struct span_batch **ret)
{
	struct span_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->monotonic_to_epoch_ns = monotonic_to_epoch_ns;
	b->wants_details = details;
	begin(b);
	*ret = b;
	return 0;
}

struct span_batch *span_batch_free(struct span_batch *b)
{
	if (!b)
		return NULL;
	begin(b);
	for (size_t i = 0; i < SPAN_COLUMNS; i++)
		strbuf_release(&b->columns[i]);
	batch_table_release(&b->processes);
	batch_table_release(&b->threads);
	batch_table_release(&b->functions);
	free(b->details);
	free(b->at);
	free(b);
	return NULL;
}

static int number_process(struct span_batch *b, const struct span_row *row, uint32_t *ret)
{
	int r = batch_table_number(&b->processes, row->span.process, ret);
	struct json_writer *w = &b->processes.w;

	if (r <= 0)
		return r;
	json_object_begin(w, NULL);
	json_u64(w, "pid", row->pid);
	json_string(w, "comm", row->comm ? row->comm : "");
	if (row->ns_pid)
		json_u64(w, "ns_pid", row->ns_pid);
	if (row->container && *row->container)
		json_string(w, "container", row->container);
	if (row->host)
		json_string(w, "host", row->host);
	json_object_end(w);
	return 0;
}

static int number_thread(struct span_batch *b, const struct span_row *row, uint32_t *ret)
{
	uint64_t key = (uint64_t)row->span.process << 32 | row->span.tid;
	int r = batch_table_number(&b->threads, key, ret);
	struct json_writer *w = &b->threads.w;
	uint32_t process;

	if (r <= 0)
		return r;
	r = number_process(b, row, &process);
	if (r < 0)
		return r;
	json_object_begin(w, NULL);
	json_u64(w, "process", process);
	json_u64(w, "tid", row->span.tid);
	json_object_end(w);
	return 0;
}

/* Each function's name is in memory once: its address tells it from others of that name. */
static int number_function(struct span_batch *b, const struct span_row *row, uint32_t *ret)
{
	int r = batch_table_number(&b->functions, (uintptr_t)row->name, ret);
	struct json_writer *w = &b->functions.w;

	if (r <= 0)
		return r;
	json_object_begin(w, NULL);
	json_string(w, "name", row->name);
	json_string(w, "binary", row->binary ? row->binary : "");
	if (row->category)
		json_string(w, "cat", row->category);
	json_object_end(w);
	return 0;
}

static void put(struct span_batch *b, enum span_column column, uint64_t value)
{
	batch_column_put(&b->columns[column], value);
}

static uint64_t exported_flags(uint16_t flags)
{
	return (flags & SPAN_UNWOUND ? EXPORTED_UNWOUND : 0) |
	       (flags & SPAN_ERROR ? EXPORTED_ERROR : 0) | (flags & SPAN_TAIL ? EXPORTED_TAIL : 0) |
	       (flags & SPAN_KERNEL ? EXPORTED_KERNEL : 0) |
	       (flags & SPAN_INSTANT ? EXPORTED_INSTANT : 0) |
	       (flags & SPAN_COUNTER ? EXPORTED_COUNTER : 0) |
	       (flags & SPAN_ASYNC ? EXPORTED_ASYNC : 0);
}

static bool has_details(const struct span_more *more)
{
	return more->args || more->values_len || more->valid || more->offcpu_ns || more->stack ||
	       more->exception_type || more->exception_message;
}

static int keep_details(struct span_batch *b, const struct span_row *row)
{
	int r;

	if (array_reserve(&b->details, &b->details_cap, b->n_details + 1, sizeof(*b->details)) <
		    0 ||
	    array_reserve(&b->at, &b->at_cap, b->n_details + 1, sizeof(*b->at)) < 0)
		return -ENOMEM;
	r = span_row_copy(&b->details[b->n_details], row);
	if (r < 0)
		return r;
	b->at[b->n_details++] = b->n;
	return 0;
}

int span_batch_add(void *arg, const struct span_row *row)
{
	struct span_batch *b = arg;
	uint64_t start = batch_epoch_ns(b->monotonic_to_epoch_ns, row->span.start_ns);
	uint32_t thread, function;
	int r = number_thread(b, row, &thread);

	if (r >= 0)
		r = number_function(b, row, &function);
	if (r >= 0 && b->wants_details && has_details(&row->more))
		r = keep_details(b, row);
	if (r < 0)
		return r;
	put(b, SPAN_COLUMN_START, zigzag(start - b->last_start));
	b->last_start = start;
	put(b, SPAN_COLUMN_DURATION, row->span.duration_ns);
	put(b, SPAN_COLUMN_SELF, row->span.self_ns);
	put(b, SPAN_COLUMN_THREAD, thread);
	put(b, SPAN_COLUMN_FUNCTION, function);
	put(b, SPAN_COLUMN_DEPTH, row->span.depth);
	put(b, SPAN_COLUMN_FLAGS, exported_flags(row->span.flags));
	put(b, SPAN_COLUMN_RET, zigzag(row->span.ret));
	b->n++;
	return 0;
}

size_t span_batch_count(const struct span_batch *b)
{
	return b->n;
}

const struct span_row *span_batch_details(const struct span_batch *b, const uint32_t **ret_at,
					  size_t *ret_n)
{
	*ret_at = b->at;
	*ret_n = b->n_details;
	return b->details;
}

void span_batch_write(struct span_batch *b, struct json_writer *w)
{
	static const char *const names[SPAN_COLUMNS] = {
#define COLUMN(id, name) [SPAN_COLUMN_##id] = name,
#include "sonde/span_columns.def"
#undef COLUMN
	};

	batch_columns_write(b->columns, names, SPAN_COLUMNS, b->n, w);
	batch_table_write(&b->processes, w, "processes");
	batch_table_write(&b->threads, w, "threads");
	batch_table_write(&b->functions, w, "functions");
}

void span_batch_next(struct span_batch *b)
{
	begin(b);
}
