/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generated programs against the evaluator, and both against values worked out by hand. */
#include "expr_kernel.h"

#include "expr_random.h"

enum { CALLS_A_PROGRAM = 25 };

/* The fuzz-like part: the two back ends must agree about every call. */
static void compare_back_ends(const char *text, const struct bound *b, struct call_map *m, int fd,
			      const struct record_call *calls)
{
	struct expr_facts f = {.call = m->call, .name = "open", .cgroup = "/y"};

	for (size_t i = 0; i < CALLS_A_PROGRAM; i++) {
		bool here, there, whole;

		*m->call = calls[i];
		here = bound_eval(b, EXPR_KERNEL, &f);
		there = run_condition(fd, 1, NULL);
		cr_assert_eq(here, there, "call %zu: evaluator %d, kernel %d: %s", i, here, there,
			     text);
		whole = here && bound_eval(b, EXPR_DAEMON, &f);
		cr_assert_eq(whole, bound_eval(b, EXPR_WHOLE, &f), "the split of %s", text);
	}
}

Test(expr_kernel, both_back_ends_agree)
{
	struct call_map m = call_map_open();
	const char *wanted = getenv("SONDE_EXPR_PAIRS");
	unsigned long pairs = wanted ? strtoul(wanted, NULL, 0) : 20000, done = 0, programs = 0;
	struct record_call calls[CALLS_A_PROGRAM];
	size_t longest = 0;

	seed_rng();
	while (done < pairs) {
		_cleanup_(strbuf_release) struct strbuf text = {};
		_cleanup_(bound_freep) struct bound *b = NULL;
		struct expr_scope scope = help_scope();
		struct error e = {};
		struct bpf_insn *insns;
		size_t n;
		int fd;

		gen_condition(&text);
		if (text.len > EXPR_MAX_LEN)
			continue;
		b = help_bound(text.data, &scope, &e);
		cr_assert(b, "%s\n%s (%s)", text.data, e.message, e.fix);
		for (size_t i = 0; i < CALLS_A_PROGRAM; i++)
			calls[i] = random_call();
		if (!bound_has(b, EXPR_KERNEL))
			continue;
		cr_assert_eq(
			bound_compile(b, &(struct expr_target){.facts_fd = m.fd, .verdict_fd = -1},
				      &insns, &n),
			0);
		free(insns);
		longest = MAX(longest, n);
		fd = load_condition(b, &m, &e);
		cr_assert_geq(fd, 0, "%s: %s", e.message, text.data);
		compare_back_ends(text.data, b, &m, fd, calls);
		safe_close(fd);
		done += CALLS_A_PROGRAM;
		programs++;
	}
	fprintf(stderr,
		"%lu pairs agree: %lu conditions, the longest program has %zu instructions\n", done,
		programs, longest);
	call_map_close(&m);
}

/* ---- worked out by hand ---- */

