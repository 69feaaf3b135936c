/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where answers go. Commands never print: they hand what the daemon answered to the functions
 * behind struct output, which show it as text or as JSON. Data goes to standard output (through a
 * pager where that is a terminal), or to a file that appears under its name when it is complete;
 * notes and errors go to standard error.
 */
#ifndef SONDE_RENDER_OUTPUT_H
#define SONDE_RENDER_OUTPUT_H

#include "reply.h"
#include "sonde/base/error.h"

enum style {
	STYLE_NONE,
	STYLE_HEAD,
	STYLE_HOT,
	STYLE_WARM,
	STYLE_DIM,
	STYLE_GOOD,
	STYLE_BAD,
	STYLE_COUNT,
};

struct output_config {
	bool json, quiet, no_pager;
	const char *path;  /* NULL or "-": standard output. Borrowed. */
	const char *color; /* "auto", "always", "never" */
};

struct output;

/* How an answer is shown. */
struct view {
	/* Appends text to output_data(). arg is the caller's. */
	void (*text)(struct output *o, reply_t *reply, const void *arg);
	/* In JSON, members named "key" are called that; NULL: they keep their name. */
	const char *key_name;
};

struct output *output_new(const struct output_config *config); /* NULL: out of memory */
struct output *output_free(struct output *o);		       /* an unfinished file is removed */
DEFINE_CLEANUP(struct output *, output_free)

/* Shows a whole answer; call it once. JSON: one document with "schema": 1. */
void output_answer(struct output *o, reply_t *reply, const struct view *view, const void *arg);
/* Shows one span of a stream. JSON: one line. The head comes before the first one, or at once. */
void output_span(struct output *o, reply_t *span, bool args);
void output_span_head(struct output *o);
/* Opens the JSON document for an answer that is no reply ("schema" is written); NULL for text. */
struct json_writer *output_document(struct output *o);
void output_document_end(struct output *o);

/* Writes out what has been appended so far: for streams, and for long answers. 0, -errno. */
int output_flush(struct output *o, struct error *e);
/* No pager: the answer comes little by little. */
void output_streaming(struct output *o);
/* Flushes, puts a file in its place, waits for the pager. 0, -errno with a WriteFailed. */
int output_finish(struct output *o, struct error *e);

/* A line on standard error, unless quiet. */
void output_note(struct output *o, const char *fmt, ...) _printf_(2, 3);
/* The error on standard error; with JSON as a document on standard output. */
void output_error(struct output *o, const struct error *e);

bool output_is_json(const struct output *o);
struct strbuf *output_data(struct output *o);
size_t output_width(const struct output *o); /* of the terminal in characters; 0: no limit */
/*
 * How wide a table should be at most: as the terminal, with a pager, too, or what $COLUMNS says
 * where there is none; 0: no limit. *ret_scrolls: nothing need be cut, as a pager scrolls sideways
 * where so many lines are too many for the terminal.
 */
size_t output_room(const struct output *o, size_t lines, bool *ret_scrolls);
/* How wide a picture should be: the terminal (a pager shows in it, too), else $COLUMNS, else 80. */
size_t output_columns(const struct output *o);
/* ASCII only: the locale's characters are not UTF-8, or colours were refused by --color never. */
bool output_is_plain(const struct output *o);
const char *output_style(const struct output *o, enum style style);
const char *output_style_end(const struct output *o, enum style style);

#endif
