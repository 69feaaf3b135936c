/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions: what they mean for one call, worked out by hand. */
#include <criterion/criterion.h>

#include "expr_help.h"

static struct record_call sample_call(void)
{
	struct record_call c = {};
	struct record_text text = {.len = 9};

	c.span.h = (struct record_header){RECORD_CALL, SPAN_ERROR, 3, 7};
	c.span.pid = 4711;
	c.span.tid = 4712;
	c.span.depth = 2;
	c.span.start_ns = 5 * NSEC_PER_SEC;
	c.span.duration_ns = 12 * NSEC_PER_MSEC + 345678;
	c.span.self_ns = 2 * NSEC_PER_MSEC;
	c.span.ret = 0xfffffffe; /* an int of -2, with an upper half that nobody set */
	c.offcpu_ns = 10 * NSEC_PER_MSEC;
	c.cgroup = 99;
	c.uid = 0;
	c.caller = 2; /* handle_request */
	memcpy(c.comm, "nginx", 5);
	c.args[0] = UINT64_MAX;
	c.args[1] = 0xdeadbeef00000041; /* flags: CREAT | WRONLY, in 4 bytes */
	c.args[2] = 0x00000000ffffffff; /* color: RED */
	c.args[3] = (uint64_t)-7;
	c.args[4] = 1;
	c.valid = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 5;
	memcpy(c.values, &(uint64_t){5000}, 8);
	memcpy(c.values + 8, &(uint64_t){77}, 8); /* not valid */
	memcpy(c.values + 16, &text, sizeof(text));
	memcpy(c.values + 20, "/tmp/data", 9);
	memcpy(c.values + 64, &(uint64_t){20 * NSEC_PER_MSEC}, 8);
	return c;
}

