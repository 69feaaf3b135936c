/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>

#include "varlink/idl.h"
#include "varlink/message.h"

static const char interface[] =
	"# An interface for the tests.\n"
	"#\n"
	"# With two paragraphs.\n"
	"interface io.test\n"
	"\n"
	"type Kind (cpu, offcpu)\n"
	"\n"
	"# Which processes.\n"
	"type Selectors (\n"
	"  pids: ?[]int,\n"
	"  # A glob.\n"
	"  comm: ?string,\n"
	"  inner: ?Selectors\n"
	")\n"
	"\n"
	"method Echo(text: string) -> (text: string)\n"
	"\n"
	"method Count(to: int) -> (n: int)\n"
	"\n"
	"method Run(kind: Kind, selectors: ?Selectors, limits: ?[string]float, raw: ?object, "
	"points: ?[](x: int, y: bool)) -> ()\n"
	"\n"
	"method Nothing() -> ()\n"
	"\n"
	"error BadArgument (message: string, fix: string)\n"
	"\n"
	"error NoSuchProcess (message: string, fix: string)\n";

static cJSON *parse(const char *text)
{
	struct cJSON *json = NULL;
	struct error e = {};

	cr_assert_eq(message_parse(text, strlen(text), &json, &e), 0, "%s: %s", text, e.message);
	return json;
}

static char *repeat(const char *open, size_t count, const char *end)
{
	struct strbuf b = {};

	for (size_t i = 0; i < count; i++)
		strbuf_puts(&b, open);
	strbuf_puts(&b, end);
	return b.data;
}

Test(idl, round_trip)
{
	_cleanup_(idl_freep) struct idl *first = NULL;
	_cleanup_(idl_freep) struct idl *second = NULL;
	_cleanup_(strbuf_release) struct strbuf once = {};
	_cleanup_(strbuf_release) struct strbuf twice = {};
	struct error e = {};

	cr_assert_eq(idl_parse(interface, &first, &e), 0, "%s", e.message);
	cr_assert_eq(first->n_members, 8);
	cr_assert_str_eq(first->comment, " An interface for the tests.\n\n With two paragraphs.");
	idl_format(first, &once);
	cr_assert_eq(idl_parse(once.data, &second, &e), 0, "%s\n%s", e.message, once.data);
	idl_format(second, &twice);
	cr_assert_str_eq(once.data, twice.data);
	cr_assert_not_null(strstr(once.data, "  # A glob.\n  comm: ?string,\n"));
	cr_assert_not_null(strstr(once.data, "points: ?[](x: int, y: bool)\n"));
	cr_assert_not_null(idl_find(first, IDL_METHOD, "io.test.Echo"));
	cr_assert_not_null(idl_find(first, IDL_METHOD, "Echo"));
	cr_assert_null(idl_find(first, IDL_TYPE, "Echo"));
	cr_assert_null(idl_find(first, IDL_METHOD, "io.testEcho"));
}

Test(idl, parse_errors)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "line 1: expected 'interface', got the end of the text"},
		{"interface io", "line 1: an interface name like \"io.example\" is expected"},
		{"interface io.-x", "line 1: an interface name like \"io.example\" is expected"},
		{"interface io.x-", "line 1: an interface name like \"io.example\" is expected"},
		{"interface 1o.x", "line 1: an interface name like \"io.example\" is expected"},
		{"interface a.b\ntype x (a: int)",
		 "line 2: expected a name that begins with a capital before 'x (a: int)'"},
		{"interface a.b\ntype X (a: int", "line 2: expected ')', got the end of the text"},
		{"interface a.b\ntype X (a: )", "line 2: expected a type before ')'"},
		{"interface a.b\ntype X (a: ??int)",
		 "line 2: an optional type cannot be optional again"},
		{"interface a.b\ntype X (a: int, a: int)",
		 "line 2: the field \"a\" is there twice"},
		{"interface a.b\ntype X (a: int, b)", "line 2: expected ':' before ')'"},
		{"interface a.b\ntype X (a, b: int)", "line 2: expected ')' before ': int)'"},
		{"interface a.b\ntype X ()\nerror X ()", "line 3: \"X\" is there twice"},
		{"interface a.b\ntype X (a: Y)", "there is no type \"Y\""},
		{"interface a.b\nmethod X (a) -> ()",
		 "line 2: fields with types are expected here, not an enum"},
		{"interface a.b\nmethod X ()", "line 2: expected '->', got the end of the text"},
		{"interface a.b\nnonsense",
		 "line 2: expected type, method or error before 'nonsense'"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct idl *idl = NULL;
		struct error e = {};

		cr_assert_eq(idl_parse(cases[i].text, &idl, &e), -EINVAL, "%s", cases[i].text);
		cr_assert_str_eq(e.message, cases[i].message);
		cr_assert_null(idl);
	}
}

