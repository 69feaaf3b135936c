/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers as JSON, in the shapes of io.sonde.varlink. Each function writes one member (with its
 * key) or one element of an array; the caller opens and closes what is around it and asks
 * strbuf_error() at the end. Numbers above 2^53 - 1, which JSON readers would round, are written
 * as that.
 */
#ifndef SONDE_CONTROL_ANSWER_H
#define SONDE_CONTROL_ANSWER_H

#include "query/query.h"
#include "query/spans.h"
#include "sonde/base/json.h"
#include "sonde/record.h"

/* How complete an answer is: seen counts include what was lost. */
struct coverage {
	uint64_t spans_seen, spans_lost;
	uint64_t samples_seen, samples_lost;
	uint64_t throttled;
	uint64_t windows, windows_missing;
};

struct answer_span_options {
	int64_t monotonic_to_epoch_ns; /* is added to CLOCK_MONOTONIC: wall-clock since the epoch */
	bool args;		       /* the arguments of spans that have them */
};

void answer_coverage(struct json_writer *w, const char *key, const struct coverage *c);
/* The kinds that were lost at all. Calls that filters left out are no loss. */
void answer_losses(struct json_writer *w, const char *key, const uint64_t losses[LOSS_COUNTERS]);
/* "ring_span"; NULL for what is not a loss. */
const char *loss_name(enum loss_kind kind);

void answer_report_rows(struct json_writer *w, const char *key, const struct report *r);
void answer_graph_rows(struct json_writer *w, const char *key, const struct graph *g);
/* Writes "frames" and "stacks". snapshot: what the stacks were made from. */
void answer_stacks(struct json_writer *w, const struct snapshot *snapshot, const struct stacks *s);
/* An element of an array. */
void answer_span(struct json_writer *w, const struct span_row *row,
		 const struct answer_span_options *options);
void answer_span_rows(struct json_writer *w, const char *key, const struct span_row *rows, size_t n,
		      const struct answer_span_options *options);

#endif
