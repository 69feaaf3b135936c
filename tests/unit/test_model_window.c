/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows against sums and arrays that cannot be wrong in the same way. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "model/window.h"

static uint64_t below(uint64_t n)
{
	return next_random() % n;
}

static uint64_t random_duration(void)
{
	return next_random() >> (20 + below(44));
}

enum { NP = 4, NPATHS = 9, NSTACKS = 20 };
struct naive_window {
	uint64_t samples[NP][3][NSTACKS];
	struct {
		uint64_t calls, errors, unwound, total, self, min, max, hist[HIST_BUCKETS];
	} stat[NP][NPATHS];
};

static struct raw_span random_span(void)
{
	struct raw_span s = {
		.start_ns = next_random(),
		.duration_ns = random_duration(),
		.process = below(NP),
		.tid = below(10),
		.path = below(NPATHS),
		.flags = below(4),
		.ret = next_random(),
	};

	s.self_ns = s.duration_ns / (1 + below(3));
	return s;
}

static void naive_span(struct naive_window *n, const struct raw_span *s)
{
	typeof(n->stat[0][0]) *t = &n->stat[s->process][s->path];

	t->min = t->calls ? MIN(t->min, s->duration_ns) : s->duration_ns;
	t->max = MAX(t->max, s->duration_ns);
	t->calls++;
	t->errors += (s->flags & SPAN_ERROR) != 0;
	t->unwound += (s->flags & SPAN_UNWOUND) != 0;
	t->total += s->duration_ns;
	t->self += s->self_ns;
	t->hist[hist_bucket(s->duration_ns)]++;
}

static void check_window(const struct window *w, const struct naive_window *n)
{
	size_t rows = 0, stats = 0;

	for (size_t i = 0; i < sizeof(n->samples) / sizeof(uint64_t); i++)
		rows += ((const uint64_t *)n->samples)[i] != 0;
	cr_assert_eq(w->n_samples, rows);
	for (size_t i = 0; i < w->n_samples; i++) {
		const struct sample_row *r = &w->samples[i];

		cr_assert_eq(r->count, n->samples[r->process][r->thread][r->stack]);
	}
	for (int i = 0; i < NP * NPATHS; i++)
		stats += n->stat[i / NPATHS][i % NPATHS].calls != 0;
	cr_assert_eq(w->n_stats, stats);
	for (size_t i = 0; i < w->n_stats; i++) {
		const struct span_stat *s = &w->stats[i];
		const typeof(n->stat[0][0]) *t = &n->stat[s->process][s->path];

		cr_assert_eq(s->calls, t->calls);
		cr_assert_eq(s->errors, t->errors);
		cr_assert_eq(s->unwound, t->unwound);
		cr_assert_eq(s->total_ns, t->total);
		cr_assert_eq(s->self_ns, t->self);
		cr_assert_eq(s->min_ns, t->min);
		cr_assert_eq(s->max_ns, t->max);
		cr_assert_eq(hist_count(&s->hist), t->calls);
		for (uint32_t b = 0; b < s->hist.len; b++)
			cr_assert_eq(s->hist.counts[b], t->hist[s->hist.first + b]);
	}
}

Test(window, matches_plain_sums)
{
	struct window total = {}, w = {};
	struct naive_window *one = calloc(1, sizeof(*one)), *all = calloc(1, sizeof(*all));
	uint64_t losses = 0;

	seed_rng();
	for (int round = 0; round < 6; round++) {
		uint64_t start = 1000 * (round + 1);
		size_t kept = 0;

		window_reset(&w, start);
		w.end_ns = start + 1000;
		w.losses[LOSS_STACK] = below(100);
		losses += w.losses[LOSS_STACK];
		memset(one, 0, sizeof(*one));
		for (size_t i = 0, n = below(3000); i < n; i++) {
			struct raw_span s = random_span();
			const uint64_t args[RECORD_ARGS] = {next_random(), i};
			struct span_more more = {.args = args};
			bool keep = below(2), has_args = round % 2 && i > 500 && below(3);
			uint32_t p = below(NP), t = below(3), k = below(NSTACKS);

			cr_assert_eq(window_add_span(&w, &s, has_args ? &more : NULL, keep), 0);
			kept += keep;
			naive_span(one, &s);
			naive_span(all, &s);
			if (keep)
				cr_assert_eq(memcmp(&w.spans[kept - 1], &s, sizeof(s)), 0);
			more = more_pool_get(&w.more, keep ? kept - 1 : 0);
			cr_assert(!keep || !more.args == !has_args);
			if (keep && has_args)
				cr_assert_eq(memcmp(more.args, args, sizeof(args)), 0);
			cr_assert_eq(window_add_sample(&w, p, t, k, 1 + i % 3), 0);
			one->samples[p][t][k] += 1 + i % 3;
			all->samples[p][t][k] += 1 + i % 3;
		}
		cr_assert_eq(w.n_spans, kept);
		check_window(&w, one);
		cr_assert_eq(window_merge(&total, &w), 0);
	}
	check_window(&total, all);
	cr_assert_eq(total.start_ns, 1000);
	cr_assert_eq(total.end_ns, 7000);
	cr_assert_eq(total.losses[LOSS_STACK], losses);
	cr_assert_eq(total.n_spans, 0);
	window_release(&w);
	window_release(&total);
	free(one);
	free(all);
}

