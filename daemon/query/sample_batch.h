/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw samples as columns for exporters, batch by batch, as span_batch.h has spans. Their stacks and
 * processes are those of a snapshot that holds them all.
 */
#ifndef SONDE_QUERY_SAMPLE_BATCH_H
#define SONDE_QUERY_SAMPLE_BATCH_H

#include "model/raw_sample.h"
#include "snapshot.h"
#include "sonde/base/json.h"

struct sample_batch;

/*
 * w: the sums of the samples that will come, all of one kind; s: what was taken of it, of all
 * processes, which outlives the batches. Both may have been named and pruned since.
 * monotonic_to_epoch_ns: added to times.
 */
int sample_batch_new(const struct window *w, const struct snapshot *s,
		     int64_t monotonic_to_epoch_ns, struct sample_batch **ret);
struct sample_batch *sample_batch_free(struct sample_batch *b);
DEFINE_CLEANUP(struct sample_batch *, sample_batch_free)

/* arg: the struct sample_batch. 0; -EBADMSG: it is none of those in the sums; -ENOMEM. */
int sample_batch_add(void *arg, const struct raw_sample *sample);
size_t sample_batch_count(const struct sample_batch *b);

/* The members "columns" and "threads". */
void sample_batch_write(struct sample_batch *b, struct json_writer *w);
/* Begins the next batch; the table stays. */
void sample_batch_next(struct sample_batch *b);

#endif
