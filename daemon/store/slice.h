/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of an opened store as ids of a model, looked for when they are first named. */
#ifndef SONDE_STORE_SLICE_H
#define SONDE_STORE_SLICE_H

#include "history_load.h"
#include "schema.h"

/*
 * Rows that stand beside one another are read at once when two of them have been asked for: things
 * that came with one window have ids that follow one another. Numbers of 32 bits only.
 */
struct ahead {
	sqlite3_stmt *range; /* NULL: nothing is read ahead */
	uint32_t **blocks;   /* which rows are there, as two words of bits, and their numbers */
	size_t n_blocks;
	int64_t last; /* asked for alone */
};

/*
 * Rows of one table by id, as ids of the model; what was asked for is remembered. In pages, as a
 * store that has lived for long has few rows of many ids.
 */
struct translation {
	sqlite3_stmt *find;
	uint32_t **pages; /* ids plus 1; 0: not looked for yet */
	size_t n_pages;
	struct ahead ahead;
};

struct slice { /* path, m and error are set by the caller */
	sqlite3 *db;
	const char *path;
	char *copy;
	struct model *m;
	struct error *error;
	struct translation strings, files, processes, symbols, frames, stacks, probes, paths;
	bool brief; /* set by the caller: no paths of programs and no command lines of processes */
	int version;
	uint64_t steps_left;
	int64_t base_ns; /* what is added to times of the model for the epoch's */
};

/* Opens path read-only, in one transaction; 0 or -errno. */
int slice_open(struct slice *s);
/* Needs a model; after slice_open(). */
int slice_prepare(struct slice *s);
void slice_release(struct slice *s);

/* BadFile about a row: -EBADMSG. */
int slice_damaged(struct slice *s, const char *table, int64_t row);

/* The model's id of a row, 0 for 0. */
int slice_string(struct slice *s, int64_t id, uint32_t *ret);
int slice_process(struct slice *s, int64_t id, uint32_t *ret);
int slice_stack(struct slice *s, int64_t id, uint32_t *ret);
int slice_path(struct slice *s, int64_t id, uint32_t *ret);

/* What the file says of source lines of the frames that have been looked for; after all others. */
int slice_lines(struct slice *s);

#endif
