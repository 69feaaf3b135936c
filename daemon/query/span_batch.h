/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw spans as columns for exporters, batch by batch: span_batch_add() is what a spans query hands
 * its rows to (struct spans_filter). Processes, threads and functions are numbered as they come,
 * through all batches; a batch has those that it is the first to name.
 */
#ifndef SONDE_QUERY_SPAN_BATCH_H
#define SONDE_QUERY_SPAN_BATCH_H

#include "sonde/base/json.h"
#include "spans.h"

struct span_batch;

/*
 * monotonic_to_epoch_ns: added to times. details: rows that carry more than columns show are kept
 * for the caller.
 */
int span_batch_new(int64_t monotonic_to_epoch_ns, bool details, struct span_batch **ret);
struct span_batch *span_batch_free(struct span_batch *b);
DEFINE_CLEANUP(struct span_batch *, span_batch_free)

/* arg: the struct span_batch. 0 or -ENOMEM. The names that rows point into outlive the batches. */
int span_batch_add(void *arg, const struct span_row *row);
size_t span_batch_count(const struct span_batch *b);

/* Rows with details, and which spans of the batch they are. */
const struct span_row *span_batch_details(const struct span_batch *b, const uint32_t **ret_at,
					  size_t *ret_n);

/* The members "columns", "processes", "threads" and "functions". */
void span_batch_write(struct span_batch *b, struct json_writer *w);
/* Begins the next batch; the tables stay. */
void span_batch_next(struct span_batch *b);

#endif
