/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What creating, writing and closing a file share. */
#ifndef SONDE_STORE_WRITER_H
#define SONDE_STORE_WRITER_H

#include "batch.h"
#include "line_writer.h"
#include "model/strings.h"
#include "schema.h"

enum statement {
	INSERT_STRING,
	INSERT_FILE,
	INSERT_PROCESS,
	INSERT_EVENT,
	INSERT_SYMBOL,
	INSERT_FRAME,
	UPDATE_FRAME,
	INSERT_LINE,
	DELETE_LINES,
	INSERT_STACK,
	INSERT_PROBE,
	INSERT_PATH,
	INSERT_WINDOW,
	INSERT_SAMPLES,
	INSERT_SPAN_STAT,
	INSERT_SPAN_CHUNK,
	INSERT_RAW_SAMPLES,
	INSERT_LOSS,
	STATEMENTS,
};

struct store_writer {
	sqlite3 *db;
	char *path;    /* absolute: what the file is called in the end */
	char *written; /* absolute: what is written, path or path.new */
	sqlite3_stmt *statements[STATEMENTS];
	struct store_marks have;  /* what was committed */
	uint32_t symbols_written; /* of symbols, committed */
	struct strings symbols;	  /* names of functions; ids are those of the table symbol */
	struct batch_file *files; /* by id; [0] is unused */
	size_t files_cap;
	struct line_writer lines;
	struct table process_rows; /* process id to the hash of its row in the file */
	uint64_t n_windows;
	bool unseen; /* what is not complete is of no use to anybody */
};

/* Runs a prepared insert; 0 or -1 with the code in the database. */
static inline int writer_run(struct store_writer *w, enum statement which)
{
	sqlite3_stmt *s = w->statements[which];
	int code = sqlite3_step(s);

	sqlite3_reset(s);
	return code == SQLITE_DONE ? 0 : -1;
}

/* Binds whole numbers from the first column on; unsigned ones become SQLite's signed ones. */
static inline void writer_bind(struct store_writer *w, enum statement which, const int64_t *values,
			       int n)
{
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(w->statements[which], i + 1, values[i]);
}

#define BIND(w, which, ...)                                                                        \
	writer_bind((w), (which), (const int64_t[]){__VA_ARGS__},                                  \
		    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/*
 * A number that the reader takes: a clock or counter gone wrong must not make the whole file
 * unreadable.
 */
static inline int64_t writer_number(uint64_t v)
{
	return MIN(v, STORE_MAX_NUMBER);
}

/* The window after those that were written. 0, -ENOMEM, or -1 with the code in the database. Brings
 * its raw samples into order. */
int writer_put_window(struct store_writer *w, struct window *win);

/* Sets the error of a failed write, and returns it. */
int store_writer_failed(const struct store_writer *w, struct error *error);

#endif
