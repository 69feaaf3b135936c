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
	source_names_learn(n, 1, 1, &good);
	source_names_learn(n, 1, 1, &bad);
	cr_assert(source_names_site(n, good.id, &category, &name));
	cr_expect(streq(category, "io") && streq(name, "read"));
	cr_expect_not(source_names_site(n, bad.id, &category, &name));
	odd = site("\x1b[2J", "a\xff\xc2\x9bü");
	source_names_learn(n, 1, 1, &odd);
	cr_assert(source_names_site(n, odd.id, &category, &name));
	cr_expect_str_eq(category, "?[2J");
	cr_expect_str_eq(name, "a??ü");
	cr_expect_null(source_names_key(n, good.id));
	source_names_free(n);
}

static struct source_item numbered(char text[static 16], uint32_t i)
{
	snprintf(text, 16, "%u", i);
	return site("", text);
}

/* Names `from` … `from + count - 1` are said by the process. */
static void say_many(struct source_names *n, uint32_t pid, uint32_t uid, uint32_t from,
		     uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++) {
		char text[16];
		const struct source_item item = numbered(text, i);

		source_names_learn(n, pid, uid, &item);
		source_names_learn(n, pid, uid, &item);
	}
}

static bool knows(const struct source_names *n, uint32_t i)
{
	const char *category, *name;
	char text[16];

	return source_names_site(n, numbered(text, i).id, &category, &name) && streq(name, text);
}

static bool nobody(uint32_t pid)
{
	(void)pid;
	return false;
}

static bool even_pids(uint32_t pid)
{
	return pid % 2 == 0;
}

Test(control_source, nobody_uses_up_the_names_of_others)
{
	const uint32_t most = SOURCE_NAMES_OF_PROCESS;
	struct source_names *n = NULL;

	cr_assert_eq(source_names_new(&n), 0);
	say_many(n, 10, 1000, 0, most + 100);
	cr_assert_eq(source_names_count(n), most, "of a process");
	cr_assert(knows(n, most - 1) && !knows(n, most));
	for (uint32_t pid = 11; pid < 20; pid++)
		say_many(n, pid, 1000, pid * most, most);
	cr_assert_eq(source_names_count(n), SOURCE_NAMES_OF_USER, "of a user");
	say_many(n, 30, 1001, 0, most);
	cr_assert_eq(source_names_count(n), SOURCE_NAMES_OF_USER, "what others have said as well");
	say_many(n, 31, 1001, 1U << 30, 5);
	cr_assert_eq(source_names_count(n), SOURCE_NAMES_OF_USER + 5, "of another user");
	for (uint32_t uid = 2000; uid < 2010; uid++)
		for (uint32_t i = 0; i < 2; i++)
			say_many(n, 100 + 2 * uid + i, uid, (2 * uid + i) << 16, most);
	cr_assert_eq(source_names_count(n), SOURCE_NAMES_MAX, "in all");
	source_names_free(n);
}

Test(control_source, many_processes_that_say_the_same_are_bounded_too)
{
	const uint64_t kept_ns = SOURCE_NAMES_KEPT_MS * NSEC_PER_MSEC, now = 1ULL << 50;
	const uint32_t most = SOURCE_NAMES_OF_PROCESS, n_full = SOURCE_NAMES_SAID_OF_USER / most;
	struct source_names *n = NULL;

	cr_assert_eq(source_names_new(&n), 0);
	for (uint32_t i = 0; i < n_full; i++)
		say_many(n, 100 + i, 1000, 0, most);
	say_many(n, 500, 1000, most, 10);
	cr_assert_eq(source_names_count(n), most, "the user's processes have said enough");
	say_many(n, 501, 1001, most, 10);
	cr_assert_eq(source_names_count(n), most + 10, "of another user");
	source_names_gone(n, 100, now);
	source_names_tend(n, now + kept_ns, even_pids);
	say_many(n, 502, 1000, 2 * most, 10);
	cr_assert_eq(source_names_count(n), most + 20, "one that was full is gone");
	source_names_free(n);
}

Test(control_source, names_go_with_the_last_process_that_has_them)
{
	const uint64_t kept_ns = SOURCE_NAMES_KEPT_MS * NSEC_PER_MSEC, now = 1ULL << 50;
	static const char text[] = "key";
	const struct source_item key = {.kind = SONDE_RECORD_KEY,
					.id = sonde_key_id(text, 3),
					.category = "",
					.name = text,
					.name_len = 3};
	struct source_names *n = NULL;

	cr_assert_eq(source_names_new(&n), 0);
	say_many(n, 2, 1000, 0, 10);
	say_many(n, 3, 1000, 5, 10);
	source_names_learn(n, 3, 1000, &key);
	source_names_tend(n, now, even_pids);
	cr_assert_eq(source_names_count(n), 16, "what has ended is kept for a while");
	source_names_tend(n, now + kept_ns - 1, even_pids);
	cr_assert_eq(source_names_count(n), 16);
	cr_assert_str_eq(source_names_key(n, key.id), "key");
	source_names_tend(n, now + 2 * kept_ns, even_pids);
	cr_assert_eq(source_names_count(n), 10, "those of process 2");
	for (uint32_t i = 0; i < 15; i++)
		cr_assert_eq(knows(n, i), i < 10, "%u", i);
	cr_assert_null(source_names_key(n, key.id));

	/* It runs another program, which says other names. */
	source_names_gone(n, 2, now + 2 * kept_ns);
	say_many(n, 2, 1000, 9, 3);
	source_names_tend(n, now + 4 * kept_ns, even_pids);
	cr_assert_eq(source_names_count(n), 3);
	cr_assert(knows(n, 9) && knows(n, 10) && knows(n, 11));
	source_names_tend(n, now + 6 * kept_ns, nobody);
	source_names_tend(n, now + 8 * kept_ns, nobody);
	cr_assert_eq(source_names_count(n), 0);
	say_many(n, 4, 1000, 0, SOURCE_NAMES_OF_PROCESS);
	say_many(n, 6, 1000, SOURCE_NAMES_OF_PROCESS, SOURCE_NAMES_OF_PROCESS);
	cr_assert_eq(source_names_count(n), SOURCE_NAMES_OF_USER, "the user has room again");
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