static bool find_attr(void *arg, const char *key, struct expr_attr *ret)
{
	static const struct {
		const char *key;
		struct expr_attr attr;
	} attrs[] = {
		{"step.name", {.type = EXPR_ATTR_TEXT, .text = "train 7, cut", .len = 7}},
		{"rows", {.type = EXPR_ATTR_INT, .number = 1001}},
		{"below", {.type = EXPR_ATTR_INT, .number = (uint64_t)-5}},
		{"huge", {.type = EXPR_ATTR_UINT, .number = UINT64_MAX}},
		{"ratio", {.type = EXPR_ATTR_REAL, .real = 1.5}},
		{"loss", {.type = EXPR_ATTR_REAL, .real = 0.1}},
		{"small", {.type = EXPR_ATTR_REAL, .real = -0.0005}},
		{"odd", {.type = EXPR_ATTR_INT, .number = (1ULL << 53) + 1}},
		{"even", {.type = EXPR_ATTR_REAL, .real = 0x1p53}},
		{"endless", {.type = EXPR_ATTR_REAL, .real = __builtin_inf()}},
		{"nan", {.type = EXPR_ATTR_REAL, .real = __builtin_nan("")}},
		{"yes", {.type = EXPR_ATTR_BOOL, .number = 1}},
		{"no", {.type = EXPR_ATTR_BOOL}},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		if (streq(attrs[i].key, key)) {
			*ret = attrs[i].attr;
			return true;
		}
	return false;
}

static void expect_all(const char *const *texts, size_t n, bool wanted)
{
	struct record_call c = sample_call();
	struct expr_facts f = {.call = &c,
			       .name = "open_table",
			       .cgroup = "/system.slice/nginx.service",
			       .attr = find_attr};
	struct expr_scope scope = help_scope();

	for (size_t i = 0; i < n; i++) {
		struct error e = {};
		_cleanup_(bound_freep) struct bound *b = help_bound(texts[i], &scope, &e);

		cr_expect(b, "%s: %s (%s)", texts[i], e.message, e.fix);
		if (!b)
			continue;
		cr_expect_eq(bound_eval(b, EXPR_WHOLE, &f), wanted, "%s", texts[i]);
		cr_expect_eq(bound_eval(b, EXPR_KERNEL, &f) && bound_eval(b, EXPR_DAEMON, &f),
			     wanted, "the parts of %s", texts[i]);
	}
}

Test(expr, what_is_true)
{
	static const char *const texts[] = {
		"duration > 10ms",
		"duration >= 12345678ns && duration <= 12345678ns",
		"duration_ms == 12 && duration_us == 12345",
		"duration > 0.01s && duration < 1m",
		"self == 2ms && offcpu_time == 10ms && cpu_time == 2345678ns",
		"cpu_time * 4 < duration",
		"duration / self == 6",
		"duration % self == 345678ns",
		"duration - offcpu_time == cpu_time",
		"-duration < 0ns",
		"args.timeout > duration",
		"ret < 0 && ret == -ENOENT && ret == -2",
		"ret in (-EAGAIN, -ENOENT)",
		"ret not in (0, 1) && ret !in (-1, 3)",
		"error && !unwound && error == true && unwound == false && error != unwound",
		"depth == 2 && cpu == 7 && pid == 4711 && tid == 0x1268",
		"uid == 0 && uid == 'root' && uid == \"root\"",
		"comm == \"nginx\" && comm == 'nginx' && comm =~ 'ng*' && comm in ('sh', 'nginx')",
		"comm !~ 'a*' && comm != 'nginy' && comm =~ /^n.*x$/ && comm =~ /NGINX/i",
		"name =~ \"open_*\" && name == 'open_table' && name =~ 'o[a-p]en?table'",
		"cgroup == 99 && cgroup == '/system.slice/nginx.service' && cgroup =~ '/system*'",
		"cgroup =~ /nginx\\.service$/",
		"caller == 'handle_request' && caller =~ 'handle_*' && caller != 'main'",
		"caller =~ /^handle_re[pq]/ && caller in ('x', 'handle_request')",
		"attr.step.name == 'train 7' && attr.step.name =~ 'train *'",
		"attr.rows > 1000 && 1000 < attr.rows && attr.rows == 1001 && attr.rows < 2KiB",
		"attr.below < 0 && attr.below == -5 && -attr.below == 5 && attr.below < attr.rows",
		"attr.huge > 0 && attr.huge == 0xffffffffffffffff && attr.huge > attr.rows",
		"attr.ratio > 1 && attr.ratio < 2 && attr.ratio * 2 == 2 && attr.ratio != 1",
		"attr.rows in (1, 1001) && attr.rows not in (1, 2) && attr.ratio not in (1, 2)",
		"attr.step.name in ('x', 'train 7') && attr.rows > 1us && attr.rows % 10 == 1",
		"attr.yes && attr.yes == true && !attr.no && attr.no == false && attr.rows",
		"!(attr.none > 0) && !(attr.none <= 0) && !attr.none && !(attr.nan == 0)",
		"!(attr.rows == '1001') && !(attr.step.name == 7) && !(attr.rows == true)",
		"!(attr.yes == 1) && !(attr.step.name > 0) && !(attr.none in (1, 2))",
		"args.flags & CREAT",
		"args.flags == (CREAT | WRONLY) && (args.flags & ~CREAT) == WRONLY",
		"args.flags & CREAT && !(args.flags & EXCL)",
		"args.color == RED && args.color == Color::RED && args.color < GREEN",
		"args.color in (GREEN, RED)",
		"args.small == -7 && args.word == 0xfff9",
		"args.ok && args.ok == true && !(args.ok == false)",
		"args.p == NULL && !args.p",
		"args.len > 4KiB && args.len == 5000 && args.len < 1MB && args.len / 2 == 2500",
		"args.len * 2 == 10000 && args.len << 1 == 10000 && args.len >> 3 == 625",
		"args.path == '/tmp/data' && args.path =~ '/tmp/*' && args.path =~ '*data'",
		"args.path != '/tmp/dat' && args.path !~ '/var/*'",
		"arg0 == 0xffffffffffffffff && arg0 > ret && arg0 > -1",
		"arg3 == -7 && arg3 / 2 == -3 && arg3 % 2 == -1 && arg3 >> 1 == -4 && -arg3 == 7",
		"arg3 < arg0 && arg0 > arg3 && arg3 != arg0",
		"1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 - 2 - 1 == 4 && 2 << 1 + 1 == 8",
		"(1 | 6 & 3) == 3 && (5 ^ 1) == 4 && ~0 == -1 && 10 % 4 == 2",
		"!(args.delta == 77) && !(args.delta != 77) && !args.delta",
		"!(pid / (depth - 2) == 0) && !(pid % 0 == 1)",
		"!(args.lost == 0) && !(args.gone == 'x') && !(args.outside == 0)",
		"!(args.far == 'x') && !(attr.none == '') && !(attr.none != '')",
		"start > \"2023-11-14\" && start < '2100-01-01 00:00'",
		"start == '2023-11-14T22:13:25.000Z' && start - 5s < '2023-11-14 22:13:25Z'",
		"pid == 1 || pid == 2 || depth > 1",
		"args.small == '\xf9' || true",
	};

	expect_all(texts, ARRAY_SIZE(texts), true);
}

/* The duration is 12.345678 ms, arg0 the greatest number, arg3 -7, ret -2. */
Test(expr, what_is_true_of_fractions)
{
	static const char *const texts[] = {
		"attr.loss < 0.25 && attr.loss == 0.1 && attr.loss == 1e-1 && attr.loss != 0.2",
		"0.25 > attr.loss && attr.loss > 0 && attr.loss < 1 && attr.loss in (0.5, 0.1)",
		"attr.small == -0.5e-3 && attr.small == -5E-4 && -0.0005 == attr.small",
		"attr.loss not in (0.5, 0.2) && attr.ratio in (1, 1.5) && 1.5 in (1, attr.ratio)",
		"attr.rows > 1000.5 && attr.rows < 1001.5 && attr.rows == 1001.0 && attr.rows == "
		"1.001e3",
		"attr.rows not in (1001.5, 1000.5) && attr.rows in (0.5, 1001.0)",
		"attr.huge > 18446744073709551614.0 && attr.huge == 18446744073709551615.0",
		"attr.huge < 1.844674407370955162e19 && attr.huge < 1e300 && attr.huge > -1e300",
		"attr.below > -5.5 && attr.below < -4.5 && attr.below != -5.5 && attr.below == "
		"-5.0",
		/* As doubles these would be the same. */
		"attr.odd > attr.even && attr.odd == 9007199254740993.0",
		"attr.odd > 9007199254740992.5 && attr.odd < 9007199254740993.5",
		"attr.endless > 1e300 && attr.endless > attr.huge",
		"!(attr.nan < 0.5) && !(attr.nan >= 0.5) && !(attr.nan == 0.5) && !attr.nan",
		"!(attr.nan != 0.5) && !(attr.nan != attr.nan) && !(attr.nan not in (1, 2))",
		"!(attr.none < 0.5) && !(attr.none != 0.5) && !(attr.yes < 0.5)",
		"!(attr.step.name < 0.5)",
		"arg3 > -7.5 && arg3 >= -7.5 && arg3 < -6.5 && arg3 <= -6.5 && arg3 != -7.5",
		"-7.5 < arg3 && arg3 == -7.0 && arg3 in (-7.5, -7.0) && arg3 not in (-7.5, 7.0)",
		"arg0 > 0.5 && arg0 > -0.5 && arg0 < 1e20 && arg0 == 18446744073709551615.0",
		"arg3 > -1e20 && arg3 < 1e20 && arg3 != 1e20 && arg3 < 9223372036854775808.0",
		"ret < -1.5 && ret > -2.5 && depth > 1.5 && depth < 2.5 && depth == 2.0",
		"duration_ms > 12.345677 && duration_ms > 12.3 && duration_ms < 12.4",
		"duration_ms == 12.345678 && 12.345678 == duration_ms && duration_ms != 12.0",
		"duration_us > 12345.677 && duration_us < 12345.6785 && duration_us == 12345",
		"duration_ms > 0.5 && duration_ms < 1e2 && duration_ms > 12.3456779999",
		"duration > 12.345677ms && duration == 12.345678ms && duration > 1.5us",
		"args.len > 1.5KiB && args.len < 4.9375KiB && args.len > 1.5 && args.len == 5e3",
		"0.5 && !0.0 && 0.5 < 1 && 0.25 == 25e-2 && 2.0 * 3 == 6 && -1.5 < -1",
		"self * 2.0 == 4ms && 0x1e-3 == 27 && 1e3 == 1000",
	};

	expect_all(texts, ARRAY_SIZE(texts), true);
}

Test(expr, what_is_false)
{
	static const char *const texts[] = {
		"duration < 10ms",
		"args.delta == 77",
		"args.delta != 77",
		"args.delta not in (1, 2)",
		"args.delta < 100 || args.delta >= 100",
		"pid / 0 == 0 || pid / 0 != 0",
		"comm =~ 'nginx?'",
		"comm == 'NGINX'",
		"caller == 'flush'",
		"args.path == '/tmp/dat'",
		"args.path =~ '/tmp/data/*'",
		"arg0 < 0",
		"arg0 == -1",
		"arg3 > arg0",
		"arg3 == arg0",
		"name != 'open_table'",
		"binary == 'x' || binary != 'x'",
		"false",
		"true && false",
		"args.flags & EXCL",
		"start < '2001-01-01'",
		"arg3 == -7.5 || arg0 == 0.5 || args.delta != 0.5 || args.delta < 1e300",
		"duration_ms == 12.3 || duration_ms > 12.345678 || duration_us < 12345.678",
		"attr.loss == 0.10000001 || attr.loss > 0.1 || attr.loss < 1e-1",
	};

	expect_all(texts, ARRAY_SIZE(texts), false);
}

Test(expr, a_call_that_did_not_return_has_no_result)
{
	struct record_call c = sample_call();
	struct expr_facts f = {.call = &c};
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b = help_bound("ret < 0 || ret >= 0", &scope, &e);

	cr_assert(b, "%s", e.message);
	cr_expect(bound_eval(b, EXPR_WHOLE, &f));
	c.span.h.flags |= SPAN_UNWOUND;
	cr_expect_not(bound_eval(b, EXPR_WHOLE, &f));
	c.span.h.flags = SPAN_TAIL;
	cr_expect_not(bound_eval(b, EXPR_WHOLE, &f));
}

/* ---- the split ---- */

Test(expr, a_conjunction_is_split)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b = help_bound(
		"duration > 10ms && (name =~ /x/ || ret < 0) && (pid == 1 && comm =~ 'a*b')",
		&scope, &e);

	cr_assert(b, "%s", e.message);
	cr_expect_str_eq(bound_text(b, EXPR_KERNEL), "duration > 10ms && pid == 1");
	cr_expect_str_eq(bound_text(b, EXPR_DAEMON), "(name =~ /x/ || ret < 0) && comm =~ 'a*b'");
	cr_expect(bound_has(b, EXPR_KERNEL) && bound_has(b, EXPR_DAEMON) &&
		  bound_has(b, EXPR_WHOLE));
}

