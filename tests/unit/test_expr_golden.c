/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people read: the message and the fix of wrong conditions (tests/golden/expr/errors.txt), the
 * split and the types of right ones (right.txt). A line "> CONDITION" is decided at the end of a
 * call, "begin> CONDITION" at its begin; what follows it is what must be said.
 * SONDE_UPDATE_GOLDEN=1 writes the files anew, to be read before they are committed.
 */
#include <criterion/criterion.h>

#include "expr_help.h"
#include "sonde/base/strbuf.h"

static void say_error(struct strbuf *out, const struct error *e)
{
	strbuf_printf(out, "%s\n%s\n", e->message, e->fix);
	cr_expect_str_eq(e->name, "BadCondition");
	cr_expect(startswith(e->message, "column "), "%s", e->message);
	cr_expect(e->fix[0], "no fix: %s", e->message);
}

static void say_split(struct strbuf *out, const struct bound *b)
{
	static const char *const parts[] = {"kernel", "daemon"};
	size_t n;
	const struct expr_use *uses = bound_uses(b, &n);

	for (int part = EXPR_KERNEL; part <= EXPR_DAEMON; part++)
		if (bound_has(b, part))
			strbuf_printf(out, "%s: %s\n", parts[part], bound_text(b, part));
	for (size_t i = 0; i < n; i++)
		strbuf_printf(out, "  %s: %s, %s\n", uses[i].text, uses[i].type,
			      parts[uses[i].part]);
}

static void say(struct strbuf *out, const char *text, enum expr_stage stage, bool wrong)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b = NULL;

	scope.stage = stage;
	b = help_bound(text, &scope, &e);
	cr_expect_eq(!b, wrong, "%s: %s", text, b ? "is accepted" : e.message);
	if (!b)
		say_error(out, &e);
	else
		say_split(out, b);
}

static void write_golden(const char *path, const struct strbuf *text)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "we");

	cr_assert(f && fwrite(text->data, 1, text->len, f) == text->len);
}

/* Says everything of the file anew; at least `least` conditions are in it. */
static void check_golden(const char *name, bool wrong, size_t least)
{
	_cleanup_(freep) char *path = NULL, *golden = NULL;
	_cleanup_(strbuf_release) struct strbuf out = {};
	size_t size, n = 0;
	char *line, *rest;

	cr_assert_gt(asprintf(&path, "%s/tests/golden/expr/%s", SONDE_SOURCE_ROOT, name), 0);
	cr_assert_eq(read_file(path, 1 << 20, &golden, &size), 0, "%s", path);
	_cleanup_(freep) char *copy = strdup(golden);

	rest = copy;
	while ((line = strsep(&rest, "\n"))) {
		bool begin = startswith(line, "begin> ");
		const char *text = begin ? line + 7 : line + 2;

		if (line[0] == '#') {
			strbuf_printf(&out, "%s\n", line);
			continue;
		}
		if (!begin && !startswith(line, "> "))
			continue;
		strbuf_printf(&out, "\n%s\n", line);
		say(&out, text, begin ? EXPR_AT_ENTRY : EXPR_AT_END, wrong);
		n++;
	}
	cr_expect_geq(n, least);
	if (getenv("SONDE_UPDATE_GOLDEN"))
		write_golden(path, &out);
	else
		cr_expect_str_eq(out.data, golden, "%s has changed", name);
}

Test(expr_golden, wrong_conditions)
{
	check_golden("errors.txt", true, 40);
}

Test(expr_golden, right_conditions)
{
	check_golden("right.txt", false, 20);
}