static uint64_t first_arg(const struct window *w, size_t i)
{
	struct span_more more = more_pool_get(&w->more, i);

	return more.args ? more.args[0] : UINT64_MAX;
}

static int add_with_arg(struct window *w, const struct raw_span *s, uint64_t arg)
{
	const uint64_t args[RECORD_ARGS] = {arg};

	return window_add_span(w, s, &(struct span_more){.args = args}, true);
}

/* Many at once are the same as one after the other, in the same order. */
Test(window, rows_at_once)
{
	enum { MANY = 5000 };
	struct sample_row *rows = calloc(MANY, sizeof(*rows));
	struct window one = {}, many = {};

	seed_rng();
	for (int round = 0; round < 20; round++) {
		size_t n = below(round ? MANY : 3);

		for (size_t i = 0; i < n; i++)
			rows[i] = (struct sample_row){.process = (uint32_t)below(NP),
						      .thread = (uint32_t)below(3),
						      .stack = (uint32_t)below(500),
						      .kind = (uint32_t)below(2),
						      .count = 1 + below(9),
						      .total_ns = below(1000)};
		cr_assert_eq(window_add_rows(&many, rows, n), 0);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(window_add_row(&one, &rows[i]), 0);
	}
	cr_assert_eq(one.n_samples, many.n_samples);
	cr_assert_eq(memcmp(one.samples, many.samples, one.n_samples * sizeof(*rows)), 0);
	window_release(&one);
	window_release(&many);
	free(rows);
}

Test(window, moved_spans)
{
	struct window w = {}, to = {};
	struct raw_span s = {.process = 1, .path = 1};

	for (uint64_t i = 0; i < 200; i++) {
		s.start_ns = i;
		cr_assert_eq(add_with_arg(&w, &s, i), 0);
	}
	window_move_spans(&to, &w);
	cr_assert_eq(to.n_spans, 200);
	cr_assert_eq(to.spans[199].start_ns, 199);
	cr_assert_eq(first_arg(&to, 199), 199);
	cr_assert(w.n_spans == 0 && w.spans_cap == 0 && !w.spans && !w.more.words);
	cr_assert_eq(w.stats[0].calls, 200);
	for (uint64_t i = 0; i < 300; i++)
		cr_assert_eq(window_add_span(&w, &s, NULL, true), 0);
	cr_assert_eq(w.n_spans, 300);
	cr_assert_null(w.more.words);
	window_release(&to);
	window_move(&to, &w);
	cr_assert(w.n_spans == 0 && w.n_stats == 0 && !w.spans && !w.stats);
	cr_assert(to.n_spans == 300 && to.stats[0].calls == 500);
	for (uint64_t i = 0; i < 400; i++) { /* as many as before, and more */
		s.start_ns = i;
		cr_assert_eq(add_with_arg(&w, &s, i), 0);
	}
	for (uint64_t i = 0; i < 400; i++)
		cr_assert(w.spans[i].start_ns == i && first_arg(&w, i) == i);
	cr_assert_eq(w.stats[0].calls, 400);
	window_release(&w);
	window_release(&to);
}

