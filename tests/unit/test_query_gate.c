/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates: what is wrong with wrong ones (tests/golden/gate/errors.txt; SONDE_UPDATE_GOLDEN=1 writes
 * it anew, to be read before it is committed), and what right ones say of planted comparisons.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "compare_help.h"
#include "query/gate.h"
#include "sonde/base/strbuf.h"

static void say(struct strbuf *out, const char *text)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	struct error e = {};

	cr_expect_eq(gate_parse(text, &e, &g), -EINVAL, "%s is accepted", text);
	cr_expect_null(g);
	cr_expect_str_eq(e.name, "BadCondition");
	cr_expect(startswith(e.message, "column "), "%s", e.message);
	cr_expect(e.fix[0], "no fix: %s", e.message);
	strbuf_printf(out, "%s\n%s\n", e.message, e.fix);
}

Test(query_gate, wrong_gates)
{
	_cleanup_(freep) char *golden = NULL, *copy = NULL;
	_cleanup_(strbuf_release) struct strbuf out = {};
	const char *path = SONDE_SOURCE_ROOT "/tests/golden/gate/errors.txt";
	size_t size, n = 0;
	char *line, *rest;

	cr_assert_eq(read_file(path, 1 << 20, &golden, &size), 0);
	rest = copy = strdup(golden);
	while ((line = strsep(&rest, "\n"))) {
		if (line[0] == '#')
			strbuf_printf(&out, "%s\n", line);
		if (!startswith(line, "> "))
			continue;
		strbuf_printf(&out, "\n%s\n", line);
		say(&out, line + 2);
		n++;
	}
	cr_expect_geq(n, 40);
	if (getenv("SONDE_UPDATE_GOLDEN")) {
		_cleanup_(fclosep) FILE *f = fopen(path, "we");

		cr_assert(f && fwrite(out.data, 1, out.len, f) == out.len);
	} else {
		cr_expect_str_eq(out.data, golden, "errors.txt has changed");
	}
}

Test(query_gate, too_deep_and_too_long)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	char text[8192];
	struct error e = {};

	memset(text, '(', 200);
	strcpy(text + 200, "mean(f) > +5%");
	cr_expect_eq(gate_parse(text, &e, &g), -EINVAL);
	cr_expect(strstr(e.message, "column 65: expected at most 64"), "%s", e.message);
	memset(text, '!', 63);
	strcpy(text + 63, "mean(f) > +5%");
	cr_expect_eq(gate_parse(text, NULL, &g), 0);
	g = gate_free(g);
	memset(text, ' ', 8000);
	strcpy(text + 8000, "mean(f) > +5%");
	memset(&e, 0, sizeof(e));
	cr_expect_eq(gate_parse(text, &e, &g), -EINVAL);
	cr_expect(strstr(e.message, "at most 4096 bytes"), "%s", e.message);
}

Test(query_gate, parts)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	const struct gate_comparison *c;

	cr_assert_eq(gate_parse(" ( mean( parse_*(int, (x)) )>+2.5% )&& !share(f)<=  12% || "
				"calls(a)>=0x10||p99(b) < 1.5ms || total(x) < -100%",
				NULL, &g),
		     0);
	cr_assert_eq(g->n_comparisons, 5);
	c = g->comparisons;
	cr_expect_str_eq(c[0].glob, "parse_*(int, (x))");
	cr_expect_str_eq(c[0].text, "mean( parse_*(int, (x)) )>+2.5%");
	cr_expect(c[0].metric == COMPARE_MEAN && c[0].kind == GATE_CHANGE &&
		  c[0].op == GATE_GREATER);
	cr_expect_float_eq(c[0].value, 0.025, 1e-12);
	cr_expect(c[1].kind == GATE_PERCENT && c[1].op == GATE_LESS_EQUAL);
	cr_expect_float_eq(c[1].value, 0.12, 1e-12);
	cr_expect(c[2].kind == GATE_NUMBER && c[2].value == 16 && c[2].op == GATE_GREATER_EQUAL);
	cr_expect(c[3].kind == GATE_DURATION && c[3].value == 1500000 && c[3].op == GATE_LESS);
	cr_expect_float_eq(c[4].value, -1, 1e-12);
}

/*
 * Six seconds a side, of which each function's calls take, before and after: f 1 ms and 1.1 ms; g
 * 1 ms; rare 10 calls only; gone before only, new after only; h has errors in one of ten calls, and
 * afterwards in five.
 */
