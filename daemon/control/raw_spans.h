/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw spans of a session as a worker reads them: copied out (or, of a recording, to be read
 * from its file), with the condition that they are asked for.
 */
#ifndef SONDE_CONTROL_RAW_SPANS_H
#define SONDE_CONTROL_RAW_SPANS_H

#include "control/condition.h"
#include "control/daemon.h"
#include "query/spans.h"

/* Starts as all zero. */
struct raw_spans {
	struct spans_names *names;
	struct span_chunk *chunks;
	size_t n_chunks;
	struct span_set open;		  /* of the window that is still open */
	struct store_reader *reader;	  /* borrowed, of a recording */
	const struct merged_part **parts; /* likewise, of several */
	size_t n_parts;
	struct span_condition *condition; /* NULL: none */
	bool is_needed;			  /* there is no answer where no raw spans were kept */
	uint64_t since_ns, until_ns;	  /* as of the filter; set by the caller */
	/* Calls that raw_spans_ask() has seen; pushed out of memory before, or not kept by the
	 * file. */
	uint64_t n, dropped;
	uint64_t calls; /* of a file: of its statistics, as many as there may be raw spans */
};

/*
 * On the main thread. where NULL: no condition. Fails with the error set when the session has no
 * raw spans to be asked, or the condition is none.
 */
int raw_spans_take(struct daemon *d, struct session *s, const struct selectors *selectors,
		   const char *name_glob, const char *where, struct raw_spans *ret,
		   struct error *error);
/* On a worker. The filter's match and times are set; *ret_query is the caller's to free. */
int raw_spans_ask(struct raw_spans *r, const struct spans_filter *filter,
		  struct spans_query **ret_query, struct error *error);
/*
 * The same part by part, from 0 on, in order and each once, so that others have their turn between
 * them; the filter's each() is handed the rows.
 */
int raw_spans_begin(struct raw_spans *r, const struct spans_filter *filter,
		    struct spans_query **ret_query, struct error *error);
size_t raw_spans_parts(const struct raw_spans *r);
int raw_spans_part(struct raw_spans *r, size_t i, struct spans_query *query, struct error *error);
void raw_spans_release(struct raw_spans *r);
/* Fails with the error set when what is raw goes to a file. */
int raw_refuse_recording(const struct session *s, struct error *error);

#endif
