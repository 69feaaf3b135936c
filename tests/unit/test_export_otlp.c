/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export_help.h"

#include "../arena.h"
#include "otlp.h"
#include "trace.pb-c.h"
#include "wire.h"

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

/* Spans by themselves, in the order in which they are given; what they carry is JSON. */
struct told {
	uint32_t thread;
	uint64_t start_ns, end_ns;
	uint32_t flags;
	const char *details;
};

static Opentelemetry__Proto__Trace__V1__TracesData *tell(const struct told *told, size_t n)
{
	static const struct options none;
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error error = {};
	struct export x = {.options = &none, .out = &out, .source = &odd_source, .error = &error};
	Opentelemetry__Proto__Trace__V1__TracesData *data;

	cr_assert_eq(export_otlp_proto.begin(&x), 0);
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < n; i++) {
			cJSON *details = told[i].details ? cJSON_Parse(told[i].details) : NULL;
			const struct exported_span span = {
				.start_ns = ODD_NS + told[i].start_ns,
				.duration_ns = told[i].end_ns - told[i].start_ns,
				.thread = told[i].thread,
				.flags = told[i].flags,
				.details = details,
			};

			cr_assert(details || !told[i].details);
			if (turn == 2)
				cr_assert_eq(export_otlp_proto.span(&x, &span), 0);
			else if (turn == 0 || x.look_again)
				cr_assert_eq(export_otlp_proto.look(&x, &span, turn == 1), 0);
			cJSON_Delete(details);
		}
	cr_assert_eq(export_otlp_proto.end(&x), 0);
	cr_expect_str_eq(x.note, "");
	export_otlp_proto.free(&x);
	data = opentelemetry__proto__trace__v1__traces_data__unpack(NULL, out.len,
								    (uint8_t *)out.data);
	cr_assert(data);
	return data;
}

static Opentelemetry__Proto__Trace__V1__Span *
span_of(const Opentelemetry__Proto__Trace__V1__TracesData *data, size_t resource, size_t i)
{
	cr_assert_lt(resource, data->n_resource_spans);
	cr_assert_lt(i, data->resource_spans[resource]->scope_spans[0]->n_spans);
	return data->resource_spans[resource]->scope_spans[0]->spans[i];
}

#define SAME(a, b) ((a).len == (b).len && memcmp((a).data, (b).data, (a).len) == 0)

Test(export_otlp, a_span_is_linked_to_those_that_it_ends)
{
	enum { MANY = 200 };
	static const char ended[] = "{\"args\":{\"key\":\"1\",\"end_tid\":\"4713\"}}";
	struct told told[MANY + 5] = {{0, 0, 1000, 0, NULL}};
	Opentelemetry__Proto__Trace__V1__TracesData *data;
	const Opentelemetry__Proto__Trace__V1__Span *first, *last, *to;

	for (uint64_t i = 1; i <= MANY; i++)
		told[i] = (struct told){0, i, 5000 + i, EXPORTED_ASYNC, ended};
	told[MANY + 1] = (struct told){1, 4000, 6000, 0, NULL};
	told[MANY + 2] = (struct told){1, 5100, 5103, 0, NULL};
	told[MANY + 3] = (struct told){1, 5900, 6100, EXPORTED_ASYNC, ended};
	told[MANY + 4] = (struct told){1, 5950, 5990, EXPORTED_ASYNC, ended};
	data = tell(told, ARRAY_SIZE(told));
	first = span_of(data, 0, 0);
	for (size_t i = 1; i <= MANY; i++) {
		to = span_of(data, 0, i);
		cr_assert(SAME(to->parent_span_id, first->span_id), "%zu", i);
		cr_assert(SAME(to->trace_id, first->trace_id));
		cr_assert_eq(to->n_links, 0);
	}
	last = span_of(data, 1, 0);
	cr_assert_eq(last->n_links, 128);
	cr_assert_eq(last->dropped_links_count, MANY - 4 - 128);
	to = span_of(data, 0, 1);
	cr_assert(SAME(last->links[0]->span_id, to->span_id));
	cr_assert(SAME(last->links[0]->trace_id, to->trace_id));
	cr_assert_str_eq(last->links[0]->attributes[0]->value->string_value, "async");
	last = span_of(data, 1, 1);
	cr_assert_eq(last->n_links, 4, "those from 5100 to 5103");
	cr_assert(SAME(last->links[3]->span_id, span_of(data, 0, 103)->span_id));
	cr_assert_eq(span_of(data, 1, 2)->n_links + span_of(data, 1, 3)->n_links, 0);
	opentelemetry__proto__trace__v1__traces_data__free_unpacked(data, NULL);
}

