/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of an import share: tables that name things, and rows of what was measured.
 */
#ifndef SONDE_CONTROL_IMPORT_PRIVATE_H
#define SONDE_CONTROL_IMPORT_PRIVATE_H

#include "control/import.h"

/* The client's numbers, from 1 on, to ids of the model. */
struct import_ids {
	uint32_t *ids; /* of number n: ids[n - 1] */
	size_t n, cap;
};

enum import_kind {
	IMPORT_STRINGS,
	IMPORT_PROCESSES,
	IMPORT_THREADS, /* the model has none: an id is 1 + the index in threads */
	IMPORT_FILES,
	IMPORT_FRAMES,
	IMPORT_STACKS,
	IMPORT_PROBES,
	IMPORT_PATHS,
	IMPORT_KINDS,
};

struct import_thread {
	uint32_t process, tid, name;
};

struct import {
	struct model *model;
	struct store_writer *writer;
	struct store_marks marks;
	struct window window;
	struct store_batch **batches; /* windows that are to be written */
	size_t n_batches, batches_cap;
	struct import_ids ids[IMPORT_KINDS];
	struct import_thread *threads;
	size_t n_threads, threads_cap;
	uint32_t spec, signature;   /* of every probe */
	bool waits;		    /* samples with a length are there, too */
	uint64_t started_us;	    /* of rows that have no time */
	int64_t sample_us, span_us; /* of the last row */
	uint64_t weight;	    /* of all rows: sums must stay within what a file can hold */
	struct import_totals totals;
};

/* A column of a table: integers from min to max. */
struct import_column {
	const char *name;
	int64_t min, max;
	bool optional;	 /* when it is absent its values are 0 */
	int64_t *values; /* owned; NULL: absent */
};

/* The columns of an object; how many rows there are in *ret_rows. The caller releases them. */
int import_columns_read(const struct cJSON *table, const char *name, struct import_column *columns,
			size_t n, size_t *ret_rows, struct error *error);
void import_columns_release(struct import_column *columns, size_t n);
static inline int64_t import_cell(const struct import_column *c, size_t row)
{
	return c->values ? c->values[row] : 0;
}
/* A number of the client that must be known: 0 with the id, or -EINVAL with a BadArgument. */
int import_id(const struct import_ids *ids, int64_t number, const char *column, uint32_t *ret,
	      struct error *error);

/* The tables samples and spans. */
int import_samples(struct import *i, const struct cJSON *table, struct error *error);
int import_spans(struct import *i, const struct cJSON *table, struct error *error);

#endif
