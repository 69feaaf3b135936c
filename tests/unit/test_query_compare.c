/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparisons of planted data: what is known to be equal, slower, gone or new; and how often
 * autocorrelated noise alone is called a change. The seed is printed; $SONDE_TEST_SEED repeats a
 * run.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base_random.h"
#include "compare_help.h"

static void near(double got, double want, double off, const char *what)
{
	cr_expect(fabs(got - want) <= off, "%s: %g, not %g", what, got, want);
}

Test(query_compare, t_of_student)
{
	/* Tables; and the closed forms of one and two degrees of freedom. */
	near(student_t(0.95, 1), tan(0.475 * M_PI), 1e-6, "1");
	near(student_t(0.95, 2), 0.95 * sqrt(2 / (1 - 0.95 * 0.95)), 1e-6, "2");
	near(student_t(0.95, 10), 2.228139, 1e-6, "10");
	near(student_t(0.99, 5), 4.032143, 1e-6, "5");
	near(student_t(0.90, 30), 1.697261, 1e-6, "30");
	near(student_t(0.95, 1e6), 1.959966, 1e-5, "many");
}

Test(query_compare, ratio_of_windows)
{
	/* By hand: R = 21/6; residuals y - Rx are -1.5, 0.5, 1; of mean x 2: -0.75, 0.25, 0.5. */
	const double y[] = {2, 7.5, 11.5, 5}, x[] = {1, 2, 3, 0};
	struct estimate e = estimate_ratio(y, x, 4);

	cr_expect_eq(e.n, 3, "a window without calls says nothing");
	near(e.value, 3.5, 1e-12, "value");
	near(e.variance, 0.875 / 2 / 3, 1e-12, "variance");
	near(e.together, -0.1875 + 0.125, 1e-12, "products of neighbours");
	near(e.alone, 0.875, 1e-12, "squares");
}

Test(query_compare, equal_sides)
{
	_cleanup_(two_release) struct two t;
	const struct compare_row *f;

	two_init(&t, 6, 8);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < t.sides[s].n; w++)
			calls(&t.sides[s], w, "f", 100, 1000 + w % 2 * 50, w % 4 ? 0 : SPAN_ERROR);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	f = row(&t, "f");
	cr_expect_not(f->significant);
	for (int m = 0; m < COMPARE_METRICS; m++)
		cr_expect_not(f->changes[m].significant, "%s", compare_metric_name(m));
	near(f->changes[COMPARE_MEAN].before, 1025, 1e-6, "mean");
	near(f->changes[COMPARE_CALLS].after, 100, 1e-6, "calls a second");
	near(f->changes[COMPARE_TOTAL].after, 102500, 1e-6, "total a second");
	near(f->changes[COMPARE_ERROR_RATE].after, 0.25, 1e-6, "error rate");
	near(t.c->seconds[1], 8, 1e-9, "seconds");
	cr_expect_str_eq(f->binary, "app");
	cr_expect(isnan(f->changes[COMPARE_SAMPLES].before), "spans have no samples");
	cr_expect_eq(f->sums[1].calls, 800);
}

Test(query_compare, slower_function_comes_first)
{
	_cleanup_(two_release) struct two t;
	const struct change *mean;

	two_init(&t, 6, 6);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 6; w++) {
			/* g varies a lot, and a lot of time is spent in it. */
			calls(&t.sides[s], w, "g", 100, 90000 + (w * 7 + s * 3) % 5 * 8000, 0);
			calls(&t.sides[s], w, "f", 100, (s ? 1100 : 1000) + w % 3 * 10, 0);
		}
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	cr_assert_eq(t.c->n_rows, 2);
	cr_expect_str_eq(t.c->rows[0].key, "f");
	cr_expect(t.c->rows[0].significant);
	cr_expect_not(t.c->rows[1].significant);
	cr_expect_gt(t.c->rows[1].weight, t.c->rows[0].weight);
	mean = &t.c->rows[0].changes[COMPARE_MEAN];
	near(mean->change, 0.099, 0.001, "change");
	cr_expect(mean->low > 0.05 && mean->low < mean->change && mean->change < mean->high &&
			  mean->high < 0.15,
		  "[%g, %g]", mean->low, mean->high);
	cr_expect(t.c->rows[0].changes[COMPARE_P50].significant);
	cr_expect(t.c->rows[0].changes[COMPARE_P99].significant);
	cr_expect_not(t.c->rows[0].changes[COMPARE_CALLS].significant);
	/* Nobody is that sure. */
	cr_expect_not(compare_change(t.c, &t.c->rows[0], COMPARE_MEAN, 1 - 1e-12).significant);
}

