/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw samples: rows are their sums, and they go where they are moved, in their order. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "model/translate.h"
#include "model/window.h"

static struct raw_sample random_sample(uint64_t time_ns)
{
	bool waits = next_random() % 2;

	return (struct raw_sample){
		.time_ns = time_ns,
		.ns = waits ? next_random() % 1000 : 0,
		.total_ns = waits ? next_random() % 5000 : 0,
		.process = 1 + (uint32_t)(next_random() % 3),
		.tid = 1 + (uint32_t)(next_random() % 9),
		.thread = (uint32_t)(next_random() % 3),
		.stack = (uint32_t)(next_random() % 20),
		.kind = waits ? SAMPLE_OFFCPU : SAMPLE_CPU,
		.count = 1 + (uint32_t)(next_random() % 3),
	};
}

static bool is_of(const struct sample_row *row, const struct raw_sample *s)
{
	return row->process == s->process && row->thread == s->thread && row->stack == s->stack &&
	       row->kind == s->kind;
}

Test(raw, rows_are_the_sums)
{
	enum { MANY = 3000 };
	struct window w = {};
	struct raw_sample *all = calloc(MANY, sizeof(*all));

	seed_rng();
	for (size_t i = 0; i < MANY; i++) {
		all[i] = random_sample(i);
		cr_assert_eq(window_add_raw_sample(&w, &all[i], true), 0);
	}
	cr_assert_eq(w.n_raw, MANY);
	cr_assert_eq(memcmp(w.raw, all, MANY * sizeof(*all)), 0);
	for (size_t i = 0; i < w.n_samples; i++) {
		uint64_t count = 0, total_ns = 0;

		for (size_t k = 0; k < MANY; k++) {
			count += is_of(&w.samples[i], &all[k]) ? all[k].count : 0;
			total_ns += is_of(&w.samples[i], &all[k]) ? all[k].total_ns : 0;
		}
		cr_assert_gt(count, 0);
		cr_assert_eq(w.samples[i].count, count);
		cr_assert_eq(w.samples[i].total_ns, total_ns);
	}
	window_release(&w);
	free(all);
}

static uint64_t count_of(const struct window *w)
{
	uint64_t count = 0;

	for (size_t i = 0; i < w->n_samples; i++)
		count += w->samples[i].count;
	return count;
}

Test(raw, goes_where_it_is_moved)
{
	struct window w = {}, to = {}, sum = {};
	const struct raw_sample s = {.time_ns = 7, .process = 1, .stack = 1, .count = 1};

	for (int i = 0; i < 100; i++)
		cr_assert_eq(window_add_raw_sample(&w, &s, i % 2), 0);
	cr_assert_eq(w.n_raw, 50);
	cr_assert_eq(count_of(&w), 100);
	cr_assert_eq(window_merge(&sum, &w), 0);
	cr_assert_eq(sum.n_raw, 0);
	window_move_raw(&to, &w);
	cr_assert(to.n_raw == 50 && to.raw[49].time_ns == 7 && to.n_samples == 0);
	cr_assert(w.n_raw == 0 && !w.raw && w.raw_cap == 0);
	cr_assert_eq(count_of(&w), 100);
	cr_assert_eq(window_add_raw_samples(&w, to.raw, 50), 0);
	cr_assert_eq(window_add_raw_samples(&w, NULL, 0), 0);
	cr_assert_eq(w.n_raw, 50);
	cr_assert_eq(count_of(&w), 100);
	window_drop_raw(&w);
	cr_assert(w.n_raw == 0 && w.raw);
	cr_assert_eq(window_add_raw_samples(&w, to.raw, 20), 0);
	window_release(&to);
	window_move(&to, &w);
	cr_assert(to.n_raw == 20 && w.n_raw == 0 && !w.raw);
	window_reset(&to, 9);
	cr_assert(to.n_raw == 0 && to.n_samples == 0);
	window_release(&to);
	window_release(&w);
	window_release(&sum);
}

Test(raw, is_ordered_by_kind_and_time)
{
	struct raw_sample of[4] = {
		{.kind = SAMPLE_OFFCPU, .time_ns = 1},
		{.kind = SAMPLE_CPU, .time_ns = 9, .tid = 2},
		{.kind = SAMPLE_CPU, .time_ns = 9, .tid = 1},
		{.kind = SAMPLE_CPU, .time_ns = 2, .count = 8},
	};

	qsort(of, 4, sizeof(*of), raw_sample_compare);
	cr_assert_eq(of[0].time_ns, 2);
	cr_assert(of[1].tid == 1 && of[2].tid == 2);
	cr_assert_eq(of[3].kind, SAMPLE_OFFCPU);
	cr_assert_eq(raw_sample_compare(&of[1], &of[1]), 0);
	cr_assert_gt(raw_sample_compare(&of[2], &of[1]), 0);
}

Test(raw, is_translated_in_place)
{
	struct model *from = NULL, *to = NULL;
	struct translator *t = NULL;
	struct raw_sample s[2];

	cr_assert(model_new(&from) == 0 && model_new(&to) == 0);
	for (uint32_t i = 0; i < 2; i++)
		s[i] = (struct raw_sample){
			.time_ns = 1000 + i,
			.ns = 5,
			.total_ns = 6,
			.process = model_process_append(from, 70 + i, 9),
			.tid = 71,
			.thread = model_string(from, i ? "second" : "first"),
			.stack = i ? model_stack(from, 0, model_frame(from, 0, 0x40)) : 0,
			.count = 1};
	model_string(to, "so that ids differ");
	model_process_append(to, 1, 1);
	model_stack(to, 0, model_frame(to, 0, 0x10));
	cr_assert_eq(translator_new(from, to, &t), 0);
	translator_set_shift(t, -400);
	cr_assert_eq(translate_raw_samples(t, s, 2), 0);
	cr_assert(s[0].time_ns == 600 && s[1].time_ns == 601 && s[1].ns == 5 && s[1].tid == 71);
	cr_assert_eq(model_process_get(to, s[1].process)->pid, 71);
	cr_assert_str_eq(model_string_get(to, s[1].thread), "second");
	cr_assert_eq(s[0].stack, 0);
	cr_assert_eq(model_frame_peek(to, model_stack_get(to, s[1].stack)->frame)->offset, 0x40);
	s[0].process = 99;
	cr_assert_eq(translate_raw_samples(t, s, 1), -EINVAL);
	translator_free(t);
	model_free(from);
	model_free(to);
}
