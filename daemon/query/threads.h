/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans by thread: made of raw spans, as statistics are kept by process. threads_add() is what a
 * spans query hands its rows to (struct spans_filter).
 */
#ifndef SONDE_QUERY_THREADS_H
#define SONDE_QUERY_THREADS_H

#include "query.h"
#include "spans.h"

struct threads;

int threads_new(struct threads **ret);
struct threads *threads_free(struct threads *t);
DEFINE_CLEANUP(struct threads *, threads_free)

/* arg: the struct threads. 0 or -ENOMEM. */
int threads_add(void *arg, const struct span_row *row);
/*
 * A row a thread, named "TID COMM", with the name of its process. total_ns is the time in
 * outermost spans: nested ones are in them. limit 0: all.
 */
int threads_report(const struct threads *t, enum report_sort sort, size_t limit,
		   struct report **ret);

#endif
