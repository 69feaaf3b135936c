/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of Diff are in the shape that the interface says, whatever is not known in them. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "compare_help.h"
#include "control/answer.h"
#include "control/answer_diff.h"
#include "control/interface.h"
#include "varlink/idl.h"

static void put_side(struct json_writer *w, const char *name, const struct comparison *c,
		     size_t side)
{
	static const char session[] =
		"{\"name\":\"s\",\"state\":\"closed\",\"kinds\":[],\"specs\":[],\"targets\":\"\","
		"\"probes\":0,\"frequency\":0,\"started_us\":0,\"spans\":0,\"samples\":0,"
		"\"coverage\":{\"spans_seen\":0,\"spans_lost\":0,\"samples_seen\":0,"
		"\"samples_lost\":0,\"throttled\":0,\"windows\":0,\"windows_missing\":0},"
		"\"losses\":[]}";

	json_object_begin(w, name);
	json_raw(w, "session", session, strlen(session));
	answer_diff_side(w, c, side);
	json_object_end(w);
}

static void put_gate(struct json_writer *w, const struct comparison *c, const char *text)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(gate_result_release) struct gate_result r = {};
	struct gate_options options = {0.95, 30};
	struct error e = {};

	cr_assert_eq(gate_parse(text, &e, &g), 0, "%s", e.message);
	cr_assert_eq(gate_evaluate(g, c, &options, &e, &r), 0, "%s", e.message);
	answer_gate(w, g, &r);
}

static void check(const struct strbuf *out)
{
	_cleanup_(idl_freep) struct idl *idl = NULL;
	struct error e = {};
	cJSON *json;

	cr_assert_eq(strbuf_error(out), 0);
	cr_assert_eq(idl_parse(sonde_interface, &idl, &e), 0, "%s", e.message);
	json = cJSON_Parse(out->data);
	cr_assert(json, "%s", out->data);
	cr_assert_eq(idl_check(idl, "Diff", json, true, &e), 0, "%s: %s", e.message, out->data);
	cJSON_Delete(json);
}

static void answer(const struct comparison *c, const char *const *gates, size_t n, size_t limit,
		   struct strbuf *out)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	answer_diff_rows(&w, c, limit);
	put_side(&w, "before", c, COMPARE_BEFORE);
	put_side(&w, "after", c, COMPARE_AFTER);
	json_string(&w, "kind", "span");
	json_double(&w, "confidence", 0.95);
	json_double(&w, "drift", 0.015);
	json_string(&w, "method", "m");
	json_array_begin(&w, "gates");
	for (size_t i = 0; i < n; i++)
		put_gate(&w, c, gates[i]);
	json_array_end(&w);
	json_object_end(&w);
	check(out);
}

Test(answer_diff, spans_and_gates)
{
	static const char *const gates[] = {"mean(f) > +5%", "mean(g) > +5%", "calls(f) > 100000",
					    "mean(x) > +5% || total(f) > 1us"};
	_cleanup_(strbuf_release) struct strbuf out = {};
	_cleanup_(two_release) struct two t;

	two_init(&t, 4, 4);
	for (size_t w = 0; w < 4; w++) {
		calls(&t.sides[0], w, "f", 100, 1000, 0);
		calls(&t.sides[1], w, "f", 100, 1500, 0);
		calls(&t.sides[1], w, "g", 1, 1000, SPAN_ERROR);
	}
	compare(&t, QUERY_SPAN, COMPARE_FUNC);
	answer(t.c, gates, ARRAY_SIZE(gates), 0, &out);
	cr_expect(strstr(out.data,
			 "{\"key\":\"f\",\"binary\":\"app\",\"significant\":true,"
			 "\"calls_before\":400,\"calls_after\":400,\"samples_before\":0,"
			 "\"samples_after\":0,\"total_before_ns\":400000,"
			 "\"total_after_ns\":600000,\"values\":{\"calls\":{\"before\":100,"
			 "\"after\":100,\"change\":0,\"low\":0,\"high\":0,"
			 "\"significant\":false,\"trimmed\":false}"),
		  "%s", out.data);
	cr_expect(strstr(out.data, "\"gate\":\"mean(f) > +5%\",\"verdict\":\"failed\""));
	cr_expect(strstr(out.data, "\"gate\":\"mean(g) > +5%\",\"verdict\":\"undecided\""));
	cr_expect(strstr(out.data, "\"reason\":\"few_calls\",\"have\":0,\"need\":30"));
	/* What a number is compared with is shown. */
	cr_expect(strstr(out.data, "\"gate\":\"calls(f) > 100000\",\"verdict\":\"passed\""));
	cr_expect(strstr(out.data, "\"before\":400,\"after\":400"));
	cr_expect(strstr(out.data, "\"reason\":\"no_function\""));
	cr_expect(strstr(out.data, "\"total_rows\":2"));
}

Test(answer_diff, samples_and_limit)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	_cleanup_(two_release) struct two t;

	two_init(&t, 1, 1);
	samples(&t.sides[0], 0, "mab", 3);
	samples(&t.sides[1], 0, "mac", 3);
	compare(&t, QUERY_CPU, COMPARE_PATH);
	answer(t.c, NULL, 0, 2, &out);
	cr_expect(strstr(out.data, "\"total_rows\":4"), "%s", out.data);
	cr_expect(strstr(out.data, "\"low\":null,\"high\":null"));
	cr_expect_not(strstr(out.data, "\"mean\""));
	cr_expect(strstr(out.data, "\"share\""));
}
