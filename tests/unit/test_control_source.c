/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans written in source code: names that are believed, halves that are brought together. */
#include <criterion/criterion.h>

#include "control/source_async.h"
#include "control/source_names.h"

static struct source_item site(const char *category, const char *name)
{
	return (struct source_item){
		.kind = SONDE_RECORD_SITE,
		.id = sonde_site_id(category, strlen(category), name, strlen(name)),
		.category = category,
		.category_len = strlen(category),
		.name = name,
		.name_len = strlen(name)};
}

Test(control_source, names_are_believed_when_they_fit)
{
	struct source_names *n = NULL;
	struct source_item good = site("io", "read"), bad = site("io", "write"), odd;
	const char *category = NULL, *name = NULL;

	cr_assert_eq(source_names_new(&n), 0);
	bad.name = "wipe!";
	source_names_learn(n, &good);
	source_names_learn(n, &bad);
	cr_assert(source_names_site(n, good.id, &category, &name));
	cr_expect(streq(category, "io") && streq(name, "read"));
	cr_expect_not(source_names_site(n, bad.id, &category, &name));
	odd = site("\x1b[2J", "a\xff\xc2\x9bü");
	source_names_learn(n, &odd);
	cr_assert(source_names_site(n, odd.id, &category, &name));
	cr_expect_str_eq(category, "?[2J");
	cr_expect_str_eq(name, "a??ü");
	cr_expect_null(source_names_key(n, good.id));
	source_names_free(n);
}

static bool pair(struct source_async *a, bool is_end, uint64_t key, uint64_t time_ns,
		 uint64_t *ret_other)
{
	struct async_half other,
		half = {.pid = 1, .site = 2, .key = key, .time_ns = time_ns, .is_end = is_end};
	bool paired = source_async_pair(a, &half, &other);

	*ret_other = paired ? other.time_ns : 0;
	return paired;
}

/* A key that is used again and again, with ends and beginnings in any order. */
Test(control_source, halves_find_each_other)
{
	struct source_async a = {};
	uint64_t other;

	cr_expect_not(pair(&a, true, 7, 20, &other));
	cr_expect_not(pair(&a, true, 7, 40, &other));
	cr_expect(pair(&a, false, 7, 10, &other) && other == 20);
	cr_expect(pair(&a, false, 7, 30, &other) && other == 40);
	cr_expect_not(pair(&a, false, 7, 50, &other));
	cr_expect_not(pair(&a, false, 7, 70, &other));
	cr_expect_not(pair(&a, true, 8, 60, &other), "another key");
	cr_expect_not(pair(&a, true, 7, 45, &other), "before its beginning");
	cr_expect(pair(&a, true, 7, 60, &other) && other == 50);
	cr_expect(pair(&a, true, 7, 80, &other) && other == 70);
	source_async_release(&a);
}

Test(control_source, the_oldest_halves_are_forgotten)
{
	struct source_async a = {};
	uint64_t other;

	for (uint64_t i = 0; i < 10 * ASYNC_MAX; i++)
		cr_assert_not(pair(&a, false, i, i, &other));
	cr_expect_eq(a.forgotten, 9 * ASYNC_MAX);
	cr_expect_not(pair(&a, true, 9 * ASYNC_MAX - 1, UINT64_MAX, &other));
	for (uint64_t i = 10 * ASYNC_MAX; i-- > 9 * ASYNC_MAX + 1;)
		cr_assert(pair(&a, true, i, UINT64_MAX, &other) && other == i, "%lu", i);
	source_async_release(&a);
}

/* A key that is begun again and again and never ended: looking for its other half stays cheap. */
Test(control_source, halves_of_one_key_are_bounded)
{
	struct source_async a = {};
	uint64_t other;

	for (uint64_t i = 0; i < 10 * ASYNC_MAX; i++)
		cr_assert_not(pair(&a, false, 7, i, &other));
	cr_expect_eq(a.forgotten, 10 * ASYNC_MAX - ASYNC_MAX_SAME);
	for (uint64_t i = 10 * ASYNC_MAX; i-- > 10 * ASYNC_MAX - ASYNC_MAX_SAME;)
		cr_assert(pair(&a, true, 7, UINT64_MAX, &other) && other == i, "%lu", i);
	cr_expect_not(pair(&a, true, 7, UINT64_MAX, &other));
	source_async_release(&a);
}
