/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats made of stacks. */
#include "export_help.h"

#include "intern.h"
#include "profile.pb-c.h"
#include "stacks.h"

static void check_stacks(const struct export_format *format, const char *stacks, const char *golden)
{
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(format, NULL, 0, stacks, &out);
	check_golden(golden, &out);
}

/* CPU samples, of which one stands for more than anybody will print. */
static char *few_stacks(void)
{
	char *text = strdup(odd_stacks), *many = strstr(text, "9007199254740991,");

	memcpy(many, "               3,", 17);
	return text;
}

Test(export_stacks, folded)
{
	check_stacks(&export_folded, odd_stacks, "cpu.folded");
	check_stacks(&export_folded, odd_calls, "span.folded");
}

Test(export_stacks, perf_script)
{
	_cleanup_(freep) char *text = few_stacks();

	check_stacks(&export_perf_script, text, "cpu.perf");
	check_stacks(&export_perf_script, odd_calls, "span.perf");
}

Test(export_stacks, speedscope)
{
	check_stacks(&export_speedscope, odd_stacks, "cpu.speedscope.json");
	check_format(&export_speedscope, NULL, "span.speedscope.json");
}

static const char *string(const Perftools__Profiles__Profile *p, int64_t i)
{
	cr_assert_lt((size_t)i, p->n_string_table);
	return p->string_table[i];
}

/* "step:3 main:12", the functions of a location with their lines. */
static void check_location(const Perftools__Profiles__Profile *p, uint64_t id, uint64_t address,
			   const char *mapping, const char *lines)
{
	const Perftools__Profiles__Location *l;
	_cleanup_(strbuf_release) struct strbuf got = {};

	cr_assert(id && id <= p->n_location);
	l = p->location[id - 1];
	cr_assert_eq(l->id, id);
	cr_assert_eq(l->address, address);
	cr_assert_leq(l->mapping_id, p->n_mapping);
	cr_assert_str_eq(l->mapping_id ? string(p, p->mapping[l->mapping_id - 1]->filename) : "",
			 mapping);
	for (size_t i = 0; i < l->n_line; i++) {
		uint64_t function = l->line[i]->function_id;

		cr_assert(function && function <= p->n_function);
		strbuf_printf(&got, "%s%s:%lld", i ? " " : "",
			      string(p, p->function[function - 1]->name),
			      (long long)l->line[i]->line);
	}
	cr_assert_str_eq(got.data, lines);
}

static Perftools__Profiles__Profile *unpack(const char *stacks)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	Perftools__Profiles__Profile *p;

	run_format(&export_pprof, NULL, 0, stacks, &out);
	p = perftools__profiles__profile__unpack(NULL, out.len, (uint8_t *)out.data);
	cr_assert(p);
	cr_assert_str_eq(string(p, 0), "");
	cr_assert_eq(p->time_nanos, ODD_NS);
	return p;
}

Test(export_stacks, pprof_of_samples)
{
	Perftools__Profiles__Profile *p = unpack(odd_stacks);
	Perftools__Profiles__Sample *s;

	cr_assert_eq(p->n_sample_type, 2);
	cr_assert_str_eq(string(p, p->sample_type[0]->type), "samples");
	cr_assert_str_eq(string(p, p->sample_type[1]->type), "cpu");
	cr_assert_str_eq(string(p, p->sample_type[1]->unit), "nanoseconds");
	cr_assert_eq(p->period, 10101010);
	cr_assert_eq(p->n_sample, 4);
	cr_assert_eq(p->n_mapping, 2);
	cr_assert_str_eq(string(p, p->mapping[0]->filename), "/bin/app",
			 "the program is the first");
	cr_assert_str_eq(string(p, p->mapping[0]->build_id), "00ff");
	/* main at two places is one function. */
	cr_assert_eq(p->n_function, 5);
	s = p->sample[1];
	cr_assert_eq(s->n_location_id, 3);
	check_location(p, s->location_id[0], 0xffffffff821ed510, "[kernel.kallsyms]",
		       "do_syscall_64:0");
	check_location(p, s->location_id[1], 0x1234, "/bin/app", "step(int, \"a\"):3 main:12");
	check_location(p, s->location_id[2], 0x1040, "/bin/app", "_start:0");
	cr_assert_eq(s->value[0], 1);
	cr_assert_eq(s->value[1], 10101010);
	cr_assert_eq(s->n_label, 3);
	cr_assert_str_eq(string(p, s->label[0]->key), "pid");
	cr_assert_eq(s->label[0]->num, 4711);
	cr_assert_str_eq(string(p, s->label[2]->str), "work;er");
	cr_assert_eq(p->sample[0]->location_id[0], s->location_id[1], "a place is there once");
	s = p->sample[2];
	check_location(p, s->location_id[0], 0x7f0000000010, "", "[unknown]:0");
	cr_assert_eq(s->n_label, 3);
	cr_assert_str_eq(string(p, s->label[2]->key), "container");
	cr_assert_eq(p->sample[3]->value[0], 9007199254740991);
	perftools__profiles__profile__free_unpacked(p, NULL);
}

