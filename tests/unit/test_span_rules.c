/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules of spans mean, against fnmatch(3) and against bytes that are none. */
#include <criterion/criterion.h>
#include <fnmatch.h>

#include "base_random.h"
#include "sonde/span.h"

static void random_text(char *to, size_t max, const char *letters)
{
	size_t len = next_random() % (max + 1);

	for (size_t i = 0; i < len; i++)
		to[i] = letters[next_random() % strlen(letters)];
	to[len] = 0;
}

Test(span, globs_are_those_of_fnmatch)
{
	unsigned matching = 0;

	seed_rng();
	for (int i = 0; i < 100000; i++) {
		char pattern[9], text[13];
		int matches;

		random_text(pattern, sizeof(pattern) - 1, "ab*?");
		random_text(text, sizeof(text) - 1, "ab/");
		matches = sonde_glob(pattern, strlen(pattern), text);
		matching += (unsigned)matches;
		cr_assert_eq(matches, fnmatch(pattern, text, 0) == 0, "'%s' and '%s'", pattern,
			     text);
	}
	cr_expect_gt(matching, 5000);
}

Test(span, the_last_rule_that_matches_decides)
{
	static const struct {
		const char *rules, *category, *name;
		int wanted;
	} table[] = {
		{"", "io", "read", 1},
		{"io", "io", "read", 1},
		{"io", "net", "read", 0},
		{"io", "", "read", 0},
		{"-io", "io", "read", 0},
		{"-io", "net", "read", 1},
		{"io,-net", "db", "read", 0},
		{"*,-io/read", "io", "read", 0},
		{"*,-io/read", "io", "write", 1},
		{"-*,io", "io", "write", 1},
		{"*/r*,-*/re*,*/read", "x", "read", 1},
		{"*/r*,-*/re*,*/read", "x", "reap", 0},
		{"*/r*,-*/re*,*/read", "", "run", 1},
		{"/read", "", "read", 1},
		{"/read", "io", "read", 0},
		{"a/b/c", "a", "b/c", 1},
		{" io , , -net ,", "net", "x", 0},
		{"-", "", "x", 1},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char rules[SONDE_RULES_SIZE];
		uint32_t n = sonde_parse_rules(table[i].rules, rules);

		cr_expect_eq(sonde_is_wanted(rules, n, table[i].category, table[i].name),
			     table[i].wanted, "'%s' of %s/%s", table[i].rules, table[i].category,
			     table[i].name);
	}
}

Test(span, rules_without_room_are_left_out_whole)
{
	char text[2 * SONDE_RULES_SIZE], rules[SONDE_RULES_SIZE];
	uint32_t n;

	memset(text, 'a', sizeof(text));
	memcpy(text, "io,", 3);
	text[sizeof(text) - 1] = 0;
	n = sonde_parse_rules(text, rules);
	cr_expect_eq(n, 3);
	cr_expect_str_eq(rules, "io");
	text[SONDE_RULES_SIZE - 1] = 0; /* one that just fits, with its NUL */
	n = sonde_parse_rules(text, rules);
	cr_expect_eq(n, SONDE_RULES_SIZE);
	cr_expect_eq(rules[SONDE_RULES_SIZE - 1], 0);
}

Test(span, whatever_the_control_has_is_read_within_it)
{
	seed_rng();
	for (int i = 0; i < 20000; i++) {
		/* On the heap, so that sanitizers see where it ends. */
		char *rules = malloc(SONDE_RULES_SIZE);
		uint32_t n = (uint32_t)(i % 2 ? next_random() : next_random() % 1024);

		for (int k = 0; k < SONDE_RULES_SIZE; k++)
			rules[k] = "ab*?/-\0\xff"[next_random() % 8];
		sonde_is_wanted(rules, n, "ab", "aab");
		free(rules);
	}
}

Test(span, numbers_of_the_environment)
{
	static const struct {
		const char *text;
		int64_t thousandths;
	} table[] = {{"0", 0},
		     {"1", 1000},
		     {"1.5", 1500},
		     {"0.001", 1},
		     {"2.", 2000},
		     {".25", 250},
		     {"", -1},
		     {".", -1},
		     {"x", -1},
		     {"1x", -1},
		     {"1.2345", -1},
		     {"-1", -1},
		     {" 1", -1},
		     {"1e3", -1},
		     {"999999999999", 999999999999000},
		     {"9999999999999", -1}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_expect_eq(sonde_parse_thousandths(table[i].text), table[i].thousandths, "'%s'",
			     table[i].text);
}

Test(span, traceparents_of_any_bytes)
{
	static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct sonde_trace trace;

	seed_rng();
	cr_assert_eq(sonde_read_traceparent(good, &trace), 0);
	cr_expect_eq(sonde_read_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
					    "01-more",
					    &trace),
		     0, "later versions may have more");
	for (int i = 0; i < 20000; i++) {
		size_t len = next_random() % sizeof(good);
		char *text = malloc(len + 1);

		memcpy(text, good, len);
		text[len] = 0;
		if (len)
			text[next_random() % len] = (char)next_random();
		if (len < sizeof(good) - 1)
			cr_assert_neq(sonde_read_traceparent(text, &trace), 0, "'%s'", text);
		free(text);
	}
	cr_expect_neq(sonde_read_traceparent(NULL, &trace), 0);
}
