/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQL over a file of the store, for whoever may read it: one SELECT over documented views and the
 * table of raw spans, and nothing else. Neither the file nor the text is trusted: the views are
 * temporary ones of a connection of its own, an authorizer refuses all that is not on its lists,
 * and time, memory and the size of the answer are limited. Used by one thread at a time.
 */
#ifndef SONDE_QUERY_SQL_H
#define SONDE_QUERY_SQL_H

#include "model/span_more.h"
#include "model/window.h"
#include "selectors.h"
#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

enum {
	SQL_DEFAULT_ROWS = 100000,
	SQL_DEFAULT_TIMEOUT_MS = 10000,
	SQL_MAX_TEXT = 64 << 10,    /* bytes of a query */
	SQL_MAX_VALUE = 1 << 20,    /* bytes of a text or a blob, also on the way to the answer */
	SQL_MAX_BYTES = 64 << 20,   /* of an answer */
	SQL_MAX_MEMORY = 256 << 20, /* of SQLite's, for sorting, grouping and the like */
};

/*
 * How arguments and results of raw spans are written, by the text that the file has of a function's
 * signature: what such a text means is not the store's to know. All NULL: by number, and no
 * results.
 */
struct sql_texts {
	void *(*open)(const char *signature); /* NULL: not understood */
	void (*close)(void *signature);
	/* Appends a JSON object, and text. */
	void (*args)(void *signature, const struct raw_span *span, const struct span_more *more,
		     struct strbuf *out);
	void (*result)(void *signature, const struct raw_span *span, const struct span_more *more,
		       struct strbuf *out);
	/* Of a span written in source code; NULL: of others. Good as long as the signature is. */
	const char *(*category)(void *signature);
};

/* 0: the default, or the most that there is. */
struct sql_options {
	uint64_t timeout_ms, rows, bytes, memory;
	bool (*cancelled)(void *arg); /* asked often whether to end; NULL: never */
	void *arg;
	struct sql_texts texts;
	/* Only what is of these processes, of tables whose rows are of one. NULL: all; borrowed. */
	const struct selectors *selectors;
};

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_REAL, SQL_TEXT, SQL_BLOB };

/* Text and blobs are good until the next step. */
struct sql_value {
	enum sql_type type;
	int64_t integer;
	double real;
	const char *data; /* not NULL for text and blobs */
	size_t len;
};

/* Why an answer ends before its end. */
enum sql_cut { SQL_WHOLE, SQL_CUT_ROWS, SQL_CUT_BYTES };

struct sql;

/* Opens the file (schema_open_reader()) and makes the views. BadFile and such, -errno. */
int sql_open(const char *path, const struct sql_options *options, struct error *error,
	     struct sql **ret);
struct sql *sql_free(struct sql *q);
DEFINE_CLEANUP(struct sql *, sql_free)

/*
 * Understands a query; once for a struct sql, and the time runs from here. BadQuery and -EINVAL
 * with "column N: …" or "line N, column N: …" where the place is known.
 */
int sql_prepare(struct sql *q, const char *text, struct error *error);
size_t sql_columns(const struct sql *q);
const char *sql_column_name(const struct sql *q, size_t column);
/* 1: there is a row; 0: the end, see sql_cut(); -errno: TooMany when out of time or memory. */
int sql_step(struct sql *q, struct error *error);
struct sql_value sql_value(const struct sql *q, size_t column);
enum sql_cut sql_cut(const struct sql *q);
/* How many chunks of raw spans were unpacked. */
uint64_t sql_chunks_unpacked(const struct sql *q);

#endif