#define CONTEXT(span, parent)                                                                      \
	"{\"args\":{\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"" span         \
	"\",\"parent_span_id\":\"" parent "\"}}"

Test(export_otlp, a_trace_context_says_the_parent)
{
	static const struct told told[] = {
		{0, 0, 1000, 0, NULL},
		{0, 100, 900, 0, CONTEXT("00000000000000aa", "00000000000000ee")},
		{0, 200, 800, 0, NULL},
		{0, 300, 700, 0, CONTEXT("00000000000000bb", "00000000000000aa")},
		{1, 300, 700, 0, CONTEXT("00000000000000cc", "00000000000000bb")},
		{1, 400, 600, 0, CONTEXT("00000000000000dd", "00000000000000aa")},
		{1, 800, 900, 0, CONTEXT("0000000000000000", "00000000000000aa")},
		{1, 950, 960, 0, CONTEXT("00000000000000aaa", "")},
		{2, 300, 700, 0, CONTEXT("0000000000000011", "00000000000000bb")},
	};
	Opentelemetry__Proto__Trace__V1__TracesData *data = tell(told, ARRAY_SIZE(told));
	static const uint8_t ee[8] = {[7] = 0xee}, bb[8] = {[7] = 0xbb}, aa[8] = {[7] = 0xaa};
	static const struct {
		size_t resource, i;
		const uint8_t *parent; /* NULL: the span before */
		uint32_t flags;
		size_t n_links;
	} want[] = {{0, 1, ee, 0x300, 1}, {0, 2, NULL, 0, 0},	{0, 3, NULL, 0, 0},
		    {1, 0, bb, 0x100, 0}, {1, 1, aa, 0x100, 1}, {2, 0, bb, 0x300, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const Opentelemetry__Proto__Trace__V1__Span *s =
			span_of(data, want[i].resource, want[i].i);
		const uint8_t *parent =
			want[i].parent
				? want[i].parent
				: span_of(data, want[i].resource, want[i].i - 1)->span_id.data;

		cr_expect_eq(s->trace_id.data[15], 0x10, "%zu", i);
		cr_assert_eq(s->parent_span_id.len, 8, "%zu", i);
		cr_expect_eq(memcmp(s->parent_span_id.data, parent, 8), 0, "%zu", i);
		cr_expect_eq(s->flags, want[i].flags, "%zu: 0x%x", i, s->flags);
		cr_expect_eq(s->n_links, want[i].n_links, "%zu", i);
	}
	/* What is no context is no more than attributes. */
	for (size_t i = 2; i < 4; i++)
		cr_expect_eq(span_of(data, 1, i)->parent_span_id.len, 0);
	opentelemetry__proto__trace__v1__traces_data__free_unpacked(data, NULL);
}

Test(export_otlp, lengths_of_any_size)
{
	static const struct wire_field outer = WIRE_FIELD(1, "outer"), key = WIRE_FIELD(1, "key"),
				       value = WIRE_FIELD(2, "value"),
				       text = WIRE_FIELD(1, "stringValue");
	static const size_t lengths[] = {0,   1,   123,	  124,	 125,	126,
					 127, 128, 16380, 16383, 16384, 70000};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {}, long_text = {};
		struct wire w = wire_to(&out, false);
		Opentelemetry__Proto__Common__V1__KeyValue *kv;
		size_t marks[2], head;

		strbuf_puts(&long_text, "\xff");
		for (size_t j = 0; j < lengths[i]; j++)
			strbuf_putc(&long_text, (char)('a' + j % 26));
		marks[0] = wire_open(&w, &outer);
		wire_text(&w, &key, "k");
		marks[1] = wire_open(&w, &value);
		wire_text(&w, &text, long_text.data);
		wire_close(&w, marks[1]);
		wire_close(&w, marks[0]);
		cr_assert_eq(strbuf_error(&out), 0);
		for (head = 1; head < out.len && out.data[head] & 0x80; head++)
			;
		head++;
		cr_assert_eq(wire_head_size(&outer, out.len - head), head);
		kv = opentelemetry__proto__common__v1__key_value__unpack(
			NULL, out.len - head, (uint8_t *)out.data + head);
		cr_assert(kv, "%zu", lengths[i]);
		cr_assert_eq(strlen(kv->value->string_value), lengths[i] + 3);
		cr_assert_eq(memcmp(kv->value->string_value, "\xef\xbf\xbd", 3), 0);
		cr_assert_str_eq(kv->value->string_value + 3, long_text.data + 1);
		opentelemetry__proto__common__v1__key_value__free_unpacked(kv, NULL);
	}
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
