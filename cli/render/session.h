/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions, losses and coverage as text: what several verbs show alike. */
#ifndef SONDE_RENDER_SESSION_H
#define SONDE_RENDER_SESSION_H

#include "output.h"

/* The sum of the losses in an array member of object. */
uint64_t losses_total(reply_t *object, const char *key);
/* "0 lost", or "3 lost (ring 2, too deep 1)". */
void losses_text(struct strbuf *out, reply_t *object, const char *key);

/* A table of the sessions in an array member of reply. */
void sessions_table(struct output *o, reply_t *reply, const char *key);

/* One line each on standard error when less than 99 % of what was seen is in the answer, and when
 * less than 99 % of the stacks of samples are known to be whole. */
void coverage_note(struct output *o, reply_t *reply);

/* What an answer of report, graph or flame is about. */
enum answer_kind { ANSWER_SPANS, ANSWER_CPU, ANSWER_WAITS };
enum answer_kind answer_kind(reply_t *reply);
/* "spans", "samples", "waits" */
const char *answer_kind_plural(enum answer_kind kind);

/* What of a condition could not be decided, a line each on standard error; and raw_note(). */
void notes_note(struct output *o, reply_t *reply);
/* How many spans the condition could not be asked about, as they were not kept. of: "" or a side.
 */
void raw_note(struct output *o, const char *of, reply_t *coverage);

/* Specifications or functions that were left out, a line each on standard error. */
void left_out_note(struct output *o, reply_t *reply);

#endif
