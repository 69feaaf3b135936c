/* SPDX-License-Identifier: GPL-2.0-or-later */
/* However long a session is, its past is all there, in a bounded number of windows. */
#include <criterion/criterion.h>

#include "control/past.h"

enum { SECONDS = 1000 };

static int add(struct past **past, size_t i, uint32_t paths)
{
	struct window w = {.start_ns = i * NSEC_PER_SEC, .end_ns = (i + 1) * NSEC_PER_SEC};
	int r = 0;

	for (uint32_t path = 1; path <= paths; path++) {
		struct raw_span span = {.process = 1, .path = path, .duration_ns = 1000 + i};

		cr_assert_eq(window_add_span(&w, &span, NULL, true), 0);
	}
	w.losses[LOSS_RING_SPAN] = 1;
	r = past_add(past, &w);
	window_release(&w);
	return r;
}

static void check(const struct past *p, size_t n, uint32_t paths)
{
	uint64_t calls = 0, losses = 0, longest = 0;

	cr_assert_leq(p->n, PAST_WINDOWS);
	for (size_t i = 0; i < p->n; i++) {
		const struct window *w = &p->windows[i];
		uint64_t length = w->end_ns - w->start_ns;

		cr_assert_eq(w->start_ns, i ? p->windows[i - 1].end_ns : 0, "a gap at %zu", i);
		cr_assert_eq(w->n_spans, 0, "raw spans");
		for (size_t s = 0; s < w->n_stats; s++)
			calls += w->stats[s].calls;
		losses += w->losses[LOSS_RING_SPAN];
		/* All but the last one are of the same length. */
		longest = MAX(longest, length);
		if (i + 1 < p->n)
			cr_assert_eq(length, longest, "%zu windows, number %zu", n, i);
		else
			cr_assert_leq(length, longest);
	}
	cr_assert_eq(p->windows[p->n - 1].end_ns, n * NSEC_PER_SEC);
	cr_assert_eq(calls, n * paths);
	cr_assert_eq(losses, n);
}

Test(past, covers_everything_in_windows_of_one_length)
{
	struct past *p = NULL;

	for (size_t i = 0; i < SECONDS; i++) {
		cr_assert_eq(add(&p, i, 2), 0);
		check(p, i + 1, 2);
		/* Joined only when it must be. */
		cr_assert_geq(p->n, MIN(i + 1, (size_t)PAST_WINDOWS / 2));
	}
	past_free(p);
}

Test(past, many_rows_are_fewer_windows)
{
	struct past *p = NULL;
	size_t rows = 0;

	for (size_t i = 0; i < 200; i++)
		cr_assert_eq(add(&p, i, 1000), 0);
	check(p, 200, 1000);
	for (size_t i = 0; i < p->n; i++)
		rows += p->windows[i].n_stats;
	cr_expect_leq(rows, PAST_ROWS + 2000);
	cr_expect_geq(p->n, PAST_LEAST / 2);
	past_free(p);
}

Test(past, nothing)
{
	cr_expect_null(past_free(NULL));
}
