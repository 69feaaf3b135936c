/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A latency histogram in memory: the buckets of sonde/hist.h, kept only between the lowest and
 * the highest that was hit, so that a path with little spread costs a few hundred bytes.
 */
#ifndef SONDE_MODEL_HIST_H
#define SONDE_MODEL_HIST_H

#include "sonde/base/util.h"
#include "sonde/hist.h"

struct hist {
	uint32_t first, len; /* buckets first … first + len - 1 are kept */
	uint64_t *counts;
};

int hist_add_bucket(struct hist *h, uint32_t bucket,
		    uint64_t count); /* -EINVAL past HIST_BUCKETS */
/* 0 or -ENOMEM. */
static inline int hist_add(struct hist *h, uint64_t ns, uint64_t count)
{
	uint32_t bucket = hist_bucket(ns);

	/* For each span: nearly always a bucket that is kept already, see hist_add_bucket(). */
	if (bucket - h->first >= h->len)
		return hist_add_bucket(h, bucket, count);
	h->counts[bucket - h->first] += count;
	return 0;
}
int hist_merge(struct hist *h, const struct hist *other);
uint64_t hist_count(const struct hist *h);
/* The value below which the share q (0 … 1) of the values lies; midpoint of its bucket, 0 when
 * empty. */
uint64_t hist_quantile(const struct hist *h, double q);
void hist_release(struct hist *h);
/* What *h has, which is empty then. */
static inline struct hist hist_take(struct hist *h)
{
	struct hist taken = *h;

	*h = (struct hist){};
	return taken;
}

/*
 * Steps of which two double the duration, of a few numbers each: from 0, 16, 32, 48, 64, 96, 128 …
 * ns on. The first one that has values, and how many there are until the last one (0: none).
 */
enum { HIST_STEP_BUCKETS = HIST_SUB / 2 };
uint32_t hist_steps(const struct hist *h, uint32_t *ret_first);
uint64_t hist_step_count(const struct hist *h, uint32_t step);

#endif