static const struct {
	const char *text;
	uint64_t arg0, arg3; /* unsigned, signed */
	bool wanted;
} by_hand[] = {
	{"arg0 + 1 == 0", UINT64_MAX, 0, true},
	{"arg0 - 1 == 0xffffffffffffffff", 0, 0, true},
	{"arg0 * 2 == 0xfffffffffffffffe", UINT64_MAX, 0, true},
	{"arg3 + 1 < 0", 0, INT64_MAX, true},
	{"arg3 - 1 > 0", 0, (uint64_t)INT64_MIN, true},
	{"arg3 / -1 == arg3", 0, (uint64_t)INT64_MIN, true},
	{"arg3 % -1 == 0", 0, (uint64_t)INT64_MIN, true},
	{"arg3 / 2 == -3", 0, (uint64_t)-7, true},
	{"arg3 / -2 == 3", 0, (uint64_t)-7, true},
	{"arg3 / -2 == -3", 0, 7, true},
	{"arg3 % 2 == -1", 0, (uint64_t)-7, true},
	{"arg3 % -2 == -1", 0, (uint64_t)-7, true},
	{"arg3 % -2 == 1", 0, 7, true},
	{"arg3 / (arg3 + 7) == 0", 0, (uint64_t)-7, false},
	{"arg3 / (arg3 + 7) != 0", 0, (uint64_t)-7, false},
	{"!(arg3 / (arg3 + 7) != 0)", 0, (uint64_t)-7, true},
	{"arg0 / arg0 == 1", 0, 0, false},
	{"arg0 % arg0 == 0", 0, 0, false},
	{"arg0 / 2 == 0x7fffffffffffffff", UINT64_MAX, 0, true},
	{"arg3 / 2 == 0", 0, UINT64_MAX, true},
	{"arg0 >> 63 == 1", UINT64_MAX, 0, true},
	{"arg3 >> 63 == -1", 0, UINT64_MAX, true},
	{"arg0 << 64 == arg0", 5, 0, true},
	{"arg0 << 65 == 10", 5, 0, true},
	{"arg0 >> arg3 == 2", 4, 65, true},
	{"1 << arg3 == -9223372036854775808", 0, 63, true},
	{"arg0 == arg3", UINT64_MAX, UINT64_MAX, false},
	{"arg0 != arg3", UINT64_MAX, UINT64_MAX, true},
	{"arg0 > arg3", UINT64_MAX, UINT64_MAX, true},
	{"arg3 < arg0", 0, UINT64_MAX, true},
	{"arg3 <= arg0", 0, UINT64_MAX, true},
	{"arg3 >= arg0", UINT64_MAX, INT64_MAX, false},
	{"arg0 == arg3", 9, 9, true},
	{"arg0 > -1", 0, 0, true},
	{"arg3 < 0xffffffffffffffff", 0, INT64_MAX, true},
	{"arg3 in (0xffffffffffffffff, 5)", 0, UINT64_MAX, false},
	{"arg0 in (arg3, 5)", UINT64_MAX, UINT64_MAX, false},
	{"arg0 not in (arg3, 5)", UINT64_MAX, UINT64_MAX, true},
	{"arg0 in (1 / arg3, 5)", 5, 0, true},
	{"arg0 not in (1 / arg3, 5)", 6, 0, false},
	{"arg0 > 1844674407370955161.5", 1844674407370955161, 0, false},
	{"arg0 > 1844674407370955161.5", 1844674407370955162, 0, true},
	{"arg0 > 18446744073709551614.0", UINT64_MAX, 0, true},
	{"arg0 < 1.844674407370955162e19", UINT64_MAX, 0, true},
	{"arg3 < -0.5", 0, 0, false},
	{"arg3 < -0.5", 0, UINT64_MAX, true},
	{"arg3 >= -92233720368547758.75", 0, (uint64_t)-92233720368547759, false},
	{"arg3 <= -92233720368547758.75", 0, (uint64_t)-92233720368547759, true},
	{"arg3 > -9223372036854775808.0", 0, (uint64_t)INT64_MIN, false},
	{"arg3 != 0.5 && arg0 not in (0.5, 1.0)", 0, 0, true},
	{"1 / arg3 != 0.5 || 1 / arg3 < 1e300", 0, 0, false},
	{"~arg0 == 0", UINT64_MAX, 0, true},
	{"-arg0 == -1", 1, 0, true},
	{"-arg3 == arg3", 0, (uint64_t)INT64_MIN, true},
	{"(arg0 ^ arg0) == 0 && (arg0 | 1) == 0xf1 && (arg0 & 0xf) == 0", 0xf0, 0, true},
	{"arg0 & 0xffffffff80000000", 0x80000000, 0, true},
	{"arg0 & 0x80000000", 0x80000000, 0, true},
	{"arg0 & 0x7fffffff", 0x80000000, 0, false},
};

Test(expr_kernel, arithmetic_by_hand)
{
	struct call_map m = call_map_open();

	for (size_t i = 0; i < ARRAY_SIZE(by_hand); i++) {
		struct expr_scope scope = help_scope();
		struct error e = {};
		_cleanup_(bound_freep) struct bound *b = help_bound(by_hand[i].text, &scope, &e);
		struct expr_facts f = {.call = m.call};
		int fd;

		cr_assert(b, "%s: %s", by_hand[i].text, e.message);
		m.call->args[0] = by_hand[i].arg0;
		m.call->args[3] = by_hand[i].arg3;
		cr_expect_eq(bound_eval(b, EXPR_WHOLE, &f), by_hand[i].wanted, "evaluator: %s",
			     by_hand[i].text);
		fd = load_condition(b, &m, &e);
		cr_assert_geq(fd, 0, "%s: %s", by_hand[i].text, e.message);
		cr_expect_eq(run_condition(fd, 1, NULL), by_hand[i].wanted, "kernel: %s",
			     by_hand[i].text);
		safe_close(fd);
	}
	call_map_close(&m);
}