Test(expr, what_the_function_is_is_known_when_bound)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	struct record_call c = sample_call();
	struct expr_facts f = {.call = &c};
	_cleanup_(bound_freep) struct bound *b = NULL;

	scope.name = "open_table";
	scope.binary = "/usr/bin/db";
	b = help_bound("name =~ /^open/ && binary == '/usr/bin/db' && pid == 4711", &scope, &e);
	cr_assert(b, "%s", e.message);
	cr_expect_not(bound_has(b, EXPR_DAEMON));
	cr_expect(bound_eval(b, EXPR_KERNEL, &f));
}

Test(expr, needs_are_those_of_the_part)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b =
		help_bound("cpu_time > 1ms && uid == 0 && arg2 > 1 && comm =~ /x/ && args.len > 0 "
			   "&& caller == 'main'",
			   &scope, &e);

	cr_assert(b, "%s", e.message);
	cr_expect_eq(bound_needs(b, EXPR_KERNEL), EXPR_NEEDS_OFFCPU | EXPR_NEEDS_UID |
							  EXPR_NEEDS_ARGS | EXPR_NEEDS_VALUES |
							  EXPR_NEEDS_CALLER);
	cr_expect_eq(bound_needs(b, EXPR_DAEMON), EXPR_NEEDS_COMM);
}

