/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What opening, writing and tending the rolling store share. */
#ifndef SONDE_STORE_HISTORY_PRIVATE_H
#define SONDE_STORE_HISTORY_PRIVATE_H

#include "history.h"
#include "sample_chunk.h"
#include "schema.h"

enum history_statement {
	H_FIND_STRING,
	H_ADD_STRING,
	H_FIND_FILE,
	H_ADD_FILE,
	H_FIND_SYMBOL,
	H_ADD_SYMBOL,
	H_FIND_FRAME,
	H_ADD_FRAME,
	H_CHANGE_FRAME,
	H_FIND_STACK,
	H_ADD_STACK,
	H_FIND_PROBE,
	H_ADD_PROBE,
	H_FIND_PATH,
	H_ADD_PATH,
	H_ADD_PROCESS,
	H_CHANGE_PROCESS,
	H_ADD_WINDOW,
	H_ADD_SAMPLES,
	H_ADD_STAT,
	H_ADD_CHUNK,
	H_ADD_LOSS,
	H_ADD_EVENT,
	H_STATEMENTS,
};

/* Model ids of one generation to the store's. */
struct history_ids {
	int64_t *ids; /* 0: not sent */
	size_t cap;
};

struct history {
	sqlite3 *db;
	char *path;
	struct history_limits limits;
	sqlite3_stmt *statements[H_STATEMENTS];
	int version;	     /* of the file as it was found */
	uint64_t n_replaced; /* processes that a program stands for, since rows were collected */
	int64_t collected_us;
	uint32_t generation;
	struct history_ids strings, files, processes, frames, stacks, probes, paths;
	/* Of files, by model id: what names of frames are found by. */
	struct model_file *file_of;
	char **path_of;
	size_t file_cap, path_cap;
	/* Pid and start of processes to the row, 0 when it has ended: they outlive a model. */
	struct table live;
	size_t live_most; /* with so many, those that have ended are dropped from it */
};

/* Prepares the statements; false: the code is in db. */
bool history_prepare(struct history *h);
void history_forget_ids(struct history *h);
/* Forgets the ids of the generation before when the batch is of another; false: it is an old one.
 */
bool history_begin_batch(struct history *h, const struct history_batch *b);
bool history_exec(struct history *h, const char *sql);
/* Ends a transaction that has failed, unless the failure has ended it. The code in db is gone. */
void history_rollback(struct history *h);
/* Makes what is only in the rolling store: its indexes, hist_merge(). */
bool history_functions(sqlite3 *db);
/* What is not in the database: out of memory, or a batch that names what was never written. */
enum { HISTORY_NO_MEMORY = -2, HISTORY_NOT_SENT = -3 };

/* The store's id of a model id; 0 for 0. HISTORY_NOT_SENT. */
static inline int64_t history_store_id(const struct history_ids *m, uint32_t id)
{
	if (!id)
		return 0;
	return id < m->cap && m->ids[id] ? m->ids[id] : HISTORY_NOT_SENT;
}

static inline void history_bind_number(sqlite3_stmt *s, int column, uint64_t v)
{
	sqlite3_bind_int64(s, column, (int64_t)MIN(v, STORE_MAX_NUMBER));
}

static inline void history_bind(sqlite3_stmt *s, const int64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sqlite3_bind_int64(s, (int)i + 1, values[i]);
}

/* Runs what is no question: 0, or -1 with the code in the database. */
static inline int history_run(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	sqlite3_reset(s);
	return code == SQLITE_DONE ? 0 : -1;
}

/* Names of the batch's frames that have none, "" where there is none; NULL: out of memory. Reading
 * symbols takes long: before the transaction. */
char **history_name_frames(struct history *h, const struct history_batch *b,
			   store_resolve_t resolve, void *arg);
char **history_free_names(char **names);
DEFINE_CLEANUP(char **, history_free_names)
/* All that the batch's window names; 0, or -1, HISTORY_NO_MEMORY, HISTORY_NOT_SENT. */
int history_put_things(struct history *h, int64_t session, const struct history_batch *b,
		       char *const *names);
/* What is remembered was not written after all: the batch's things are forgotten again. */
void history_forget_batch(struct history *h, const struct history_batch *b);

/* Rows that name things by the store's ids; they are brought into order. level: SAMPLE_CHUNK_*. 0,
 * -1, HISTORY_NO_MEMORY. */
int history_put_samples(struct history *h, int64_t window, struct sample_row *rows, size_t n,
			int level);
/* Adds up the samples of the windows in temp.part. Likewise. */
int history_sum_samples(struct history *h, struct window *sum);
/* Programs stand for the processes that the table has. Likewise. */
int history_replace_processes(struct window *sum, const struct table *programs);

/* history_programs.c: needs the tables, of this connection only. */
bool history_make_program_tables(struct history *h);
/*
 * The programs, made when they are new, that stand from now on for processes which samples of the
 * windows in temp.part and events of that session and time name: rows by rows. Likewise.
 */
int history_find_programs(struct history *h, const struct window *sum, int64_t session,
			  int64_t from_us, int64_t to_us, struct table *ret);
/* Statements of which ?1 is a session, ?2 and ?3 are times. 0, -1. */
int history_run_steps(struct history *h, const char *const *steps, size_t n, int64_t session,
		      int64_t from_us, int64_t to_us);

enum { HISTORY_GROUPS_AT_ONCE = 20 /* merged in one call, so that writing never waits for long */ };
/*
 * Windows that ended before `before_us`, merged by spans of `length_us`: at most
 * HISTORY_GROUPS_AT_ONCE of them; for good: processes that lived shortly become programs. How many
 * there were; -1, HISTORY_NO_MEMORY.
 */
int history_merge_windows(struct history *h, int64_t before_us, int64_t length_us, bool for_good);

enum { HISTORY_OLDEST = 3 /* the first format that this sonde makes its own of */ };
/* A file of that format becomes one of STORE_VERSION. Likewise; when it fails the caller rolls
 * back.
 */
int history_migrate(struct history *h, int version);

/* Drops rows that no window and nothing sent names any more; false: the caller rolls back. */
bool history_collect_garbage(struct history *h);

#endif