Test(query_compare, gone_and_new)
{
	_cleanup_(two_release) struct two t;
	const struct compare_row *f, *g;

	two_init(&t, 5, 5);
	for (size_t w = 0; w < 5; w++) {
		calls(&t.sides[0], w, "f", 50, 1000, 0);
		calls(&t.sides[1], w, "g", 50, 1000, 0);
	}
	/* Once, which may happen. */
	calls(&t.sides[1], 2, "h", 50, 1000, 0);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	f = row(&t, "f");
	g = row(&t, "g");
	cr_expect(f->significant && g->significant);
	cr_expect(f->changes[COMPARE_CALLS].significant);
	near(f->changes[COMPARE_CALLS].change, -1, 1e-9, "gone");
	near(g->changes[COMPARE_CALLS].before, 0, 0, "new");
	cr_expect(isnan(g->changes[COMPARE_CALLS].change), "of nothing");
	cr_expect(isnan(g->changes[COMPARE_MEAN].before));
	cr_expect_not(g->changes[COMPARE_MEAN].known);
	cr_expect_not(row(&t, "h")->significant);
}

Test(query_compare, one_window_says_nothing_of_confidence)
{
	_cleanup_(two_release) struct two t;
	const struct change *c;

	two_init(&t, 1, 5);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < t.sides[s].n; w++)
			calls(&t.sides[s], w, "f", 100, s ? 3000 : 1000, 0);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	c = &row(&t, "f")->changes[COMPARE_MEAN];
	near(c->change, 2, 1e-9, "change");
	cr_expect_not(c->known);
	cr_expect_not(c->significant);
	cr_expect(isnan(c->low) && isnan(c->high));
}

Test(query_compare, no_variance)
{
	_cleanup_(two_release) struct two t;
	const struct compare_row *f;

	two_init(&t, 4, 4);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 4; w++)
			calls(&t.sides[s], w, "f", 100, s ? 1010 : 1000, 0);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	f = row(&t, "f");
	cr_expect(f->changes[COMPARE_MEAN].significant);
	near(f->changes[COMPARE_MEAN].low, 0.01, 1e-9, "interval of no width");
	/* Buckets are wider than that. */
	cr_expect_not(f->changes[COMPARE_P50].significant);
	cr_expect_not(f->changes[COMPARE_CALLS].significant);
}

Test(query_compare, paths_and_recursion)
{
	_cleanup_(two_release) struct two t;

	two_init(&t, 3, 3);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 3; w++) {
			calls(&t.sides[s], w, "f", 10, 5000, 0);
			calls(&t.sides[s], w, "f>f", 10, 1000, 0);
			calls(&t.sides[s], w, "g", 10, 5000, 0);
			calls(&t.sides[s], w, "g>f", 10, s ? 2000 : 1000, 0);
		}
	compare(&t, QUERY_SPAN, COMPARE_PATH);
	cr_expect_eq(t.c->n_rows, 4);
	cr_expect_str_eq(t.c->rows[0].key, "g > f");
	cr_expect(t.c->rows[0].significant);
	cr_expect_not(row(&t, "f > f")->significant);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	cr_expect_eq(t.c->n_rows, 2);
	/* Calls of f in f are calls, but their time is counted once. */
	near(row(&t, "f")->changes[COMPARE_CALLS].before, 30, 1e-9, "calls");
	near(row(&t, "f")->changes[COMPARE_TOTAL].before, 60000, 1e-6, "total");
	near(row(&t, "f")->changes[COMPARE_MEAN].before, 7000.0 / 3, 1e-6, "mean");
}

Test(query_compare, samples_by_function_and_stack)
{
	_cleanup_(two_release) struct two t;
	const struct compare_row *r;

	two_init(&t, 6, 6);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 6; w++) {
			samples(&t.sides[s], w, "mab", (s ? 40 : 20) + w % 2);
			samples(&t.sides[s], w, "mac", 30 - w % 3);
			samples(&t.sides[s], w, "maa", 10);
		}
	compare(&t, QUERY_CPU, COMPARE_FUNC);
	r = row(&t, "b");
	cr_expect(r->significant && r->changes[COMPARE_SHARE].significant);
	near(r->changes[COMPARE_SAMPLES].before, 20.5, 1e-9, "samples a second");
	near(r->changes[COMPARE_TOTAL].before, 20.5e7, 1e-3, "ns a second");
	near(r->changes[COMPARE_SHARE].before, 20.5 / 59.5, 1e-9, "share");
	near(row(&t, "a")->changes[COMPARE_SHARE].after, 1, 1e-9, "recursion counts once");
	near(row(&t, "a")->changes[COMPARE_SELF].after, 1e8, 1e-3, "self");
	cr_expect(isnan(r->changes[COMPARE_MEAN].before), "samples have no mean");
	compare(&t, QUERY_CPU, COMPARE_PATH);
	/* Ancestors change with it; the longest of them is the one. */
	cr_expect(row(&t, "m > a > b")->significant);
	cr_expect_not(row(&t, "m > a > c")->changes[COMPARE_SAMPLES].significant);
	cr_expect_eq(t.c->n_rows, 5);
}

