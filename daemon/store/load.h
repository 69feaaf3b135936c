/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the tables of a recording into a model and a window, trusting no value of any row. */
#ifndef SONDE_STORE_LOAD_H
#define SONDE_STORE_LOAD_H

#include "schema.h"
#include "store.h"

struct load_chunk {
	uint64_t first_ns;
	int64_t id;
	uint32_t window, count;
};

struct load_raw_samples {
	struct raw_sample_chunk chunk; /* without data */
	int64_t id;
	uint32_t window;
};

struct load {
	sqlite3 *db;
	const char *path; /* of the file, for messages */
	struct model *model;
	struct error *error;
	int version; /* of the file */

	struct store_session session;
	bool has_session;
	struct window total;
	bool apart;		/* windows are wanted one by one, too */
	struct window *windows; /* then these, by id from 1 on; [0] is unused */
	size_t windows_cap;
	uint32_t n_windows;
	struct load_chunk *chunks; /* in order of first_ns */
	size_t n_chunks, chunks_cap;
	struct load_raw_samples *raw_samples; /* in order of first_ns */
	size_t n_raw_samples, raw_samples_cap;

	uint32_t *symbols; /* symbol id to string id */
	size_t symbols_cap;
	uint32_t n_symbols;
	struct model_counts have; /* what was loaded so far */
};

/* Loads everything but what is raw; 0, or -errno with the error set. */
int load_all(struct load *l);
void load_release(struct load *l);

/* load_raw.c: a row of span_chunk and of raw_sample_chunk; false: it makes no sense. */
bool load_row_spans(struct load *l, sqlite3_stmt *s);
bool load_row_raw_samples(struct load *l, sqlite3_stmt *s);
/* When all have been read. */
void load_sort_raw(struct load *l);

/* BadFile about a row: returns -EBADMSG. */
int load_bad_row(const char *path, const char *table, int64_t row, struct error *error);

#endif
