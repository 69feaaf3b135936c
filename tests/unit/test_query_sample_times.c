/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples in spans, against looking at each pair of them. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "query/sample_times.h"

enum { SAMPLES = 800, SPANS = 300 };

struct sample {
	uint32_t process, tid;
	uint64_t time_ns;
};

static bool is_in(const struct sample *s, const struct raw_span *span)
{
	return s->process == span->process && s->tid == span->tid && s->time_ns >= span->start_ns &&
	       s->time_ns - span->start_ns < span->duration_ns;
}

static void add_all(struct sample_times *t, const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(
			sample_times_add(t, samples[i].process, samples[i].tid, samples[i].time_ns),
			0);
	cr_assert_eq(sample_times_count(t), n);
	cr_assert_eq(sample_times_sort(t), 0);
}

Test(sample_times, from_the_start_on_until_before_the_end)
{
	static const struct sample samples[] = {
		{1, 10, 99}, {1, 10, 100}, {1, 10, 149}, {1, 10, 150}, {1, 11, 120}, {2, 10, 120},
	};
	static const bool wanted[ARRAY_SIZE(samples)] = {false, true, true};
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;
	struct raw_span span = {.process = 1, .tid = 10, .start_ns = 100, .duration_ns = 50};

	cr_assert_eq(sample_times_new(&t), 0);
	add_all(t, samples, ARRAY_SIZE(samples));
	sample_times_note(t, &span);
	sample_times_note(t, &span);
	span.tid = 12;
	sample_times_note(t, &span); /* a thread without samples */
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		cr_expect_eq(sample_times_noted(t, i), wanted[i], "sample %zu", i);
	cr_expect_eq(sample_times_count_noted(t), 2, "each counts once");
	cr_expect(!sample_times_noted(t, ARRAY_SIZE(samples)));
	/* An instant has no time in which a sample could be; the longest one has no end. */
	span = (struct raw_span){.process = 2, .tid = 10, .start_ns = 120};
	sample_times_note(t, &span);
	cr_expect(!sample_times_noted(t, 5));
	span.duration_ns = UINT64_MAX;
	sample_times_note(t, &span);
	cr_expect(sample_times_noted(t, 5));
}

/* Whatever order spans come in: those of source code come later than others. */
Test(sample_times, each_is_of_the_innermost_span)
{
	static const struct sample samples[] = {
		{1, 10, 5}, {1, 10, 15}, {1, 10, 25}, {1, 10, 35}, {1, 10, 45}, {1, 10, 105},
	};
	static const struct raw_span spans[] = {
		{.process = 1, .tid = 10, .start_ns = 10, .duration_ns = 90, .path = 1},
		{.process = 1, .tid = 10, .start_ns = 20, .duration_ns = 20, .path = 2, .depth = 1},
		{.process = 1, .tid = 10, .start_ns = 20, .duration_ns = 10, .path = 3, .depth = 2},
		{.process = 1, .tid = 11, .start_ns = 0, .duration_ns = 200, .path = 4},
	};
	static const uint32_t wanted[] = {0, 1, 3, 2, 1, 0};

	for (size_t first = 0; first < ARRAY_SIZE(spans); first++) {
		_cleanup_(sample_times_freep) struct sample_times *t = NULL;

		cr_assert_eq(sample_times_new(&t), 0);
		add_all(t, samples, ARRAY_SIZE(samples));
		cr_expect_eq(sample_times_path(t, 1), 0);
		for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
			cr_assert_eq(sample_times_claim(t, &spans[(first + i) % ARRAY_SIZE(spans)]),
				     0);
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
			cr_expect_eq(sample_times_path(t, i), wanted[i], "sample %zu, from %zu", i,
				     first);
	}
}

Test(sample_times, what_is_nobodys_is_taken)
{
	static const struct sample samples[] = {{1, 10, 15}, {1, 10, 25}};
	struct raw_span outer = {.process = 1, .tid = 10, .start_ns = 10, .duration_ns = 90};
	struct raw_span inner = {.process = 1, .tid = 10, .start_ns = 20, .duration_ns = 10};
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;

	cr_assert_eq(sample_times_new(&t), 0);
	add_all(t, samples, ARRAY_SIZE(samples));
	outer.path = 1;
	cr_assert_eq(sample_times_claim(t, &inner), 0);
	cr_assert_eq(sample_times_claim(t, &outer), 0);
	cr_expect_eq(sample_times_path(t, 0), 1);
	cr_expect_eq(sample_times_path(t, 1), 0);
}

Test(sample_times, nothing_at_all)
{
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;
	const struct raw_span span = {.process = 1, .tid = 1, .duration_ns = 5};

	cr_assert_eq(sample_times_new(&t), 0);
	cr_assert_eq(sample_times_sort(t), 0);
	sample_times_note(t, &span);
	cr_expect_eq(sample_times_count_noted(t), 0);
}

static uint64_t below(uint64_t limit)
{
	return next_random() % limit;
}

static void check_random(void)
{
	static struct sample samples[SAMPLES];
	static struct raw_span spans[SPANS];
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;
	size_t n = below(SAMPLES), n_spans = below(SPANS), noted = 0;
	uint64_t until = 1 + below(3000), longest = 1 + below(until);

	for (size_t i = 0; i < n; i++)
		samples[i] =
			(struct sample){1 + (uint32_t)below(3), (uint32_t)below(3), below(until)};
	for (size_t i = 0; i < n_spans; i++)
		spans[i] = (struct raw_span){.process = 1 + (uint32_t)below(3),
					     .tid = (uint32_t)below(3),
					     .start_ns = below(until),
					     .duration_ns = below(longest)};
	cr_assert_eq(sample_times_new(&t), 0);
	add_all(t, samples, n);
	for (size_t i = 0; i < n_spans; i++)
		sample_times_note(t, &spans[i]);
	for (size_t i = 0; i < n; i++) {
		bool wanted = false;

		for (size_t k = 0; k < n_spans && !wanted; k++)
			wanted = is_in(&samples[i], &spans[k]);
		noted += wanted;
		cr_assert_eq(sample_times_noted(t, i), wanted, "sample %zu of %zu", i, n);
	}
	cr_assert_eq(sample_times_count_noted(t), noted);
}

Test(sample_times, as_each_pair_says)
{
	seed_rng();
	for (int round = 0; round < 100; round++)
		check_random();
}

/* Spans of which each holds all samples of its thread: each sample is gone over once. */
Test(sample_times, deep_nesting_takes_no_longer)
{
	enum { DEPTH = 200000, N = 200000 };
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;

	cr_assert_eq(sample_times_new(&t), 0);
	for (uint64_t i = 0; i < N; i++)
		cr_assert_eq(sample_times_add(t, 1, 1, DEPTH + i), 0);
	cr_assert_eq(sample_times_sort(t), 0);
	for (uint64_t i = 0; i < DEPTH; i++)
		sample_times_note(t, &(struct raw_span){.process = 1,
							.tid = 1,
							.start_ns = DEPTH - i,
							.duration_ns = N + 2 * i});
	cr_expect_eq(sample_times_count_noted(t), N);
}