/* A session that has both: the samples are of the time that the spans took, not of more. */
Test(query_compare, spans_of_a_session_with_samples)
{
	_cleanup_(two_release) struct two t;

	two_init(&t, 3, 3);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 3; w++) {
			calls(&t.sides[s], w, "f", 10, 1000, 0);
			samples(&t.sides[s], w, "f", 5);
		}
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	cr_expect_eq(t.c->sums[0].total_ns, 30000);
	cr_expect_eq(t.c->sums[0].calls, 30);
	cr_expect_eq(t.c->sums[0].samples, 0);
	compare(&t, QUERY_CPU, COMPARE_FUNC);
	cr_expect_eq(t.c->sums[1].samples, 15);
	cr_expect_eq(t.c->sums[1].total_ns, 15 * (NSEC_PER_SEC / 100));
	cr_expect_eq(t.c->sums[1].calls, 0);
}

Test(query_compare, waits_by_their_time)
{
	_cleanup_(two_release) struct two t;
	const struct compare_row *r;

	two_init(&t, 3, 3);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 3; w++) {
			waits(&t.sides[s], w, "ma", 1, 3000000);
			waits(&t.sides[s], w, "mb", 9, 1000000);
		}
	compare(&t, QUERY_OFFCPU, COMPARE_FUNC);
	r = row(&t, "a");
	near(r->changes[COMPARE_SHARE].before, 0.75, 1e-9, "share");
	near(r->changes[COMPARE_TOTAL].after, 3000000, 1e-6, "time");
	near(r->changes[COMPARE_SAMPLES].after, 1, 1e-9, "waits");
}

Test(query_compare, many_windows_are_joined)
{
	_cleanup_(two_release) struct two t;

	two_init(&t, MAX_WINDOWS, 2);
	for (size_t w = 0; w < MAX_WINDOWS; w++)
		calls(&t.sides[0], w, "f", 1, 1000, 0);
	calls(&t.sides[1], 0, "f", 1, 1000, 0);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	cr_expect_eq(t.c->blocks[0], 60);
	cr_expect_eq(t.c->blocks[1], 2);
	cr_expect_eq(row(&t, "f")->sums[0].calls, MAX_WINDOWS);
	near(t.c->seconds[0], MAX_WINDOWS, 1e-9, "seconds");
}

Test(query_compare, windows_that_do_not_say_when_they_begin)
{
	_cleanup_(two_release) struct two t;

	two_init(&t, 4, 4);
	for (size_t w = 0; w < 4; w++)
		for (size_t s = 0; s < 2; s++) {
			t.sides[s].windows[w].end_ns += 1000 * NSEC_PER_SEC;
			t.sides[s].windows[w].start_ns = w && s ? 0 : (1000 + w) * NSEC_PER_SEC;
			calls(&t.sides[s], w, "f", 10, 1000, 0);
		}
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	near(t.c->seconds[0], 4, 1e-9, "before");
	near(t.c->seconds[1], 4, 1e-9, "after");
}

/* A thousand calls a window, `slow` of them interrupted for 100 us. */
static void interrupted(struct side *s, size_t window, uint64_t ns, size_t slow)
{
	calls(s, window, "f", 1000 - slow, ns, 0);
	calls(s, window, "f", slow, ns + 100000, 0);
}

Test(query_compare, a_change_that_interrupted_calls_hide)
{
	static const size_t slow[COMPARE_SIDES][6] = {{9, 2, 41, 5, 17, 8}, {3, 20, 1, 11, 6, 14}};
	_cleanup_(two_release) struct two t;
	const struct change *mean;

	two_init(&t, 6, 6);
	for (size_t s = 0; s < COMPARE_SIDES; s++)
		for (size_t w = 0; w < 6; w++)
			interrupted(&t.sides[s], w, (s ? 1100 : 1000) + w % 3, slow[s][w]);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	mean = &row(&t, "f")->changes[COMPARE_MEAN];
	cr_expect(mean->trimmed && mean->significant && row(&t, "f")->significant);
	/* Buckets are wider than what is left between these calls. */
	near(mean->change, 0.1, 0.015, "change");
	cr_expect(mean->low > 0.05 && mean->high < 0.15, "[%g, %g]", mean->low, mean->high);
	near(mean->before, 1001 + 100000 * 82 / 6000.0, 1e-6, "the mean is that of all calls");
	near(mean->after, 1101 + 100000 * 55 / 6000.0, 1e-6, "the mean is that of all calls");
}

