/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hist.h"

/* Ranges grow in steps, so that a slowly widening histogram is not copied for each value. */
enum { STEP = 16 };

static int widen(struct hist *h, uint32_t first, uint32_t end)
{
	uint64_t *counts;

	if (h->len) {
		first = MIN(first, h->first);
		end = MAX(end, h->first + h->len);
	}
	first -= first % STEP;
	end = MIN((end + STEP - 1) / STEP * STEP, (uint32_t)HIST_BUCKETS);
	counts = calloc(end - first, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	if (h->len)
		memcpy(counts + (h->first - first), h->counts, h->len * sizeof(*counts));
	free(h->counts);
	*h = (struct hist){.first = first, .len = end - first, .counts = counts};
	return 0;
}

int hist_add_bucket(struct hist *h, uint32_t bucket, uint64_t count)
{
	if (bucket >= HIST_BUCKETS)
		return -EINVAL;
	/* Unsigned: a bucket below the first one wraps around to a large number. */
	if (bucket - h->first >= h->len) {
		int r = widen(h, bucket, bucket + 1);

		if (r < 0)
			return r;
	}
	h->counts[bucket - h->first] += count;
	return 0;
}

int hist_merge(struct hist *h, const struct hist *other)
{
	uint32_t end = other->first + other->len;

	if (!other->len)
		return 0;
	if (!h->len || other->first < h->first || end > h->first + h->len) {
		int r = widen(h, other->first, end);

		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < other->len; i++)
		h->counts[other->first - h->first + i] += other->counts[i];
	return 0;
}

uint64_t hist_count(const struct hist *h)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < h->len; i++)
		sum += h->counts[i];
	return sum;
}

static uint64_t midpoint(uint32_t bucket)
{
	uint64_t low = hist_lower(bucket);

	/* The last bucket has no upper end. */
	if (bucket + 1 >= HIST_BUCKETS)
		return low;
	return low + (hist_lower(bucket + 1) - low - 1) / 2;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t count = hist_count(h), rank, seen = 0;
	uint32_t last = 0;

	if (!count)
		return 0;
	/* Written so that NaN counts as 0. */
	if (!(q > 0))
		q = 0;
	rank = q >= 1 ? count : (uint64_t)(q * (double)count);
	/* q of the values lie at or below the one of this rank, counted from 1 and rounded up. */
	if ((double)rank < q * (double)count)
		rank++;
	rank = MIN(MAX(rank, 1), count);
	for (uint32_t i = 0; i < h->len; i++) {
		if (!h->counts[i])
			continue;
		last = h->first + i;
		seen += h->counts[i];
		if (seen >= rank)
			break;
	}
	return midpoint(last);
}

uint64_t hist_step_count(const struct hist *h, uint32_t step)
{
	uint32_t from = MAX(step * HIST_STEP_BUCKETS, h->first);
	uint32_t to = MIN((step + 1) * HIST_STEP_BUCKETS, h->first + h->len);
	uint64_t sum = 0;

	for (uint32_t i = from; i < to; i++)
		sum += h->counts[i - h->first];
	return sum;
}

uint32_t hist_steps(const struct hist *h, uint32_t *ret_first)
{
	uint32_t first = h->first / HIST_STEP_BUCKETS;
	uint32_t end = (h->first + h->len + HIST_STEP_BUCKETS - 1) / HIST_STEP_BUCKETS;

	while (first < end && !hist_step_count(h, first))
		first++;
	while (end > first && !hist_step_count(h, end - 1))
		end--;
	*ret_first = first;
	return end - first;
}

void hist_release(struct hist *h)
{
	free(h->counts);
	*h = (struct hist){};
}