static void plant(struct two *t)
{
	two_init(t, 6, 6);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 6; w++) {
			struct side *side = &t->sides[s];
			uint64_t jitter = w * 5 % 7 * 2000;

			calls(side, w, "f", 100, (s ? 1100000 : 1000000) + jitter, 0);
			calls(side, w, "g", 100, 1000000 + jitter * (1 + s), 0);
			calls(side, w, "h", 50 - 40 * s - 5 * !s, 1000, 0);
			calls(side, w, "h", s ? 10 : 5, 1000, SPAN_ERROR);
			calls(side, w, s ? "n" : "o", 20, 50000, 0);
		}
	calls(&t->sides[0], 0, "r", 10, 1000, 0);
	calls(&t->sides[1], 0, "r", 10, 9000, 0);
	compare(t, QUERY_SPAN, COMPARE_FUNC);
}

static struct gate_options options = {.confidence = 0.95, .min_calls = 30};

static enum gate_verdict verdict(const struct two *t, const char *text, struct gate **ret_gate,
				 struct gate_result *ret)
{
	struct error e = {};

	cr_assert_eq(gate_parse(text, &e, ret_gate), 0, "%s: %s", text, e.message);
	cr_assert_eq(gate_evaluate(*ret_gate, t->c, &options, &e, ret), 0, "%s: %s", text,
		     e.message);
	return ret->verdict;
}

static void expect(const struct two *t, const char *text, enum gate_verdict want)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {};

	cr_expect_eq(verdict(t, text, &g, &r), want, "%s: %d, not %d", text, r.verdict, want);
}

Test(query_gate, changes_must_be_significant_and_large_enough)
{
	_cleanup_(two_release) struct two t;

	plant(&t);
	expect(&t, "mean(f) > +5%", GATE_HOLDS);
	expect(&t, "mean(f) > +0%", GATE_HOLDS);
	expect(&t, "mean(f) >= +20%", GATE_HOLDS_NOT);
	expect(&t, "mean(f) < -5%", GATE_HOLDS_NOT);
	expect(&t, "p50(f) > +5%", GATE_HOLDS);
	expect(&t, "max(f) > +5%", GATE_HOLDS);
	expect(&t, "total(f) > +5% && self(f) > +5%", GATE_HOLDS);
	/* A little more, but no more than it varies. */
	expect(&t, "mean(g) > +0%", GATE_HOLDS_NOT);
	expect(&t, "calls(g) > +0% || calls(g) < -0%", GATE_HOLDS_NOT);
	expect(&t, "error_rate(h) > +100%", GATE_HOLDS);
	expect(&t, "errors(h) > +50%", GATE_HOLDS);
	expect(&t, "calls(h) < -50%", GATE_HOLDS);
	/* What is new is infinitely more, what is gone 100 % less. */
	expect(&t, "calls(n) > +1000000%", GATE_HOLDS);
	expect(&t, "total(o) <= -100%", GATE_HOLDS);
	expect(&t, "total(o) < -100%", GATE_HOLDS_NOT);
}

Test(query_gate, values_are_those_after)
{
	_cleanup_(two_release) struct two t;
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {};

	plant(&t);
	expect(&t, "mean(f) > 1050us", GATE_HOLDS);
	expect(&t, "mean(f) > 1.2ms", GATE_HOLDS_NOT);
	expect(&t, "p99(f) < 2ms", GATE_HOLDS);
	expect(&t, "max(f) > 1.111ms && max(f) < 1.113ms", GATE_HOLDS);
	/* Of the whole side, not a second. */
	expect(&t, "calls(f) >= 600 && calls(f) <= 600", GATE_HOLDS);
	expect(&t, "errors(h) >= 60 && errors(h) <= 60", GATE_HOLDS);
	expect(&t, "total(f) > 660ms && total(f) < 670ms", GATE_HOLDS);
	expect(&t, "error_rate(h) > 49% && error_rate(h) < 51%", GATE_HOLDS);
	expect(&t, "share(f) > 51% && share(f) < 54%", GATE_HOLDS);
	expect(&t, "calls(o) < 1", GATE_HOLDS);
	expect(&t, "calls(r) < 11", GATE_HOLDS);
	/* What is shown of a finding is what was compared. */
	verdict(&t, "calls(n) > 1", &g, &r);
	cr_expect_float_eq(r.findings[0].change.before, 0, 0.1);
	cr_expect_float_eq(r.findings[0].change.after, 120, 0.1);
}