Test(query_compare, only_slow_calls_have_changed)
{
	_cleanup_(two_release) struct two t;
	const struct change *mean;

	two_init(&t, 6, 6);
	for (size_t w = 0; w < 6; w++) {
		interrupted(&t.sides[0], w, 1000, 1 + w % 2);
		interrupted(&t.sides[1], w, 1000, 35 + w % 3);
	}
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	mean = &row(&t, "f")->changes[COMPARE_MEAN];
	cr_expect(mean->significant && !mean->trimmed && row(&t, "f")->significant);
	near(mean->change, 4600.0 / 1150 - 1, 1e-6, "change of the mean of all calls");
	cr_expect_not(row(&t, "f")->changes[COMPARE_P50].significant);
}

static double normal(void)
{
	double u = (double)(next_random() >> 11) / 9007199254740992.0 + 1e-300;
	double v = (double)(next_random() >> 11) / 9007199254740992.0;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* A mean of n windows whose noise remembers the window before. */
static struct estimate noisy(size_t n, double level, double deviation, double memory)
{
	double y[MAX_WINDOWS], x[MAX_WINDOWS], e = deviation * normal();

	for (size_t i = 0; i < n; i++) {
		x[i] = 1000 + 200 * normal() / 2;
		y[i] = x[i] * level * exp(e);
		e = memory * e + sqrt(1 - memory * memory) * deviation * normal();
	}
	return estimate_ratio(y, x, n);
}

/* How many of 1000 comparisons with a mean that much higher are called slower. */
static int slower(size_t n, double deviation, double memory, double by)
{
	int found = 0;

	for (int i = 0; i < 1000; i++) {
		struct estimate a = noisy(n, 1, deviation, memory);
		struct estimate b = noisy(n, by, deviation, memory);
		struct change c = change_between(&a, &b, false, 0.95, 0);

		found += c.significant && c.change > 0;
	}
	return found;
}

Test(query_compare, noise_that_remembers)
{
	seed_rng();

	/* Nominal is 25: one side of 95 %. Binomial deviation 5 to 9. */
	cr_expect_leq(slower(8, 0.03, 0, 1), 55);
	cr_expect_leq(slower(8, 0.03, 0.5, 1), 125);
	cr_expect_leq(slower(40, 0.03, 0.5, 1), 75);
	/* What is there is found. */
	cr_expect_geq(slower(8, 0.03, 0, 1.1), 950);
	cr_expect_geq(slower(10, 0.02, 0.5, 1.1), 950);
}

/*
 * Recordings of the same calls, of which the machine interrupts 3 % on average: more or less in
 * each recording, and in each window.
 */
Test(query_compare, a_machine_that_is_not_always_as_busy)
{
	enum { ROUNDS = 200 };
	int mean = 0, p99 = 0, caught = 0;

	seed_rng();
	for (int i = 0; i < ROUNDS; i++) {
		for (int slower = 0; slower < 2; slower++) {
			_cleanup_(two_release) struct two t;
			const struct compare_row *f;

			two_init(&t, 8, 8);
			for (size_t s = 0; s < COMPARE_SIDES; s++) {
				uint64_t ns = (uint64_t)(1e5 * (slower && s ? 1.1 : 1) *
							 exp(0.01 * normal()));
				double busy = 30 * exp(0.25 * normal());

				for (size_t w = 0; w < 8; w++)
					interrupted(&t.sides[s], w, ns,
						    (size_t)(busy * exp(0.2 * normal())));
			}
			compare_at(&t, QUERY_SPAN, COMPARE_FUNC, COMPARE_DRIFT);
			f = row(&t, "f");
			if (slower) {
				caught += f->significant && f->changes[COMPARE_MEAN].change > 0;
			} else {
				mean += f->significant;
				p99 += f->changes[COMPARE_P99].significant;
			}
		}
	}
	cr_expect_leq(mean, ROUNDS / 20 + 6, "%d", mean);
	cr_expect_leq(p99, ROUNDS / 20 + 6, "%d", p99);
	cr_expect_geq(caught, ROUNDS * 95 / 100, "%d", caught);
}

/* Whole recordings that differ though their windows hardly do. */
Test(query_compare, drift)
{
	int found = 0, without = 0, caught = 0;

	seed_rng();
	for (int i = 0; i < 1000; i++) {
		struct estimate a = noisy(6, exp(0.015 * normal()), 0.003, 0);
		struct estimate b = noisy(6, exp(0.015 * normal()), 0.003, 0);
		struct estimate c = noisy(6, 1.1 * exp(0.015 * normal()), 0.003, 0);
		struct change ab = change_between(&a, &b, false, 0.95, COMPARE_DRIFT);
		struct change ac = change_between(&a, &c, false, 0.95, COMPARE_DRIFT);

		found += ab.significant && ab.change > 0;
		without += change_between(&a, &b, false, 0.95, 0).significant;
		caught += ac.significant && ac.change > 0;
	}
	cr_expect_leq(found, 50);
	cr_expect_geq(without, 500);
	cr_expect_geq(caught, 970);
}
