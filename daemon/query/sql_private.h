/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a SQL query share: see sql.h. */
#ifndef SONDE_QUERY_SQL_PRIVATE_H
#define SONDE_QUERY_SQL_PRIVATE_H

#include "sonde/base/table.h"
#include "sql.h"
#include "store/schema.h"
#include "store/store.h"

/* Elements of the file that rows name by their ids, each kind read when it is first needed. */
struct sql_path {
	int64_t id;
	char *function, *binary, *signature_text; /* "" for what is not known */
	void *signature;			  /* by sql_texts */
	bool opened;
};
struct sql_process {
	uint32_t pid;
	char *comm;
};
struct sql_frame {
	char *function, *binary;
};
struct sql_chunk {
	int64_t id, window, session, offset_ns; /* offset: CLOCK_MONOTONIC to the epoch */
	int64_t first_us, last_us;		/* lowest start, highest end */
	int64_t kind;				/* of raw samples: enum sample_kind */
	int64_t frequency;			/* of raw samples: the session's */
};
/* Those of a table, in order of their time. */
struct sql_chunks {
	struct sql_chunk *items;
	size_t n, cap;
	bool are_read;
};
struct sql_seen { /* calls of that path ended in that window */
	int64_t window, path;
};

struct sql_names {
	struct sql_path *paths;
	struct sql_process *processes;
	struct sql_frame *frames;
	struct sql_chunks spans, samples; /* raw ones */
	struct sql_seen *seen;
	size_t n_paths, n_processes, n_frames, n_seen;
	size_t paths_cap, processes_cap, frames_cap, seen_cap;
	struct table path_index, process_index, frame_index, inlined_index;
	char **inlined; /* ";f;g": what is inlined into a frame */
	size_t n_inlined, inlined_cap;
	bool has_paths, has_processes, has_seen, has_inlined;
	sqlite3_stmt *frame, *stack, *string;
};

enum sql_stop { SQL_RUNNING, SQL_OUT_OF_TIME, SQL_OUT_OF_MEMORY, SQL_CANCELLED };

struct sql {
	sqlite3 *db;
	char *path, *copy; /* copy: as schema_open_reader() has it */
	int version;
	struct sql_options options;
	sqlite3_stmt *statement;
	/* Behind the names of the views that may read the tables: nobody can name these. */
	char secret[24];
	unsigned int inside; /* statements of our own run: all is permitted */
	uint64_t deadline_ns;
	int64_t memory_before;
	enum sql_stop stop;
	int own_code; /* of a statement of our own that has failed: the answer would lack something
		       */
	enum sql_cut cut;
	uint64_t rows, bytes, chunks_unpacked;
	char refused[256];
	bool indexed;	     /* the file finds what is of a window by indexes: the rolling store */
	bool json_tables;    /* may be used: the file has no tables of these names */
	struct table wanted; /* processes, by id; with options.selectors */
	struct sql_names names;
};

/* True when the query must end: called in loops that SQLite does not see. */
bool sql_is_over(struct sql *q);

/* Takes note of a SQLite code of our own; SQLITE_OK for those that are no failure. */
int sql_note(struct sql *q, int code);

/* sql_guard.c: from here on the connection does nothing but what is on the lists. */
void sql_guard(struct sql *q);

/* sql_views.c. A SQLite code. */
int sql_make_views(struct sql *q);
/* The text with the names of tables in braces put in, as the file's version has them. NULL: no
 * memory. */
char *sql_for_version(const struct sql *q, const char *text);
/* Of the documented tables, raw_span and raw_sample included. NULL behind the last one. */
const char *sql_view_name(size_t i);

/* sql_processes.c: before the views are made, which call SQL_WANTED with the secret. SQLite code.
 */
#define SQL_WANTED "process_is_wanted"
int sql_choose_processes(struct sql *q);
bool sql_process_is_wanted(const struct sql *q, int64_t id);

/* A table whose rows are made of what q's file holds; q is borrowed. */
struct sql_table {
	sqlite3_vtab base;
	struct sql *q;
};
/*
 * sql_table.c: makes the table of that name, by a module of the name behind "sonde_". methods lack
 * what connects and disconnects it. SQLite code.
 */
int sql_make_table(struct sql *q, const char *module, const char *name, const char *declaration,
		   sqlite3_module methods);

/* What a query asks of the time, session and window of what is in chunks: sql_range.c. */
struct sql_range {
	int64_t first_us, last_us, session, window; /* -1: any */
	bool nothing;				    /* no row can be wanted */
};
/* Constraints that narrow it, as letters of a plan, and the kind of raw samples, which does too. */
enum {
	SQL_AFTER = '>',
	SQL_BEFORE = '<',
	SQL_IN_SESSION = 's',
	SQL_IN_WINDOW = 'w',
	SQL_OF_KIND = 'k',
};
/* The columns of a table that are these. */
struct sql_range_columns {
	int time_us, session, window;
};
/* The letter of a constraint; 0: it does not help. */
char sql_range_letter(const struct sqlite3_index_constraint *c,
		      const struct sql_range_columns *columns);
/*
 * For xBestIndex of a table of `rows` rows at most, which are unpacked from chunks: idxStr is the
 * plan, a letter for each argument of xFilter. letter(): of a constraint that can be used, as
 * above.
 */
int sql_range_plan(sqlite3_index_info *info, char (*letter)(sqlite3_index_info *info, int i),
		   double rows);
void sql_range_begin(struct sql_range *r);
void sql_range_narrow(struct sql_range *r, char letter, sqlite3_value *v);
bool sql_range_has(const struct sql_range *r, const struct sql_chunk *chunk);
/*
 * Steps to the chunk's row by a statement of one parameter, made when *s is NULL; the caller resets
 * it. Chunks are larger than any value of a query may be. SQLite code: SQLITE_ROW.
 */
int sql_step_chunk(struct sql *q, sqlite3_stmt **s, const char *text, int64_t id);

/* sql_functions.c, sql_spans.c, sql_samples.c, sql_raw_samples.c. SQLite codes. */
int sql_make_functions(struct sql *q);
int sql_make_spans(struct sql *q);
int sql_make_raw_samples(struct sql *q);
int sql_make_samples(struct sql *q);

/*
 * sql_names.c. Everything is owned by q, and good until it is freed; NULL when the file has no such
 * element, or when it could not be read.
 */
struct sql_path *sql_path(struct sql *q, int64_t id);
const struct sql_process *sql_process(struct sql *q, int64_t id);
const struct sql_frame *sql_frame(struct sql *q, int64_t id);
/* Text of the table of strings: the caller frees it. */
char *sql_string(struct sql *q, int64_t id);
/* The caller's stack and the frame; false: there is no such stack. */
bool sql_stack(struct sql *q, int64_t id, int64_t *ret_parent, int64_t *ret_frame);
/* ";f;g" or NULL. */
const char *sql_inlined(struct sql *q, int64_t frame);
/* 0 or a SQLite code: read q->names.spans, .samples, and .seen. */
int sql_read_span_chunks(struct sql *q);
int sql_read_sample_chunks(struct sql *q);
int sql_read_seen(struct sql *q);
int sql_read_paths(struct sql *q);
void sql_names_release(struct sql *q);

#endif
