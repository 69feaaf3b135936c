/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "code_ranges.h"

/*
 * What is left of `below` around `above`, and `above`, in order. A range of `above` cuts one of
 * `below` in two at most, so the result has no more than below + 2 * above ranges.
 */
static size_t overlay(const struct code_segment *below, const struct code_segment *above,
		      struct code_range *to)
{
	struct code_range rest = {};
	size_t i = 0, n = 0;
	bool has_rest = false;

	for (size_t j = 0; j < above->n; j++) {
		const struct code_range *top = &above->items[j];

		for (; has_rest || i < below->n; has_rest = false) {
			if (!has_rest)
				rest = below->items[i++];
			has_rest = true;
			if (rest.start < top->start) {
				to[n] = rest;
				to[n++].end = MIN(rest.end, top->start);
			}
			if (rest.end > top->end) {
				rest.start = MAX(rest.start, top->end);
				break;
			}
		}
		to[n++] = *top;
	}
	if (has_rest)
		to[n++] = rest;
	while (i < below->n)
		to[n++] = below->items[i++];
	return n;
}

/* Makes one of the last two segments. */
static int merge(struct code_ranges *c)
{
	struct code_segment *below = &c->segments[c->n - 2], *above = &c->segments[c->n - 1];
	struct code_range *to = reallocarray(NULL, below->n + 2 * above->n, sizeof(*to)), *cut;
	size_t n;

	if (!to)
		return -ENOMEM;
	n = overlay(below, above, to);
	cut = reallocarray(to, n, sizeof(*to));
	free(below->items);
	free(above->items);
	*below = (struct code_segment){cut ? cut : to, n};
	*above = (struct code_segment){};
	c->n--;
	return 0;
}

int code_ranges_add(struct code_ranges *c, uint64_t start, uint64_t end, uint32_t id)
{
	struct code_range *range;
	int r = 0;

	if (start >= end)
		return -EINVAL;
	/* Merging that failed for want of memory may be behind. */
	while (c->n == CODE_SEGMENTS && r >= 0)
		r = merge(c);
	range = r < 0 ? NULL : malloc(sizeof(*range));
	if (!range)
		return -ENOMEM;
	*range = (struct code_range){start, end, id};
	c->segments[c->n++] = (struct code_segment){range, 1};
	while (c->n > 1 && c->segments[c->n - 2].n < 2 * c->segments[c->n - 1].n)
		if (merge(c) < 0)
			break;
	return 0;
}

uint32_t code_ranges_find(const struct code_ranges *c, uint64_t address)
{
	for (size_t s = c->n; s-- > 0;) {
		const struct code_segment *segment = &c->segments[s];
		size_t low = 0, high = segment->n;

		while (low < high) {
			size_t mid = low + (high - low) / 2;

			if (segment->items[mid].end <= address)
				low = mid + 1;
			else
				high = mid;
		}
		if (low < segment->n && segment->items[low].start <= address)
			return segment->items[low].id;
	}
	return 0;
}

void code_ranges_release(struct code_ranges *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->segments[i].items);
	*c = (struct code_ranges){};
}
