/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a question says of the spans that samples are to be taken in. */
#include <criterion/criterion.h>

#include "expr/expr.h"
#include "expr/within.h"
#include "sonde/base/util.h"

static const struct {
	const char *text, *glob, *condition; /* the condition without the blanks before it */
} good[] = {
	{"handle_request", "handle_request", NULL},
	{"  parse_*  ", "parse_*", NULL},
	{"*", "*", NULL},
	{"get_[a-z!]?", "get_[a-z!]?", NULL},
	{"std::vector::push_back", "std::vector::push_back", NULL},
	{"main.(*Server).run: self > 1ms", "main.(*Server).run", "self > 1ms"},
	{"start", "start", NULL}, /* a field, but no condition */
	{"größe", "größe", NULL},
	{"f: duration > 100ms", "f", "duration > 100ms"},
	{"f:duration > 100ms", "f", "duration > 100ms"},
	{"ns::f : ret < 0", "ns::f", "ret < 0"},
	{"std::map<int, int>::at: ret < 0", "std::map<int, int>::at", "ret < 0"},
	{"operator new: args.size > 4KiB", "operator new", "args.size > 4KiB"},
	{"f: cat == \"a:b\"", "f", "cat == \"a:b\""},
	{"GET /users: duration > 1s", "GET /users", "duration > 1s"},
	{"duration > 100ms", NULL, "duration > 100ms"},
	{"cat == \"a:b\" && duration > 1s", NULL, "cat == \"a:b\" && duration > 1s"},
	{"name == 'it\\'s: 1' || error", NULL, "name == 'it\\'s: 1' || error"},
	{"name =~ /a:b\\/:/ && error", NULL, "name =~ /a:b\\/:/ && error"},
	{"name !~/a:b/i", NULL, "name !~/a:b/i"},
	{"args.kind == color::RED", NULL, "args.kind == color::RED"},
	{"error", NULL, "error"},
	{"!error", NULL, "!error"},
	{"unwound", NULL, "unwound"},
	{"attr.cached", NULL, "attr.cached"},
	{"error: ret == 1", "error", "ret == 1"},
	{"errors", "errors", NULL},
};

Test(within, globs_and_conditions)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const char *text = good[i].text, *condition;
		struct within w = {};
		struct error e = {};

		cr_assert_eq(within_parse(text, &w, &e), 0, "%s: %s", text, e.message);
		cr_expect_eq(!w.glob, !good[i].glob, "%s", text);
		if (w.glob && good[i].glob)
			cr_expect_str_eq(w.glob, good[i].glob, "%s: %s", text, w.glob);
		cr_assert_eq(!w.condition, !good[i].condition, "%s", text);
		if (w.condition) {
			condition = w.condition + strspn(w.condition, " ");
			cr_expect_str_eq(condition, good[i].condition);
		}
		within_release(&w);
	}
}

Test(within, complaints_have_the_column_of_the_whole_text)
{
	static const struct {
		const char *text;
		unsigned int column;
	} bad[] = {
		{"", 1},
		{"   ", 4},
		{": duration > 1ms", 1},
		{"  : duration > 1ms", 3},
		{"f:", 3},
		{"f:  ", 5},
		{"f: duration > ", 15},
		{"größe: duration >", 18},
		{"f(): duration = 1ms", 15},
		{"duration = 1ms", 10},
		{"name =~ /a:b", 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(expr_freep) struct expr *x = NULL;
		struct within w = {};
		struct error e = {};
		unsigned int column = 0;
		int r = within_parse(bad[i].text, &w, &e);

		if (r == 0 && w.condition)
			r = expr_parse(w.condition, &x, &e);
		within_release(&w);
		cr_expect_eq(r, -EINVAL, "%s", bad[i].text);
		cr_expect_eq(sscanf(e.message, "column %u:", &column), 1, "%s", e.message);
		cr_expect_eq(column, bad[i].column, "%s: %s", bad[i].text, e.message);
		cr_expect(e.fix[0], "%s", bad[i].text);
	}
}

Test(within, what_is_too_long_is_refused)
{
	_cleanup_(freep) char *text = malloc(5000);
	struct within w = {};
	struct error e = {};

	memset(text, 'f', 4999);
	text[4999] = '\0';
	cr_expect_eq(within_parse(text, &w, &e), -EINVAL);
	cr_expect_str_eq(e.name, "BadCondition");
	text[4096] = '\0';
	cr_expect_eq(within_parse(text, &w, &e), 0, "%s", e.message);
	within_release(&w);
}
