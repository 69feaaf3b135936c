/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A span as OTLP has it, written field by field: what is the same for all spans of a function or a
 * thread is written once and copied.
 */
#ifndef SONDE_EXPORT_OTLP_SPAN_H
#define SONDE_EXPORT_OTLP_SPAN_H

#include "export.h"
#include "wire.h"

enum { OTLP_TRACE_ID = 16, OTLP_SPAN_ID = 8 };

struct otlp_id {
	uint8_t trace[OTLP_TRACE_ID], span[OTLP_SPAN_ID];
};

/* Another span that this one goes on with, or is in: not its parent, as it is of another trace. */
struct otlp_link {
	struct otlp_id to;
	const char *kind;
};

/* Where a span stands among the others. */
struct otlp_place {
	struct otlp_id id;
	uint8_t parent[OTLP_SPAN_ID]; /* zeros: none */
	uint32_t flags;		      /* of enum SpanFlags: whether the parent is remote */
	bool has_context;	      /* the ids are those that its attributes say */
	const struct otlp_link *links;
	size_t n_links;
	uint32_t dropped_links;
};

/* What is copied. Starts as all zero. */
struct otlp_pieces {
	struct strbuf *names, *binaries; /* of functions: a field, an attribute */
	struct strbuf *threads;		 /* an attribute */
	size_t n_functions, names_cap, binaries_cap, n_threads, threads_cap;
};

void otlp_pieces_release(struct otlp_pieces *p);
/* The element of a repeated field. 0 or -ENOMEM. */
int otlp_span_put(struct wire *w, struct otlp_pieces *pieces, const struct export *x,
		  const struct exported_span *span, const struct otlp_place *place);
/* When the span ends; it saturates. */
uint64_t otlp_end_ns(const struct exported_span *span);

#endif
