/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table raw_span: its columns, and where a walk over it is. */
#ifndef SONDE_QUERY_SQL_SPANS_H
#define SONDE_QUERY_SQL_SPANS_H

#include "sql_private.h"

/* In the order of the declaration in sql_spans.c; from ARG0 on six of them. */
enum column {
	TIME_US,
	DURATION_NS,
	SELF_NS,
	OFFCPU_NS,
	SESSION,
	WINDOW,
	PROCESS,
	PID,
	TID,
	COMM,
	PATH,
	FUNCTION,
	BINARY,
	DEPTH,
	RET,
	RESULT,
	ERROR,
	UNWOUND,
	INSTANT,
	ARGS,
	EXCEPTION,
	MESSAGE,
	STACK,
	CAT,
	COUNTER,
	VALUE,
	ARG0,
};

struct sql_spans_cursor {
	sqlite3_vtab_cursor base;
	struct sql *q;
	sqlite3_stmt *data, *seen;
	struct sql_range range;
	bool *is_wanted;      /* by path; NULL: all functions are */
	struct table windows; /* windows that have calls: 1, of functions that are wanted: 2 */
	size_t chunk;	      /* the one after the one that is unpacked */
	struct span_set set;
	size_t i; /* the row is span i of it */
};

int sql_spans_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column);

#endif
