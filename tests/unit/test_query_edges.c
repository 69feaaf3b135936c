/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What questions are called, and answers from snapshots that no model would give. */
#include <criterion/criterion.h>

#include "query/prune.h"
#include "query/query.h"
#include "sonde/base/strbuf.h"

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

/* A tree of samples: a, a/b, a/b/c, a/d/e, f; and each has so many of its own. */
static struct snapshot *planted_tree(void)
{
	static const struct snapshot_stack stacks[] = {{0, 0}, {1, 1}, {2, 2},
						       {1, 3}, {4, 4}, {0, 5}};
	static const uint64_t counts[] = {50, 30, 2, 0, 3, 1};
	struct snapshot *s = calloc(1, sizeof(*s));

	s->period_ns = 10;
	s->n_processes = 1;
	s->processes = calloc(1, sizeof(*s->processes));
	s->processes[0].comm = "p";
	s->n_frames = s->n_stacks = s->n_samples = ARRAY_SIZE(stacks);
	s->frames = calloc(s->n_frames, sizeof(*s->frames));
	s->samples = calloc(s->n_samples, sizeof(*s->samples));
	s->stacks = calloc(s->n_stacks, sizeof(*s->stacks));
	memcpy(s->stacks, stacks, sizeof(stacks));
	for (uint32_t i = 0; i < s->n_samples; i++) {
		s->frames[i].function = strndup(&"abcdef"[i], 1);
		s->frames[i].file_path = "";
		/* Waits of another length than their number, to tell the two apart. */
		s->samples[i] = (struct snapshot_sample){
			.stack = i, .thread = "t", .count = counts[i], .ns = i == 4 ? 900 : 1};
	}
	return s;
}

static void expect_stacks(bool by_time, double share, const char *expected)
{
	_cleanup_(snapshot_freep) struct snapshot *s = planted_tree();
	_cleanup_(strbuf_release) struct strbuf got = {};

	cr_assert_eq(snapshot_prune(s, by_time, share), 0);
	for (size_t i = 0; i < s->n_samples; i++) {
		const char *names[8];
		size_t n = 0;

		for (uint32_t at = s->samples[i].stack + 1; at; at = s->stacks[at - 1].parent) {
			cr_assert_leq(at, s->n_stacks);
			cr_assert_lt(s->stacks[at - 1].parent, at, "parents come first");
			cr_assert_lt(s->stacks[at - 1].frame, s->n_frames);
			cr_assert_lt(n, ARRAY_SIZE(names));
			names[n++] = s->frames[s->stacks[at - 1].frame].function;
		}
		if (!s->samples[i].count)
			continue;
		while (n > 0)
			strbuf_printf(&got, "/%s", names[--n]);
		strbuf_printf(&got, " %llu\n", (unsigned long long)s->samples[i].count);
	}
	cr_expect_str_eq(got.data, expected, "share %g", share);
	/* Nothing is left to be named that nothing needs: of the functions a and f, and [rare]. */
	cr_expect(share < 1 || s->n_frames == 3, "%zu frames", s->n_frames);
}

Test(query, rare_stacks_are_left_out)
{
	expect_stacks(false, 0, "/a 50\n/a/b 30\n/a/b/c 2\n/a/d/e 3\n/f 1\n");
	expect_stacks(false, 0.03, "/a 50\n/a/b 30\n/a/b/[rare] 2\n/a/d/e 3\n/f 1\n");
	/* What has no caller stays, however rare. */
	expect_stacks(false, 0.1, "/a 50\n/a/b 30\n/a/b/[rare] 2\n/a/[rare] 3\n/f 1\n");
	expect_stacks(false, 1, "/a 50\n/a/[rare] 30\n/a/[rare] 2\n/a/[rare] 3\n/f 1\n");
	expect_stacks(true, 0.5, "/a 50\n/a/[rare] 30\n/a/[rare] 2\n/a/d/e 3\n/f 1\n");
}