Test(expr, many_callers_are_the_daemons)
{
	static char names[100][8];
	const char *callers[100];
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *some = NULL;
	_cleanup_(bound_freep) struct bound *half = NULL;
	_cleanup_(bound_freep) struct bound *most = NULL;
	struct record_call c = sample_call();
	struct expr_facts f = {.call = &c};

	for (size_t i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "f%02zu", i);
		callers[i] = names[i];
	}
	scope.callers = callers;
	scope.n_callers = 100;
	some = help_bound("caller =~ 'f1*'", &scope, &e);
	half = help_bound("caller =~ 'f[0-4]*'", &scope, &e);
	most = help_bound("caller =~ 'f[1-9]*'", &scope, &e);
	cr_assert(some && half && most, "%s", e.message);
	cr_expect(bound_has(some, EXPR_KERNEL));
	cr_expect_not(bound_has(half, EXPR_KERNEL));
	cr_expect(bound_has(most, EXPR_KERNEL));
	c.caller = 20;
	cr_expect(bound_eval(some, EXPR_WHOLE, &f) && bound_eval(most, EXPR_WHOLE, &f));
	c.caller = 21;
	cr_expect(!bound_eval(some, EXPR_WHOLE, &f) && bound_eval(most, EXPR_WHOLE, &f));
	c.caller = 0;
	cr_expect(!bound_eval(most, EXPR_WHOLE, &f));
}

