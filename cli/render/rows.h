/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of an answer whose columns are known at run time only, as of SQL: as a table, as JSON or as
 * CSV (RFC 4180), reply by reply. Blobs are shown in hexadecimal, NULL as an empty cell.
 */
#ifndef SONDE_RENDER_ROWS_H
#define SONDE_RENDER_ROWS_H

#include "output.h"

struct rows;

enum rows_form {
	ROWS_TABLE,
	ROWS_CSV,
	ROWS_CSV_TO_TERMINAL, /* no control characters, as in tables */
};

/* The form is that of text; JSON is what the output is set to. NULL: out of memory. */
struct rows *rows_new(struct output *o, enum rows_form form);
struct rows *rows_free(struct rows *r);
DEFINE_CLEANUP(struct rows *, rows_free)

/* Appends to the output what a reply has: its "columns", of the first one, and its "rows". */
int rows_add(struct rows *r, reply_t *reply);
/* Whatever can be shown only now. truncated: "", or what the daemon says. */
void rows_end(struct rows *r, const char *truncated);
uint64_t rows_count(const struct rows *r);

#endif
