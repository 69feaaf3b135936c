/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of Diff as text: the table, what the gates say, and what goes with both. */
#ifndef SONDE_RENDER_DIFF_H
#define SONDE_RENDER_DIFF_H

#include "output.h"

/* For struct view. arg: struct diff_view. */
struct diff_view {
	const char *before, *after; /* as they were given on the command line */
	const char *key_title;	    /* "FUNCTION" */
};
void diff_text(struct output *o, reply_t *reply, const void *arg);
/* On standard error: the sides, how many rows may be chance, why gates were not judged. */
void diff_notes(struct output *o, reply_t *reply, const struct diff_view *view);

/* False when a gate has failed, or could not be judged. */
bool diff_passed(reply_t *reply);

/* What both text and reports show. */
/* Is it about spans, not samples? */
bool diff_is_spans(reply_t *reply);
/* What a side's session has seen of them, and how many of these it has lost. */
void diff_coverage(reply_t *reply, const char *side, uint64_t *ret_seen, uint64_t *ret_lost);
/* "+9.9 %"; "new", "gone" or "" where there is nothing to be divided by. */
void diff_change(struct strbuf *out, reply_t *value);
/* "+8.1 … +11.7 %", "" when it is not known. */
void diff_interval(struct strbuf *out, reply_t *value);
/* A figure in the unit of its metric. */
void diff_figure(struct strbuf *out, const char *metric, double figure);
/* "1.2 ms → 1.3 ms, +9.9 % (+8.1 … +11.7 %)": both figures of a value, and how it has changed. */
void diff_evidence(struct strbuf *out, const char *metric, reply_t *value);
/* "holds", "holds not", "10 calls, needs 30". */
void diff_verdict(struct strbuf *out, reply_t *finding);

#endif
