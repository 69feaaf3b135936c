/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compare_trim.h"

#include <math.h>

/* The first bucket of those that are left out: whole buckets, so at most that share of the calls.
 */
static int find_cut(const struct hist sides[static COMPARE_SIDES], uint32_t *ret)
{
	_cleanup_(hist_release) struct hist all = {};
	double left_out = 0, most;
	uint32_t i;

	for (size_t s = 0; s < COMPARE_SIDES; s++)
		if (hist_merge(&all, &sides[s]) < 0)
			return -ENOMEM;
	most = COMPARE_TRIMMED * (double)hist_count(&all);
	for (i = all.len; i > 0; i--) {
		left_out += (double)all.counts[i - 1];
		if (left_out > most)
			break;
	}
	*ret = all.first + i;
	return 0;
}

/* A part of the calls, by the midpoints of their buckets. */
struct part {
	double calls, ns;
	double blur; /* the variance of ns, as values may lie anywhere in their buckets */
};

static void add_bucket(struct part *p, uint32_t bucket, double calls)
{
	double low = (double)hist_lower(bucket), width = (double)hist_lower(bucket + 1) - low;

	p->calls += calls;
	p->ns += calls * (low + width / 2);
	p->blur += calls * width * calls * width / 12;
}

static void split(const struct hist *h, uint32_t cut, struct part *below, struct part *above)
{
	for (uint32_t i = 0; i < h->len; i++)
		if (h->counts[i])
			add_bucket(h->first + i < cut ? below : above, h->first + i,
				   (double)h->counts[i]);
}

/*
 * What calls below the cut took is known twice: by their buckets, and as what all calls took, which
 * is exact, without the buckets above. Each counts by how sure it is; where in its bucket a value
 * lies is the same in all windows.
 */
static bool trim_side(const struct compare_side *side, const struct compare_cell *cells,
		      const struct hist *all, uint32_t cut, struct estimate *ret_mean,
		      double *ret_slow)
{
	double y[COMPARE_MAX_BLOCKS], x[COMPARE_MAX_BLOCKS];
	struct part below = {}, above = {};
	double exact = 0, sure, blur;

	for (size_t i = 0; i < side->n_blocks; i++)
		exact += (double)cells[i].calls_ns;
	split(all, cut, &below, &above);
	blur = below.blur + above.blur;
	sure = blur > 0 ? above.blur / blur : 0; /* of the buckets below */
	for (size_t i = 0; i < side->n_blocks; i++) {
		struct part in = {}, out = {};

		split(&cells[i].hist, cut, &in, &out);
		x[i] = in.calls;
		y[i] = sure * in.ns + (1 - sure) * ((double)cells[i].calls_ns - out.ns);
	}
	*ret_mean = estimate_ratio(y, x, side->n_blocks);
	if (below.calls > 0)
		ret_mean->drift = sure * below.blur / (below.calls * below.calls);
	*ret_slow = exact > 0 ? MIN(above.ns / exact, 1) : 0;
	return above.calls > 0;
}

int compare_trim(const struct compare_blocks *b, size_t key, struct trimmed *ret)
{
	struct hist all[COMPARE_SIDES] = {};
	uint32_t cut;
	int r = 0;

	*ret = (struct trimmed){};
	for (size_t s = 0; s < COMPARE_SIDES; s++)
		for (size_t w = 0; w < b->sides[s].n_blocks && r >= 0; w++)
			r = hist_merge(&all[s], &compare_cells_of(&b->sides[s], key)[w].hist);
	if (r >= 0)
		r = find_cut(all, &cut);
	for (size_t s = 0; s < COMPARE_SIDES && r >= 0; s++)
		ret->any |= trim_side(&b->sides[s], compare_cells_of(&b->sides[s], key), &all[s],
				      cut, &ret->mean[s], &ret->slow[s]);
	for (size_t s = 0; s < COMPARE_SIDES; s++)
		hist_release(&all[s]);
	return r;
}