/* ---- references by themselves ---- */

Test(expr, references)
{
	static const struct {
		const char *text, *canonical;
		enum expr_ref_kind kind;
		size_t n_steps;
		bool str;
	} cases[] = {
		{"args.req->headers[2].len", "args.req.headers[2].len", EXPR_REF_ARG, 4, false},
		{" str( args . path ) ", "str(args.path)", EXPR_REF_ARG, 1, true},
		{"str(arg1)", "str(arg1)", EXPR_REF_REG, 0, true},
		{"buf( arg1, 16 )", "buf(arg1,16)", EXPR_REF_REG, 0, true},
		{"buf(arg1,arg2)", "buf(arg1,arg2)", EXPR_REF_REG, 0, true},
		{"buf(args.p->q, args.n)", "buf(args.p.q,args.n)", EXPR_REF_ARG, 2, true},
		{"arg5", "arg5", EXPR_REF_REG, 0, false},
		{"ret->len", "ret.len", EXPR_REF_RET, 1, false},
		{"args.in", "args.in", EXPR_REF_ARG, 1, false},
	};
	static const char *const wrong[] = {"",
					    "args",
					    "args.",
					    "arg12",
					    "str(5)",
					    "str(arg1",
					    "args.a[x]",
					    "args.a[1",
					    "args.5",
					    "duration",
					    "arg1 + 1",
					    "buf(arg1)",
					    "buf(arg1,0)",
					    "buf(arg1,241)",
					    "buf(arg1,ret)",
					    "buf(arg1,args.a.b)",
					    "buf(arg1,4"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(expr_ref_freep) struct expr_ref *ref = NULL;
		struct error e = {};

		cr_assert_eq(expr_ref_parse(cases[i].text, &ref, &e), 0, "%s: %s", cases[i].text,
			     e.message);
		cr_expect_str_eq(ref->text, cases[i].canonical);
		cr_expect_eq(ref->kind, cases[i].kind, "%s", cases[i].text);
		cr_expect_eq(ref->n_steps, cases[i].n_steps, "%s", cases[i].text);
		cr_expect_eq(ref->str, cases[i].str, "%s", cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct expr_ref *ref = NULL;
		struct error e = {};

		cr_expect_eq(expr_ref_parse(wrong[i], &ref, &e), -EINVAL, "%s", wrong[i]);
		cr_expect(startswith(e.message, "column ") && e.fix[0], "%s: %s", wrong[i],
			  e.message);
	}
}
