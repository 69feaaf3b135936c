/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What batches of columns for exporters have in common: columns of varints, and tables of what
 * their rows name, which are numbered as they come, through all batches; a batch has those that it
 * is the first to name. Private to the module.
 */
#ifndef SONDE_QUERY_BATCH_H
#define SONDE_QUERY_BATCH_H

#include "sonde/base/json.h"
#include "sonde/base/table.h"

/* Starts as all zero, and with batch_table_begin(). */
struct batch_table {
	struct table numbers;
	struct strbuf fresh; /* a JSON array without its brackets */
	struct json_writer w;
};

/* Begins another batch: nothing is fresh. */
void batch_table_begin(struct batch_table *t);
void batch_table_release(struct batch_table *t);
/* The number of what has that key: 1 when it is new and the caller is to describe it by the
 * table's writer, 0, -ENOMEM. */
int batch_table_number(struct batch_table *t, uint64_t key, uint32_t *ret);
/* What is fresh, as a member. */
void batch_table_write(const struct batch_table *t, struct json_writer *w, const char *key);

void batch_column_put(struct strbuf *column, uint64_t value);
/* Of `rows` rows, as the member "columns". */
void batch_columns_write(const struct strbuf *columns, const char *const *names, size_t n_columns,
			 size_t rows, struct json_writer *w);

/* Nanoseconds since the epoch. What lies before it, of a clock that is not set, or far behind it,
 * is at the limit. */
uint64_t batch_epoch_ns(int64_t monotonic_to_epoch_ns, uint64_t monotonic_ns);

#endif
