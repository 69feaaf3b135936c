/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which trace a span is of and which span is its parent. Spans come a thread after the other,
 * callers first. A trace is what happened below an outermost span of a thread; its id, and those of
 * its spans, are made of process, thread and times, so that another export says the same. A span
 * with a trace context of its program (traceparent) has the ids in there, and what is below it is
 * of that trace, too.
 */
#ifndef SONDE_EXPORT_OTLP_NEST_H
#define SONDE_EXPORT_OTLP_NEST_H

#include "otlp_span.h"
#include "sonde/base/table.h"

/* As many are looked for when spans are said to be remote; of those beyond it is not known. */
enum { OTLP_MAX_CONTEXTS = 1 << 18 };

/* A trace context that a program has handed on. */
struct otlp_context {
	struct otlp_id id;
	uint8_t parent[OTLP_SPAN_ID]; /* zeros: none */
};

/* Whether the span has one. */
bool otlp_context_of(const struct exported_span *span, struct otlp_context *ret);
/* The id of a span as the key of a table. */
uint64_t otlp_span_key(const uint8_t id[static OTLP_SPAN_ID]);

struct otlp_open {
	uint64_t start_ns, end_ns;
	uint64_t number; /* how many spans came before */
	struct otlp_id id;
};

/* Starts as all zero. */
struct otlp_nest {
	uint32_t thread; /* its index, plus 1; 0: none yet */
	uint64_t n;	 /* spans so far */
	struct otlp_open *open;
	size_t n_open, open_cap;
};

void otlp_nest_release(struct otlp_nest *n);
/* Of all that is open at that time, the innermost; NULL: nothing is. */
const struct otlp_open *otlp_nest_at(const struct otlp_nest *n, uint64_t ns);
/*
 * The place of the next span. contexts: spans of the export that have one (otlp_span_key() → index
 * of the process). *ret_around: the span around it that is not its parent, though nothing else is
 * nearer; with an end of 0: there is none. 0 or -ENOMEM.
 */
int otlp_nest_span(struct otlp_nest *n, const struct span_source *source,
		   const struct table *contexts, const struct exported_span *span,
		   struct otlp_place *ret, struct otlp_open *ret_around);

#endif
