/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many CPU samples were taken in the calls of each path, and in none inside them: for answers
 * about spans, of sessions that have both raw. Most answers are made of statistics, and fast: where
 * there are very many raw spans they are not gone through for this.
 */
#ifndef SONDE_CONTROL_SPAN_SAMPLES_H
#define SONDE_CONTROL_SPAN_SAMPLES_H

#include "control/methods.h"
#include "query/snapshot.h"

struct span_samples;

/* On the main thread. *ret is NULL when there is nothing to count, or too much. 0 or -ENOMEM. */
int span_samples_take(struct daemon *d, const struct asked *asked, struct span_samples **ret);
struct span_samples *span_samples_free(struct span_samples *s);
DEFINE_CLEANUP(struct span_samples *, span_samples_free)

/* On a worker: counts them. */
int span_samples_count(struct span_samples *s, struct error *error);
/* Then, on any: the counts become those of the snapshot's statistics. */
void span_samples_give(const struct span_samples *s, struct snapshot *to);

#endif