Test(window, spans_without_more_have_none)
{
	struct raw_span s = {.process = 1, .path = 1};
	struct window w = {};

	for (int i = 0; i < 200; i++)
		cr_assert_eq(i >= 100 && i % 2 ? add_with_arg(&w, &s, i)
					       : window_add_span(&w, &s, NULL, true),
			     0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(first_arg(&w, i), i >= 100 && i % 2 ? (uint64_t)i : UINT64_MAX,
			     "span %d", i);
	window_drop_spans(&w);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(window_add_span(&w, &s, NULL, true), 0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(first_arg(&w, i), UINT64_MAX, "span %d after the drop", i);
	window_release(&w);
}

static void random_more(struct span_more *more, uint64_t args[RECORD_ARGS], uint8_t *values)
{
	*more = (struct span_more){};
	for (int i = 0; i < RECORD_ARGS; i++)
		args[i] = next_random();
	for (int i = 0; i < RECORD_MAX_VALUES; i++)
		values[i] = next_random();
	if (below(2))
		more->args = args;
	if (below(2))
		more->valid = next_random();
	if (below(2))
		more->offcpu_ns = next_random();
	if (below(2))
		more->stack = next_random();
	if (below(2))
		more->exception_type = next_random();
	if (below(2))
		more->exception_message = next_random();
	more->values_len = below(2) ? below(RECORD_MAX_VALUES + 1) : 0;
	more->values = more->values_len ? values : NULL;
}

Test(more, any_of_it_comes_back)
{
	enum { N = 2000 };
	static struct span_more want[N];
	static uint64_t args[N][RECORD_ARGS];
	static uint8_t values[N][RECORD_MAX_VALUES];
	struct more_pool pool = {}, copy = {};

	seed_rng();
	for (int i = 0; i < N; i++) {
		if (below(3) == 0)
			continue;
		random_more(&want[i], args[i], values[i]);
		cr_assert_eq(more_pool_put(&pool, i, &want[i]), 0);
	}
	cr_assert_eq(more_pool_copy(&copy, &pool, N), 0);
	more_pool_release(&pool);
	for (int i = 0; i < N + 5; i++) {
		struct span_more got = more_pool_get(&copy, i), none = {};
		const struct span_more *x = i < N ? &want[i] : &none;

		cr_assert_eq(!got.args, !x->args);
		cr_assert(!x->args || memcmp(got.args, x->args, sizeof(args[0])) == 0);
		cr_assert_eq(got.values_len, x->values_len);
		cr_assert(!x->values_len || memcmp(got.values, x->values, x->values_len) == 0);
		cr_assert((uintptr_t)got.values % 8 == 0);
		got.args = x->args;
		got.values = x->values;
		cr_assert_eq(memcmp(&got, x, sizeof(got)), 0, "span %d", i);
	}
	more_pool_release(&copy);
}

Test(more, refuses_and_drops)
{
	const uint64_t args[RECORD_ARGS] = {1};
	struct span_more more = {.args = args, .values_len = MORE_MAX_VALUES + 1};
	struct more_pool pool = {};

	cr_assert_eq(more_pool_put(&pool, 0, &more), -EINVAL);
	more.values_len = 0;
	cr_assert_eq(more_pool_put(&pool, 5, &more), 0);
	cr_assert_eq(more_pool_put(&pool, 9, &more), 0);
	cr_assert_eq(more_pool_put(&pool, 6, &(struct span_more){}), 0);
	cr_assert_not_null(more_pool_get(&pool, 5).args);
	cr_assert_null(more_pool_get(&pool, 9).args);
	more_pool_release(&pool);
}

Test(window, reuse_does_not_remember)
{
	struct window w = {};
	struct raw_span s = {.process = 1, .path = 1, .duration_ns = 5};

	cr_assert_eq(window_add_span(&w, &s, NULL, true), 0);
	window_reset(&w, 9);
	cr_assert_eq(w.n_stats + w.n_samples + w.n_spans, 0);
	s.duration_ns = 7;
	cr_assert_eq(window_add_span(&w, &s, NULL, false), 0);
	cr_assert_eq(w.stats[0].calls, 1);
	cr_assert_eq(w.stats[0].min_ns, 7);
	cr_assert_eq(hist_count(&w.stats[0].hist), 1);
	window_release(&w);
}

/* The value of a counter is no call, and of many values those stay that are evenly apart. */
Test(window, counters_are_no_calls)
{
	struct window w = {};

	for (unsigned int i = 0; i < 100; i++) {
		struct raw_span call = {.process = 1, .path = 1, .duration_ns = i + 1};
		struct raw_span value = {.process = 1,
					 .path = i % 2 + 1,
					 .start_ns = i,
					 .flags = SPAN_INSTANT | SPAN_COUNTER};

		cr_assert_eq(window_add_span(&w, &call, NULL, true), 0);
		cr_assert_eq(window_add_span(&w, &value, NULL, true), 0);
	}
	cr_assert_eq(window_calls(&w), 100);
	cr_assert_eq(w.n_stats, 2, "a row says that there is something of the path");
	cr_assert_eq(w.stats[1].calls + w.stats[1].total_ns + hist_count(&w.stats[1].hist), 0);
	cr_assert_eq(w.stats[0].min_ns, 1);
	cr_assert_eq(window_keep_slowest(&w, 5), 0);
	cr_assert_eq(w.n_spans, 15);
	for (size_t i = 0, calls = 0, values[3] = {}; i < w.n_spans; i++) {
		const struct raw_span *s = &w.spans[i];

		if (s->flags & SPAN_COUNTER)
			cr_expect_eq(s->start_ns, 18 + 20 * values[s->path]++ + s->path - 1);
		else
			cr_expect_eq(s->duration_ns, 96 + calls++);
	}
	cr_assert_eq(window_keep_slowest(&w, 50), 0);
	cr_assert_eq(w.n_spans, 15, "fewer than may stay");
	window_release(&w);
}
