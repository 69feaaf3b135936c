/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What questions are called, and answers from snapshots that no model would give. */
#include <criterion/criterion.h>

#include "query/query.h"

Test(query, parse)
{
	enum report_by by = BY_PID;
	enum report_sort sort = SORT_P50;

	cr_assert_eq(report_by_parse("thread", &by), 0);
	cr_assert_eq(by, BY_THREAD);
	cr_assert_eq(report_by_parse("threads", &by), -EINVAL);
	cr_assert_eq(report_by_parse("", &by), -EINVAL);
	cr_assert_eq(by, BY_THREAD);
	cr_assert_eq(report_sort_parse("p99", &sort), 0);
	cr_assert_eq(sort, SORT_P99);
	cr_assert_eq(report_sort_parse("P99", &sort), -EINVAL);
	cr_assert_eq(sort, SORT_P99);
	cr_assert_eq(report_sort_default(QUERY_SPAN), SORT_TOTAL);
	cr_assert_eq(report_sort_default(QUERY_CPU), SORT_SELF);
}

/* Far deeper than any stack: a snapshot that is made by hand needs no model. */
Test(query, deep_stacks)
{
	enum { DEPTH = 300000 };
	_cleanup_(snapshot_freep) struct snapshot *s = calloc(1, sizeof(*s));
	_cleanup_(graph_freep) struct graph *g = NULL;
	_cleanup_(stacks_freep) struct stacks *st = NULL;
	_cleanup_(report_freep) struct report *r = NULL;

	s->period_ns = 10;
	s->n_frames = s->n_samples = s->n_processes = 1;
	s->n_stacks = DEPTH;
	s->processes = calloc(1, sizeof(*s->processes));
	s->frames = calloc(1, sizeof(*s->frames));
	s->samples = calloc(1, sizeof(*s->samples));
	s->stacks = calloc(DEPTH, sizeof(*s->stacks));
	s->samples[0] = (struct snapshot_sample){.stack = DEPTH - 1, .count = 2};
	for (uint32_t i = 0; i < DEPTH; i++)
		s->stacks[i].parent = i;
	cr_assert_eq(query_report(s, QUERY_CPU, BY_FUNC, SORT_SELF, 0, &r), 0);
	cr_assert_eq(r->n_rows, 1);
	cr_assert_eq(r->rows[0].samples, 2);
	cr_assert_eq(query_graph(s, QUERY_CPU, 1, 0, &g), 0);
	cr_assert_eq(g->n_rows, DEPTH);
	cr_assert_eq(g->rows[DEPTH - 1].self_samples, 2);
	cr_assert_eq(g->rows[DEPTH - 1].depth, DEPTH - 1);
	cr_assert_eq(query_stacks(s, QUERY_CPU, &st), 0);
	cr_assert_eq(st->rows[0].n_frames, DEPTH);
}