Test(export_stacks, pprof_of_spans)
{
	Perftools__Profiles__Profile *p = unpack(odd_calls);

	cr_assert_str_eq(string(p, p->sample_type[0]->type), "calls");
	cr_assert_str_eq(string(p, p->default_sample_type), "self");
	cr_assert_eq(p->sample[0]->value[0], 3);
	cr_assert_eq(p->sample[0]->value[1], 4500);
	cr_assert_eq(p->sample[1]->n_location_id, 2);
	cr_assert_str_eq(string(p, p->sample[1]->label[2]->key), "span");
	cr_assert_str_eq(string(p, p->sample[1]->label[2]->str), "par\"se");
	perftools__profiles__profile__free_unpacked(p, NULL);
}

Test(export_stacks, nothing_is_a_profile_too)
{
	static const char none[] = "{\"kind\":\"cpu\"}";
	const struct export_format *const formats[] = {&export_folded, &export_perf_script,
						       &export_speedscope};
	Perftools__Profiles__Profile *p = unpack(none);

	cr_assert_eq(p->n_sample, 0);
	perftools__profiles__profile__free_unpacked(p, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {};

		run_format(formats[i], NULL, 0, none, &out);
		cr_assert_eq(strbuf_error(&out), 0);
	}
}

Test(export_stacks, what_is_no_answer_is_refused)
{
	static const char *const bad[] = {
		"{\"parents\":[1],\"leaves\":[0],\"frames\":[{}]}",
		"{\"parents\":[0],\"leaves\":[1],\"frames\":[{}]}",
		"{\"parents\":[0],\"leaves\":[],\"frames\":[{}]}",
		"{\"kind\":\"cpu\",\"samples\":[{\"process\":0,\"stack\":0}]}",
		"{\"kind\":\"cpu\",\"parents\":[0],\"leaves\":[0],\"frames\":[{}],\"samples\":[{"
		"\"process\":0}]}",
		"{\"processes\":[{}],\"kind\":\"span\",\"calls\":[{\"stack\":0}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cJSON *reply = cJSON_Parse(bad[i]);
		struct stacks s = {};
		struct error e = {};

		cr_assert(reply);
		cr_assert_eq(stacks_read(reply, &s, &e), -EBADMSG, "%s", bad[i]);
		cr_assert_str_eq(e.name, "Internal");
		cJSON_Delete(reply);
	}
}

Test(export_stacks, strings_are_kept_once)
{
	_cleanup_(intern_release) struct intern t = {};
	uint32_t n;

	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 5000; i++) {
			char text[32];

			snprintf(text, sizeof(text), "%u%s", i, i % 7 ? "" : "\xff(");
			cr_assert_eq(intern_put_utf8(&t, text, &n), 0);
			cr_assert_eq(n, i);
		}
	cr_assert_eq(t.n, 5000);
	cr_assert_str_eq(t.strings[14], "14\xef\xbf\xbd(");
}
