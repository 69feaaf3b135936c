/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers as JSON, in the shapes of io.sonde.varlink. Each function writes one member (with its
 * key) or one element of an array; the caller opens and closes what is around it and asks
 * strbuf_error() at the end. Numbers above 2^53 - 1, which JSON readers would round, are written
 * as that.
 */
#ifndef SONDE_CONTROL_ANSWER_H
#define SONDE_CONTROL_ANSWER_H

#include "control/span_text.h"
#include "query/missing.h"
#include "query/query.h"
#include "query/spans.h"
#include "sonde/base/json.h"
#include "sonde/record.h"

/* How complete an answer is: seen counts include what was lost. */
struct coverage {
	uint64_t spans_seen, spans_lost;
	uint64_t samples_seen, samples_lost;
	/* Of samples_seen, without those lost: the user stack is not known to be whole; it has
	 * frames that were found by frame pointers. */
	bool has_stacks;
	uint64_t samples_partial, samples_pointers;
	uint64_t throttled;
	uint64_t windows, windows_missing;
	/* Of answers that are made of raw spans: how many there were, and how many were there no
	 * more, as memory is bounded. */
	bool has_raw;
	uint64_t raw_spans, raw_dropped;
};
static inline void coverage_add_raw(struct coverage *c, uint64_t spans, uint64_t dropped)
{
	c->has_raw = true;
	c->raw_spans = spans;
	c->raw_dropped = dropped;
}

struct answer_span_options {
	int64_t monotonic_to_epoch_ns; /* is added to CLOCK_MONOTONIC: wall-clock since the epoch */
	bool args;		       /* the arguments of spans that have them */
	struct span_texts *texts;      /* writes calls, results, exceptions, stacks; NULL: not */
};

/* One number, or an element with key NULL. */
void answer_int(struct json_writer *w, const char *key, uint64_t value);
/* Its members about raw spans, if it has any. */
void answer_raw_coverage(struct json_writer *w, const struct coverage *c);
void answer_coverage(struct json_writer *w, const char *key, const struct coverage *c);
/* The kinds that were lost at all. Calls that filters left out are no loss. */
void answer_losses(struct json_writer *w, const char *key, const uint64_t losses[LOSS_COUNTERS]);

const char *answer_frame_kind(enum frame_kind kind);
/* "ns_pid" and "container", where they say something; container may be NULL. */
void answer_place(struct json_writer *w, uint32_t ns_pid, const char *container);
/* In hexadecimal, without the zeros that a short one is padded with. */
void answer_build_id(struct json_writer *w, const char *key,
		     const uint8_t build_id[static BUILD_ID_LEN]);

void answer_report_rows(struct json_writer *w, const char *key, const struct report *r);
void answer_graph_rows(struct json_writer *w, const char *key, const struct graph *g);
/* Writes "frames" and "stacks". snapshot: what the stacks were made from. */
void answer_stacks(struct json_writer *w, const struct snapshot *snapshot, const struct stacks *s);
void answer_missing(struct json_writer *w, const char *key, const struct missing *m);
/* An element of an array. */
void answer_span(struct json_writer *w, const struct span_row *row,
		 const struct answer_span_options *options);
void answer_span_rows(struct json_writer *w, const char *key, const struct span_row *rows, size_t n,
		      const struct answer_span_options *options);

#endif
