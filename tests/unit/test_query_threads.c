/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans by thread, from raw spans. */
#include <criterion/criterion.h>

#include "query/threads.h"

static void add(struct threads *t, uint32_t process, uint32_t tid, uint64_t duration, uint64_t self,
		uint16_t flags)
{
	struct span_row row = {.span = {.process = process,
					.tid = tid,
					.duration_ns = duration,
					.self_ns = self,
					.flags = flags},
			       .comm = process == 1 ? "one" : ""};

	cr_assert_eq(threads_add(t, &row), 0);
}

Test(query_threads, each_thread_has_a_row)
{
	_cleanup_(threads_freep) struct threads *t = NULL;
	_cleanup_(report_freep) struct report *r = NULL;

	cr_assert_eq(threads_new(&t), 0);
	/* A call of 100 with one of 60 inside; the same thread number in another process. */
	add(t, 1, 10, 60, 60, 0);
	add(t, 1, 10, 100, 40, SPAN_ERROR);
	add(t, 2, 10, 500, 500, 0);
	add(t, 1, 11, 7, 7, 0);
	cr_assert_eq(threads_report(t, SORT_TOTAL, 0, &r), 0);
	cr_assert_eq(r->n_rows, 3);
	cr_assert_str_eq(r->rows[0].key, "10 [unknown]");
	cr_assert_eq(r->rows[0].total_ns, 500);
	cr_assert_str_eq(r->rows[1].key, "10 one");
	cr_assert_eq(r->rows[1].calls, 2);
	cr_assert_eq(r->rows[1].errors, 1);
	cr_assert_eq(r->rows[1].total_ns, 100, "nested calls count once");
	cr_assert_eq(r->rows[1].avg_ns, 80);
	cr_assert_eq(r->rows[1].max_ns, 100);
	cr_assert_str_eq(r->rows[2].key, "11 one");
	cr_assert_eq(r->total_ns, 607);
}

Test(query_threads, sorted_and_cut)
{
	_cleanup_(threads_freep) struct threads *t = NULL;
	_cleanup_(report_freep) struct report *r = NULL;

	cr_assert_eq(threads_new(&t), 0);
	for (uint32_t tid = 1; tid <= 50; tid++)
		for (uint32_t i = 0; i < tid; i++)
			add(t, 1, tid, 1000 - tid, 1000 - tid, 0);
	cr_assert_eq(threads_report(t, SORT_CALLS, 5, &r), 0);
	cr_assert_eq(r->n_rows, 5);
	for (uint32_t i = 0; i < 5; i++)
		cr_assert_eq(r->rows[i].calls, 50 - i);
}
