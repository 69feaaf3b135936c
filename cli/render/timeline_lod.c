/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_lod.h"

enum { SHIFT_MAX = 62, FEWER = 4 };

/* A box that is being put together, with a vote on its function that each box weighs in by time. */
struct merged {
	struct timeline_box box;
	uint64_t weight;
};

static void take(struct merged *m, const struct timeline_box *b)
{
	/* What takes no time has a say, too, where nothing else is there. */
	uint64_t weight = MAX(b->covered_ns, (uint64_t)1);

	m->box.end_ns = MAX(m->box.end_ns, b->end_ns);
	m->box.covered_ns += b->covered_ns;
	m->box.count += b->count;
	if (b->function == m->box.function) {
		m->weight += weight;
	} else if (m->weight >= weight) {
		m->weight -= weight;
	} else {
		m->box.function = b->function;
		m->weight = weight - m->weight;
	}
}

static bool is_short(const struct timeline_box *b, unsigned int shift)
{
	return (b->end_ns - b->start_ns) >> shift == 0;
}

size_t lod_merge(const struct timeline_box *boxes, size_t n, unsigned int shift,
		 struct timeline_box *out)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n;) {
		struct merged m = {boxes[i], MAX(boxes[i].covered_ns, (uint64_t)1)};
		uint64_t bin = boxes[i].start_ns >> shift;
		bool merging = is_short(&boxes[i], shift);

		for (i++; merging && i < n && boxes[i].start_ns >> shift == bin &&
			  is_short(&boxes[i], shift);
		     i++)
			take(&m, &boxes[i]);
		out[n_out++] = m.box;
	}
	return n_out;
}

/* The first one that may merge most boxes with a neighbour: about four times what there is to each.
 */
static unsigned int first_shift(const struct timeline_box *boxes, size_t n)
{
	uint64_t each = (boxes[n - 1].end_ns - boxes[0].start_ns) / n;
	unsigned int shift = 2;

	while (shift < SHIFT_MAX && each >> shift)
		shift++;
	return MIN(shift + 2, (unsigned int)SHIFT_MAX);
}

int lod_levels(struct timeline_box *boxes, size_t n,
	       int (*each)(void *arg, unsigned int shift, const struct timeline_box *boxes,
			   size_t n),
	       void *arg)
{
	_cleanup_(freep) struct timeline_box *out = NULL;

	if (n < LOD_LEAST)
		return 0;
	out = malloc(n * sizeof(*out));
	if (!out)
		return -ENOMEM;
	for (unsigned int shift = first_shift(boxes, n); n >= LOD_LEAST && shift <= SHIFT_MAX;
	     shift++) {
		size_t merged = lod_merge(boxes, n, shift, out);
		int r;

		if (merged > n / FEWER)
			continue;
		r = each(arg, shift, out, merged);
		if (r < 0)
			return r;
		memcpy(boxes, out, merged * sizeof(*out));
		n = merged;
	}
	return 0;
}