Test(idl, deep_types_end)
{
	char *text = repeat("[]", 100000, "int)");
	struct strbuf b = {};
	struct idl *idl;

	strbuf_printf(&b, "interface a.b\ntype X (a: %s", text);
	cr_assert_eq(idl_parse(b.data, &idl, NULL), -EINVAL);
	strbuf_release(&b);
	free(text);
}

Test(idl, check)
{
	static const struct {
		const char *params, *message;
	} cases[] = {
		{"{\"kind\":\"cpu\"}", NULL},
		{"{\"kind\":\"cpu\",\"selectors\":null,\"limits\":{\"a\":1,\"b\":2.5}}", NULL},
		{"{\"kind\":\"offcpu\",\"selectors\":{\"inner\":{\"pids\":[1]}},\"raw\":{\"a\":[]}"
		 "}",
		 NULL},
		{"{\"kind\":\"cpu\",\"points\":[{\"x\":1,\"y\":true}]}", NULL},
		{"{}", "kind: missing, expected Kind"},
		{"{\"kind\":null}", "kind: expected one of cpu, offcpu, got null"},
		{"{\"kind\":7}", "kind: expected one of cpu, offcpu, got int"},
		{"{\"kind\":\"gpu\"}", "kind: expected one of cpu, offcpu, got \"gpu\""},
		{"{\"kind\":\"cpu\",\"kind\":\"cpu\"}", "kind: given twice"},
		{"{\"kind\":\"cpu\",\"bad\":1}",
		 "bad: unknown; known are: kind, selectors, limits, raw, points"},
		{"{\"kind\":\"cpu\",\"selectors\":{\"pids\":[1,2,\"x\"]}}",
		 "selectors.pids[2]: expected int, got string"},
		{"{\"kind\":\"cpu\",\"selectors\":{\"pids\":[1.5]}}",
		 "selectors.pids[0]: expected int, got a fraction"},
		{"{\"kind\":\"cpu\",\"selectors\":{\"pids\":[9007199254740992]}}",
		 "selectors.pids[0]: expected int, got a number beyond 2^53"},
		{"{\"kind\":\"cpu\",\"selectors\":{\"inner\":{\"comm\":[]}}}",
		 "selectors.inner.comm: expected string, got array"},
		{"{\"kind\":\"cpu\",\"selectors\":[]}",
		 "selectors: expected (pids: ?[]int, comm: ?string, inner: ?Selectors), got array"},
		{"{\"kind\":\"cpu\",\"limits\":{\"a\":null}}",
		 "limits.a: expected float, got null"},
		{"{\"kind\":\"cpu\",\"points\":[{\"x\":1,\"y\":true},{\"x\":1}]}",
		 "points[1].y: missing, expected bool"},
	};
	_cleanup_(idl_freep) struct idl *idl = NULL;

	cr_assert_eq(idl_parse(interface, &idl, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(message_free_jsonp) struct cJSON *p = parse(cases[i].params);
		struct error e = {};
		int r = idl_check(idl, "io.test.Run", p, false, &e);

		cr_assert_eq(r, cases[i].message ? -EINVAL : 0, "%s: %s", cases[i].params,
			     e.message);
		cr_assert_str_eq(e.message, cases[i].message ? cases[i].message : "");
	}
	cr_assert_eq(idl_check(idl, "Gone", NULL, false, NULL), -ENOENT);
	cr_assert_eq(idl_check(idl, "Nothing", NULL, true, NULL), 0);
	cr_assert_eq(idl_check(idl, "Echo", NULL, true, NULL), -EINVAL);
	cr_assert_eq(idl_check_error(idl, "NoSuchProcess", NULL, NULL), -EINVAL);
	cr_assert_eq(idl_check_error(idl, "Gone", NULL, NULL), -ENOENT);
}
