/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw spans, filtered and put in order. Chunks are handed in one by one (from memory or from a
 * file); memory stays bounded by the limit, the newest (or the longest) spans win.
 */
#ifndef SONDE_QUERY_SPANS_H
#define SONDE_QUERY_SPANS_H

#include "snapshot.h"
#include "store/chunk.h"

/* By time it is the newest that are kept with a limit, unless the oldest are asked for. */
enum spans_sort { SPANS_BY_TIME, SPANS_BY_DURATION, SPANS_OLDEST };

struct span_row;

struct spans_filter {
	uint64_t min_duration_ns;
	const char *name; /* glob over the function's name, NULL for any */
	bool errors_only;
	/* Only what starts from … to before, on the spans' clock. 0: no such limit. */
	uint64_t since_ns, until_ns;
	/* Of what starts before that, only what ends later. */
	uint64_t ends_after_ns;
	enum spans_sort sort;
	size_t limit; /* 0: a default of 1,000,000 */
	/* Asked last, about rows that all else lets through. NULL: all are wanted. */
	bool (*match)(void *arg, const struct span_row *row);
	void *match_arg;
	/* Rows are handed on in the order of the spans, and not kept, when set. 0 or -errno. */
	int (*each)(void *arg, const struct span_row *row);
	void *arg;
};

/*
 * Names must outlive the query. The filter's strings need not: it is evaluated by
 * spans_query_new(). Spans of processes and paths that the names do not know came after the names
 * were taken: they are not part of the answer.
 */
struct spans_query;
/*
 * paths and processes say which ids of the model are wanted and how they are called: made by
 * spans_names_take() by the thread that owns the model, so that decoding runs in a worker.
 */
struct spans_names;
int spans_names_take(struct model *m, const struct selectors *selectors, const char *name_glob,
		     struct spans_names **ret);
struct spans_names *spans_names_free(struct spans_names *n);
DEFINE_CLEANUP(struct spans_names *, spans_names_free)

struct span_row {
	struct raw_span span;
	struct span_more more;		  /* of rows that are kept: good until the query is freed */
	uint32_t pid, ns_pid;		  /* ns_pid: 0 where it says nothing */
	const char *comm, *name, *binary; /* point into the names */
	const char *category;		  /* likewise; NULL: it has none */
	const char *container;		  /* likewise; NULL or "": in none */
	const char *host;   /* likewise; NULL or "": there is only one, or not known */
	const char *caller; /* the function of the path's parent; "" for none */
};

/* A copy with arguments and values of its own; the rest is borrowed as before. 0 or -ENOMEM. */
int span_row_copy(struct span_row *to, const struct span_row *row);
void span_row_release(struct span_row *row); /* of a copy */

int spans_query_new(const struct spans_names *names, const struct spans_filter *filter,
		    struct spans_query **ret);
int spans_query_chunk(struct spans_query *q, const struct span_chunk *chunk);
/* Not packed yet. */
int spans_query_set(struct spans_query *q, const struct span_set *set);
/* How many of the spans that it was handed are values of counters, and no calls. */
uint64_t spans_query_counters(const struct spans_query *q);
/* Sorts; the rows belong to the query. Spans of the same start are ordered outermost first. */
int spans_query_finish(struct spans_query *q, const struct span_row **ret_rows, size_t *ret_n);
struct spans_query *spans_query_free(struct spans_query *q);
DEFINE_CLEANUP(struct spans_query *, spans_query_free)

#endif