/* ---- the shape of programs ---- */

static size_t length_of(const char *text, const struct call_map *m)
{
	struct expr_scope scope = help_scope();
	struct expr_target t = {.facts_fd = m->fd, .verdict_fd = -1};
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b = help_bound(text, &scope, &e);
	struct bpf_insn *insns;
	size_t n;

	cr_assert(b, "%s: %s", text, e.message);
	cr_assert_eq(bound_compile(b, &t, &insns, &n), 0);
	free(insns);
	return n;
}

Test(expr_kernel, programs_are_short)
{
	struct call_map m = call_map_open();
	/* A value loaded and a jump; what a program has besides its condition. */
	size_t around = length_of("pid == 1", &m) - 2;

	cr_expect_leq(length_of("duration > 10ms && ret < 0 && arg2 > 4096", &m) - around, 15);
	cr_expect_eq(length_of("true", &m), 2);
	cr_expect_eq(length_of("pid / 0 == 1", &m), 2);
	cr_expect_eq(length_of("args.flags & CREAT", &m) - around, 3);
	call_map_close(&m);
}

Test(expr_kernel, nothing_for_the_kernel_is_said)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	_cleanup_(bound_freep) struct bound *b = help_bound("name =~ /x/", &scope, &e);
	struct bpf_insn *insns;
	size_t n;

	cr_assert(b, "%s", e.message);
	cr_expect_eq(bound_compile(b, &(struct expr_target){.verdict_fd = -1}, &insns, &n),
		     -EOPNOTSUPP);
}

/* The longest conditions there can be still fit. */
Test(expr_kernel, the_longest_condition_loads)
{
	static const char *const terms[] = {"arg3/arg4==1", "str(arg1)=='abcdefg'",
					    "ret in(1,2,3)"};
	struct call_map m = call_map_open();

	for (size_t i = 0; i < ARRAY_SIZE(terms); i++) {
		_cleanup_(strbuf_release) struct strbuf text = {};
		_cleanup_(bound_freep) struct bound *b = NULL;
		struct expr_scope scope = help_scope();
		struct error e = {};
		int fd;

		for (size_t n = 0; n < 170 && text.len + strlen(terms[i]) + 2 < EXPR_MAX_LEN; n++)
			strbuf_printf(&text, "%s%s", n ? i % 2 ? "&&" : "||" : "", terms[i]);
		b = help_bound(text.data, &scope, &e);
		cr_assert(b, "%s", e.message);
		fd = load_condition(b, &m, &e);
		cr_expect_geq(fd, 0, "%s: %s", terms[i], e.message);
		safe_close(fd);
	}
	call_map_close(&m);
}

/* Both sides of each operator are as deep as parentheses go: values are kept on the stack. */
Test(expr_kernel, deep_expressions_use_the_stack)
{
	_cleanup_(strbuf_release) struct strbuf text = {};
	_cleanup_(bound_freep) struct bound *b = NULL;
	struct call_map m = call_map_open();
	struct expr_facts f = {.call = m.call};
	struct expr_scope scope = help_scope();
	struct error e = {};
	int fd;

	/* A full tree of 256 leaves needs nine values at a time. */
	strbuf_puts(&text, "arg3");
	for (int level = 0; level < 8; level++) {
		_cleanup_(freep) char *half = strdup(text.data);

		strbuf_reset(&text);
		strbuf_printf(&text, "(%s%c%s)", half, "-+*-^+-*"[level], half);
		if (level == 3)
			strbuf_puts(&text, "/arg4");
	}
	strbuf_puts(&text, " in (arg0, arg3, arg4*2)");
	cr_assert_leq(text.len, EXPR_MAX_LEN);
	b = help_bound(text.data, &scope, &e);
	cr_assert(b, "%s", e.message);
	fd = load_condition(b, &m, &e);
	cr_assert_geq(fd, 0, "%s", e.message);
	seed_rng();
	for (int i = 0; i < 1000; i++) {
		*m.call = random_call();
		m.call->args[0] = 0;
		cr_assert_eq(run_condition(fd, 1, NULL), bound_eval(b, EXPR_WHOLE, &f));
	}
	safe_close(fd);
	call_map_close(&m);
}