Test(query_gate, what_cannot_be_judged)
{
	_cleanup_(two_release) struct two t;
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {};

	plant(&t);
	expect(&t, "mean(r) > +5%", GATE_UNDECIDED);
	expect(&t, "mean(r) > 5us", GATE_UNDECIDED);
	expect(&t, "mean(n) > +5%", GATE_UNDECIDED);
	expect(&t, "mean(nothing) > +5%", GATE_UNDECIDED);
	expect(&t, "!(mean(r) > +5%)", GATE_UNDECIDED);
	/* The other side decides. */
	expect(&t, "mean(r) > +5% || mean(f) > +5%", GATE_HOLDS);
	expect(&t, "mean(r) > +5% || mean(g) > +5%", GATE_UNDECIDED);
	expect(&t, "mean(g) > +5% && mean(r) > +5%", GATE_HOLDS_NOT);
	expect(&t, "!(mean(g) > +5%) && !(mean(f) > +50%)", GATE_HOLDS);
	/* Of many functions the rare ones are left out. */
	cr_expect_eq(verdict(&t, "mean([gr]) > +5%", &g, &r), GATE_HOLDS_NOT);
	cr_assert_eq(r.n_findings, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct gate_finding *f = &r.findings[i];
		bool rare = streq(f->row->key, "r");

		cr_expect_eq(f->reason, rare ? GATE_FEW_CALLS : GATE_DECIDED);
		cr_expect_eq(f->have, rare ? 10 : 600);
		cr_expect_eq(f->need, 30);
	}
}

Test(query_gate, one_window_decides_no_change)
{
	_cleanup_(two_release) struct two t;

	two_init(&t, 1, 1);
	calls(&t.sides[0], 0, "f", 100, 1000, 0);
	calls(&t.sides[1], 0, "f", 100, 2000, 0);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	expect(&t, "mean(f) > +5%", GATE_UNDECIDED);
	expect(&t, "mean(f) > 1500ns", GATE_HOLDS);
}

Test(query_gate, chance_has_no_more_tries_with_many_functions)
{
	_cleanup_(two_release) struct two t;
	_cleanup_(gate_freep) struct gate *one = NULL, *all = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {}, s = {};

	plant(&t);
	verdict(&t, "mean(f) > +5%", &one, &r);
	verdict(&t, "mean(*) > +5%", &all, &s);
	for (size_t i = 0; i < s.n_findings; i++) {
		if (!streq(s.findings[i].row->key, "f"))
			continue;
		cr_expect_lt(s.findings[i].change.low, r.findings[0].change.low);
		cr_expect_gt(s.findings[i].change.high, r.findings[0].change.high);
	}
	cr_expect_eq(s.verdict, GATE_HOLDS);
}

Test(query_gate, kinds_are_not_mixed)
{
	_cleanup_(two_release) struct two t;
	_cleanup_(gate_freep) struct gate *spans = NULL, *cpu = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {};
	struct error e = {};

	two_init(&t, 4, 4);
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 4; w++) {
			samples(&t.sides[s], w, "ma", (s ? 80 : 40) + w % 2);
			samples(&t.sides[s], w, "mb", 40 + w % 2);
			calls(&t.sides[s], w, "f", 40, 1000, 0);
		}
	compare(&t, QUERY_CPU, COMPARE_FUNC);
	expect(&t, "samples(a) > +50% && share(a) > 60% && total(a) > +50%", GATE_HOLDS);
	expect(&t, "self(b) > +10%", GATE_HOLDS_NOT);
	cr_assert_eq(gate_parse("share(a) > 1% && mean(f) > +5%", &e, &spans), 0);
	cr_expect_eq(gate_evaluate(spans, t.c, &options, &e, &r), -EINVAL);
	cr_expect_str_eq(e.name, "BadArgument");
	cr_expect(strstr(e.message, "`mean(f) > +5%`"), "%s", e.message);
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	cr_assert_eq(gate_parse("samples(a) > 1", &e, &cpu), 0);
	cr_expect_eq(gate_evaluate(cpu, t.c, &options, NULL, &r), -EINVAL);
}
