/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export_help.h"

#include "../arena.h"
#include "otlp.h"
#include "trace.pb-c.h"

/* The same spans as they come: a thread after the other. */
static void run(const struct export_format *format, struct strbuf *out)
{
	static const size_t order[] = {1, 2, 3, 0, 4, 5};

	run_in_order(format, NULL, order, ARRAY_SIZE(order), NULL, out);
}

Test(export_otlp, traces)
{
	_cleanup_(strbuf_release) struct strbuf json = {}, packed = {};
	Opentelemetry__Proto__Trace__V1__TracesData *data;
	Opentelemetry__Proto__Trace__V1__Span **spans;

	run(&export_otlp, &json);
	check_golden("traces.otlp.json", &json);
	run(&export_otlp_proto, &packed);
	data = opentelemetry__proto__trace__v1__traces_data__unpack(NULL, packed.len,
								    (uint8_t *)packed.data);
	cr_assert(data);
	cr_assert_eq(data->n_resource_spans, 3, "one a thread");
	spans = data->resource_spans[0]->scope_spans[0]->spans;
	cr_assert_eq(data->resource_spans[0]->scope_spans[0]->n_spans, 3);
	cr_assert_eq(spans[0]->parent_span_id.len, 0);
	for (int i = 1; i < 3; i++) {
		cr_assert_eq(spans[i]->parent_span_id.len, 8);
		cr_assert_eq(memcmp(spans[i]->parent_span_id.data, spans[0]->span_id.data, 8), 0);
		cr_assert_eq(memcmp(spans[i]->trace_id.data, spans[0]->trace_id.data, 16), 0);
	}
	spans = data->resource_spans[1]->scope_spans[0]->spans;
	cr_assert_eq(spans[0]->start_time_unix_nano, ODD_NS - 1);
	cr_assert_eq(spans[0]->end_time_unix_nano, UINT64_MAX, "longer than time");
	cr_assert_str_eq(spans[0]->name, "bad\xef\xbf\xbd(");
	opentelemetry__proto__trace__v1__traces_data__free_unpacked(data, NULL);
}

Test(export_otlp, profiles)
{
	_cleanup_(strbuf_release) struct strbuf cpu = {}, spans = {};

	run_format(&export_otlp, NULL, 0, odd_stacks, &cpu);
	check_golden("cpu.otlp.json", &cpu);
	run_format(&export_otlp, NULL, 0, odd_calls, &spans);
	check_golden("span.otlp.json", &spans);
}

Test(export_otlp, nothing_is_a_message_too)
{
	_cleanup_(strbuf_release) struct strbuf json = {}, packed = {};

	run_format(&export_otlp, NULL, 0, NULL, &json);
	cr_assert_str_eq(json.data, "{}\n");
	run_format(&export_otlp_proto, NULL, 0, NULL, &packed);
	cr_assert_eq(packed.len, 0);
}

Test(export_otlp, an_arena_gives_what_it_is_asked_for)
{
	_cleanup_(arena_release) struct arena a = {};

	for (int round = 0; round < 3; round++) {
		char *kept[200];

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
			kept[i] = arena_get(&a, i * 997 + 1);
			cr_assert(kept[i]);
			cr_assert_eq((uintptr_t)kept[i] % 16, 0);
			cr_assert_eq(kept[i][i * 997], 0, "it is zeroed");
			memset(kept[i], (int)i, i * 997 + 1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			cr_assert_eq((unsigned char)kept[i][i * 997], (unsigned char)i);
		arena_reset(&a);
	}
	cr_assert_null(arena_get(&a, SIZE_MAX));
	cr_assert(a.failed);
	cr_assert_null(arena_text(&a, "x"), "a failure stays");
	arena_reset(&a);
	cr_assert_str_eq(arena_text(&a, NULL), "");
}
