/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU samples in spans: of a function itself, and in what it calls, each counted once. */
#include <criterion/criterion.h>

#include "query/query.h"

enum { OUTER, INNER, NAMES };

struct made {
	struct model *m;
	struct window w;
	struct snapshot *s;
	uint32_t process, paths[4];
};

static void add_call(struct made *made, int path, uint64_t duration_ns, uint64_t self_ns)
{
	const struct raw_span span = {.process = made->process,
				      .tid = 1,
				      .path = made->paths[path],
				      .duration_ns = duration_ns,
				      .self_ns = self_ns};

	cr_assert_eq(window_add_span(&made->w, &span, NULL, false), 0);
}

/* outer → inner → outer, and outer → inner where outer has not ended: the paths 0, 1, 2; 3. */
static void make(struct made *made, bool outer_ended)
{
	static const char *const names[NAMES] = {"outer", "inner"};
	const struct window *w = &made->w;
	uint32_t probes[NAMES];

	*made = (struct made){};
	cr_assert_eq(model_new(&made->m), 0);
	made->process = model_process(made->m, 10, 1);
	for (int i = 0; i < NAMES; i++) {
		struct model_probe p = {.symbol = model_string(made->m, names[i]),
					.name = model_string(made->m, names[i]),
					.file = model_file(made->m, NULL, "/app", 0)};

		probes[i] = model_probe(made->m, &p);
	}
	made->paths[0] = model_path(made->m, 0, probes[OUTER]);
	made->paths[1] = model_path(made->m, made->paths[0], probes[INNER]);
	made->paths[2] = model_path(made->m, made->paths[1], probes[OUTER]);
	if (outer_ended)
		add_call(made, 0, 100, 40);
	add_call(made, 1, 60, 50);
	add_call(made, 2, 10, 10);
	cr_assert_eq(snapshot_take(made->m, &w, 1, NULL, SNAPSHOT_SPANS, 0, &made->s), 0);
}

static void give(struct made *made, int path, uint64_t samples)
{
	for (size_t i = 0; i < made->s->n_stats; i++)
		if (made->s->stats[i].stat.path == made->paths[path])
			made->s->stats[i].samples = samples;
}

static void release(struct made *made)
{
	snapshot_free(made->s);
	window_release(&made->w);
	model_free(made->m);
}

static void expect_row(const struct report *r, const char *key, uint64_t samples, uint64_t self)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (!strcmp(r->rows[i].key, key)) {
			cr_expect_eq(r->rows[i].samples, samples, "%s", key);
			cr_expect_eq(r->rows[i].self_samples, self, "%s", key);
			return;
		}
	cr_expect(false, "no row %s", key);
}

Test(span_samples, a_function_has_those_of_what_it_calls_once)
{
	_cleanup_(report_freep) struct report *by_func = NULL, *by_comm = NULL;
	_cleanup_(graph_freep) struct graph *g = NULL;
	struct made made;

	make(&made, true);
	give(&made, 0, 4);
	give(&made, 1, 5);
	give(&made, 2, 1);
	cr_assert_eq(query_report(made.s, QUERY_SPAN, BY_FUNC, SORT_SAMPLES, 0, &by_func), 0);
	cr_expect_eq(by_func->n_rows, 2);
	cr_expect_eq(by_func->total_samples, 10);
	expect_row(by_func, "outer", 10, 5);
	expect_row(by_func, "inner", 6, 5);
	cr_expect_str_eq(by_func->rows[0].key, "outer");
	cr_expect_eq(by_func->rows[0].calls, 2, "they are still rows of calls");
	cr_assert_eq(query_report(made.s, QUERY_SPAN, BY_COMM, SORT_TOTAL, 0, &by_comm), 0);
	cr_assert_eq(by_comm->n_rows, 1);
	cr_expect(by_comm->rows[0].samples == 10 && by_comm->rows[0].self_samples == 10);
	cr_assert_eq(query_graph(made.s, QUERY_SPAN, 0, 0, &g), 0);
	cr_assert_eq(g->n_rows, 3);
	cr_expect_eq(g->total_samples, 10);
	for (size_t i = 0; i < 3; i++) {
		static const uint64_t samples[] = {10, 6, 1}, self[] = {4, 5, 1};

		cr_expect_eq(g->rows[i].samples, samples[i], "depth %zu", i);
		cr_expect_eq(g->rows[i].self_samples, self[i], "depth %zu", i);
	}
	release(&made);
}

/* A caller that goes on has no row in a report, whatever is in it. */
Test(span_samples, calls_that_go_on)
{
	_cleanup_(report_freep) struct report *r = NULL;
	struct made made;

	make(&made, false);
	give(&made, 1, 5);
	cr_assert_eq(query_report(made.s, QUERY_SPAN, BY_FUNC, SORT_TOTAL, 0, &r), 0);
	cr_expect_eq(r->n_rows, 2);
	expect_row(r, "outer", 5, 0);
	expect_row(r, "inner", 5, 5);
	release(&made);
}
