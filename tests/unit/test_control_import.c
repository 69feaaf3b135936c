/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of an import become a recording, or are refused with what is wrong with them. */
#include <cjson/cJSON.h>

#include "control/import.h"
#include "dir_help.h"

static struct store_session row = {.name = "t.json",
				   .targets = "chrome",
				   .started_us = 5,
				   .specs = (char *[]){"chrome"},
				   .n_specs = 1};

static void setup(void)
{
	make_dir("import");
}

TestSuite(control_import, .init = setup, .fini = teardown, .timeout = 60);

static struct import *begin(void)
{
	struct import *i = NULL;
	struct error e = {};

	cr_assert_eq(import_new(path_of("r"), &row, &e, &i), 0, "%s", e.message);
	return i;
}

static int take(struct import *i, const char *json, struct error *e)
{
	cJSON *params = cJSON_Parse(json);
	bool due = false;
	int r;

	cr_assert_not_null(params, "%s", json);
	r = import_take(i, params, &due, e);
	cJSON_Delete(params);
	return r < 0 ? r : due;
}

static void give(struct import *i, const char *json)
{
	struct error e = {};

	cr_assert_geq(take(i, json, &e), 0, "%s: %s", json, e.message);
	cr_assert_geq(import_write(i, &e), 0, "%s", e.message);
}

static struct import_totals complete(struct import *i)
{
	struct import_totals totals = {};
	struct error e = {};

	cr_assert_eq(import_roll(i), 0);
	cr_assert_eq(import_write(i, &e), 0, "%s", e.message);
	cr_assert_neq(access(path_of("r"), F_OK), 0, "the file is there before it is complete");
	cr_assert_eq(import_complete(i, 7, &e, &totals), 0, "%s", e.message);
	import_free(i);
	return totals;
}

static struct store_reader *open_it(struct model **ret)
{
	struct store_reader *r = NULL;
	struct error e = {};

	cr_assert_eq(model_new(ret), 0);
	cr_assert_eq(store_open(path_of("r"), *ret, &e, &r), 0, "%s", e.message);
	return r;
}

#define THREAD                                                                                     \
	"\"strings\":[\"app\",\"io\",\"outer\",\"inner\"],\"processes\":{\"pid\":[7],\"comm\":[1]" \
	"},"                                                                                       \
	"\"threads\":{\"process\":[1],\"tid\":[8],\"name\":[0]},\"files\":{\"path\":[2],"          \
	"\"build_id\":[0]},\"probes\":{\"name\":[3,4],\"file\":[1,0]},"                            \
	"\"paths\":{\"parent\":[0,1],\"probe\":[1,2]}"

static int check_chunk(void *arg, const struct span_chunk *chunk)
{
	struct span_set set = {};
	struct error e = {};

	cr_assert_eq(store_unpack_chunk(arg, chunk, &set, &e), 0, "%s", e.message);
	cr_assert_eq(set.n, 2);
	cr_assert_eq(set.spans[0].start_ns, 1000005 - 20);
	cr_assert_eq(set.spans[0].duration_ns, 20);
	cr_assert_eq(set.spans[0].depth, 1);
	cr_assert_eq(set.spans[0].flags, SPAN_ERROR);
	cr_assert_eq(set.spans[1].start_ns, 1001000 - 900);
	cr_assert_eq(set.spans[1].self_ns, 880);
	cr_assert_eq(set.spans[1].tid, 8);
	span_set_release(&set);
	return 0;
}

Test(control_import, spans)
{
	struct import *i = begin();
	struct import_totals totals;
	struct store_reader *r;
	struct error e = {};
	struct model *m;

	give(i, "{" THREAD ",\"spans\":{\"thread\":[1,1],\"path\":[2,1],\"end_us\":[1000,1],"
		"\"end_ns\":[5,0],\"duration_ns\":[20,900],\"self_ns\":[20,880],\"flags\":[1,0]}}");
	totals = complete(i);
	cr_assert_eq(totals.spans, 2);
	cr_assert_eq(totals.windows, 1);
	cr_assert_gt(totals.bytes, 0);
	r = open_it(&m);
	cr_assert_str_eq(store_reader_session(r)->name, "t.json");
	cr_assert_eq(store_reader_session(r)->ended_us, 7);
	cr_assert_eq(store_each_chunk(r, check_chunk, r, &e), 0);
	cr_assert_str_eq(model_string_get(m, model_process_peek(m, 1)->comm), "app");
	cr_assert_str_eq(model_string_get(m, model_probe_get(m, 2)->name), "inner");
	store_reader_free(r);
	model_free(m);
}

static int check_counter(void *arg, const struct span_chunk *chunk)
{
	struct span_set set = {};
	struct span_more more;
	struct error e = {};
	double value = 0;

	cr_assert_eq(store_unpack_chunk(arg, chunk, &set, &e), 0, "%s", e.message);
	cr_assert_eq(set.n, 2);
	cr_assert_eq(set.spans[0].flags, SPAN_INSTANT | SPAN_COUNTER | SPAN_VALUES);
	more = more_pool_get(&set.more, 0);
	cr_assert(span_more_value(&more, &value));
	cr_assert_eq(value, -5e-324);
	more = more_pool_get(&set.more, 1);
	cr_assert_not(span_more_value(&more, &value));
	span_set_release(&set);
	return 0;
}

/* The value of a counter is kept to the bit, and is no call. */
Test(control_import, counters)
{
	struct import *i = begin();
	struct store_reader *r;
	struct error e = {};
	struct model *m;

	give(i, "{" THREAD ",\"spans\":{\"thread\":[1,1],\"path\":[2,1],\"end_us\":[1000,1],"
		"\"duration_ns\":[0,900],\"self_ns\":[0,880],\"flags\":[10,0],"
		"\"value_high\":[2147483648,0],\"value_low\":[1,0]}}");
	cr_assert_eq(complete(i).windows, 1);
	r = open_it(&m);
	cr_assert_eq(window_calls(store_reader_total(r)), 1);
	cr_assert_eq(store_each_chunk(r, check_counter, r, &e), 0);
	store_reader_free(r);
	model_free(m);
}

/* What a batch names is numbered on in the next one, whatever else the first one had. */
Test(control_import, later_batches)
{
	struct import *i = begin();
	struct store_reader *r;
	const char *category;
	struct model *m;

	give(i, "{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[1000],"
		"\"duration_ns\":[20],\"self_ns\":[20]}}");
	give(i, "{\"strings\":[\"late\",\"other\"],\"processes\":{\"pid\":[9],\"comm\":[6]},"
		"\"threads\":{\"process\":[2],\"tid\":[9],\"name\":[5]},"
		"\"probes\":{\"name\":[5],\"file\":[0],\"category\":[2]},"
		"\"paths\":{\"parent\":[0],\"probe\":[3]},"
		"\"spans\":{\"thread\":[2],\"path\":[3],\"end_us\":[1000],\"duration_ns\":[20],"
		"\"self_ns\":[20]}}");
	complete(i);
	r = open_it(&m);
	cr_assert_str_eq(model_string_get(m, model_probe_get(m, 3)->name), "late");
	cr_assert_eq(model_probe_category(m, model_probe_get(m, 2), &category), 0);
	cr_assert_eq(model_probe_category(m, model_probe_get(m, 3), &category), 2);
	cr_assert(startswith(category, "io/late"));
	cr_assert_str_eq(model_string_get(m, model_process_peek(m, 1)->comm), "app");
	cr_assert_str_eq(model_string_get(m, model_process_peek(m, 2)->comm), "other");
	store_reader_free(r);
	model_free(m);
}

/* "time count ns total_ns" of each, by window and time. */
static void expect_raw(struct store_reader *r, const char *want)
{
	_cleanup_(strbuf_release) struct strbuf got = {};

	for (size_t i = 0; i < store_reader_sample_chunks(r); i++) {
		struct raw_sample_set set = {};
		struct error e = {};

		cr_assert_eq(store_read_samples(r, i, &set, &e), 0, "%s", e.message);
		for (size_t k = 0; k < set.n; k++) {
			const struct raw_sample *s = &set.samples[k];

			cr_assert_eq(s->tid, 8);
			strbuf_printf(&got, "%llu %u %llu %llu\n",
				      (unsigned long long)(s->time_ns / NSEC_PER_USEC), s->count,
				      (unsigned long long)s->ns, (unsigned long long)s->total_ns);
		}
		raw_sample_set_release(&set);
	}
	cr_assert_str_eq(got.data ? got.data : "", want);
}

Test(control_import, samples_in_windows_of_ten_seconds)
{
	struct import *i;
	const struct window *total;
	struct store_reader *r;
	struct model *m;

	row.n_specs = 0;
	i = begin();
	give(i, "{\"strings\":[\"app\",\"main\",\"/bin/app\",\"00ff\",\"read\"],"
		"\"processes\":{\"pid\":[7],\"comm\":[1]},"
		"\"threads\":{\"process\":[1],\"tid\":[8],\"name\":[1]},"
		"\"files\":{\"path\":[3,3],\"build_id\":[4,0]},"
		"\"frames\":{\"file\":[1,0,2],\"name\":[2,5,0],\"offset\":[64,0,4096]},"
		"\"stacks\":{\"parent\":[0,1,0],\"frame\":[1,2,3]},"
		"\"samples\":{\"thread\":[1,1,1,1],\"stack\":[2,2,0,3],\"count\":[3,4,1,1],"
		"\"time_us\":[1000000,9999999,1,-1]}}");
	cr_assert_eq(complete(i).windows, 2);
	row.n_specs = 1;
	r = open_it(&m);
	total = store_reader_total(r);
	cr_assert_eq(total->n_samples, 3);
	cr_assert_eq(total->samples[0].count, 7);
	cr_assert_eq(total->samples[0].kind, SAMPLE_CPU);
	cr_assert_eq(total->start_ns, NSEC_PER_SEC);
	cr_assert_eq(model_frame_peek(m, 2)->file, FILE_ID_KERNEL);
	cr_assert_eq(model_frame_peek(m, 1)->offset, 64);
	cr_assert_eq(model_file_get(m, model_frame_peek(m, 1)->file)->build_id[1], 0xff);
	cr_assert_eq(model_file_get(m, model_frame_peek(m, 3)->file)->flags, FILE_SPECIAL);
	cr_assert_eq(model_frame_peek(m, 3)->function, 0);
	expect_raw(r, "1000000 3 0 0\n10999999 4 0 0\n10999999 1 0 0\n11000000 1 0 0\n");
	store_reader_free(r);
	model_free(m);
}

#define ONE_THREAD                                                                                 \
	"\"strings\":[\"app\"],\"processes\":{\"pid\":[7],\"comm\":[1]},"                          \
	"\"threads\":{\"process\":[1],\"tid\":[8],\"name\":[1]},"

/* Waits have their lengths; what has no time, or is a sum, is not kept one by one. */
Test(control_import, samples_one_by_one)
{
	static const struct {
		uint32_t flags;
		const char *samples, *raw;
	} cases[] = {
		{STORE_SESSION_OFFCPU,
		 "\"thread\":[1,1],\"stack\":[0,0],\"count\":[1,3],\"total_ns\":[70,90],"
		 "\"time_us\":[50,1]",
		 "50 1 70 70\n51 3 0 90\n"},
		{STORE_SESSION_OFFCPU,
		 "\"thread\":[1],\"stack\":[0],\"count\":[1],\"total_ns\":[70]", ""},
		{0, "\"thread\":[1],\"stack\":[0],\"count\":[1]", ""},
		{0, "\"thread\":[1],\"stack\":[0],\"count\":[4294967296],\"time_us\":[9]", ""},
		{0, "\"thread\":[1],\"stack\":[0],\"count\":[4294967295],\"time_us\":[9]",
		 "9 4294967295 0 0\n"},
	};

	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct import *i;
		struct store_reader *r;
		struct model *m;
		char json[512];

		row.flags = cases[k].flags;
		i = begin();
		snprintf(json, sizeof(json), "{" ONE_THREAD "\"samples\":{%s}}", cases[k].samples);
		give(i, json);
		complete(i);
		r = open_it(&m);
		expect_raw(r, cases[k].raw);
		store_reader_free(r);
		model_free(m);
		unlink(path_of("r"));
	}
	row.flags = 0;
}

/* Each is refused, and nothing is left behind. */
Test(control_import, bad_batches)
{
	static const struct {
		const char *json, *message;
	} bad[] = {
		{"{\"processes\":{\"pid\":[1],\"comm\":[1]}}", "comm: there is no 1 yet"},
		{"{\"processes\":{\"pid\":[1,2],\"comm\":[0]}}", "processes.comm: 1 values"},
		{"{\"processes\":{\"pid\":[4294967296],\"comm\":[0]}}", "pid"},
		{"{\"processes\":{\"pid\":[1.5],\"comm\":[0]}}", "pid"},
		{"{\"processes\":{\"comm\":[]}}", "pid"},
		{"{\"threads\":{\"process\":[0],\"tid\":[1],\"name\":[0]}}",
		 "process: there is no 0"},
		{"{\"strings\":[\"f\",\"xyz\"],\"files\":{\"path\":[1],\"build_id\":[2]}}",
		 "hexadecimal"},
		{"{\"frames\":{\"file\":[1],\"name\":[0]}}", "file: there is no 1"},
		{"{\"stacks\":{\"parent\":[1],\"frame\":[1]}}", "parent: there is no 1"},
		{"{\"paths\":{\"parent\":[0],\"probe\":[1]}}", "probe: there is no 1"},
		{"{\"samples\":{\"thread\":[1],\"stack\":[0],\"count\":[1]}}",
		 "thread: there is no 1"},
		{"{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[9],"
		 "\"duration_ns\":[0],\"self_ns\":[0],\"flags\":[8]}}",
		 "is a counter, but no instant"},
		{"{" THREAD ",\"samples\":{\"thread\":[1],\"stack\":[1],\"count\":[1]}}",
		 "stack: there is no 1"},
		{"{" THREAD ",\"samples\":{\"thread\":[1],\"stack\":[0],\"count\":[0]}}", "count"},
		{"{" THREAD ",\"samples\":{\"thread\":[1],\"stack\":[0],\"count\":[1],"
		 "\"time_us\":[-1]}}",
		 "before 1970"},
		{"{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[3],\"end_us\":[1],"
		 "\"duration_ns\":[1],\"self_ns\":[1]}}",
		 "path: there is no 3"},
		{"{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[1],"
		 "\"duration_ns\":[1001],\"self_ns\":[1]}}",
		 "longer than it can be"},
		{"{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[1],"
		 "\"duration_ns\":[10],\"self_ns\":[11]}}",
		 "longer than it can be"},
		{"{" THREAD ",\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[4503599627370497],"
		 "\"duration_ns\":[10],\"self_ns\":[11]}}",
		 "end_us"},
	};

	for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
		struct import *i = begin();
		struct error e = {};

		cr_assert_lt(take(i, bad[n].json, &e), 0, "%s", bad[n].json);
		cr_assert_str_eq(e.name, "BadArgument", "%s: %s", bad[n].json, e.message);
		cr_assert_not_null(strstr(e.message, bad[n].message), "%s: %s", bad[n].json,
				   e.message);
		import_free(i);
		cr_assert_neq(access(path_of("r"), F_OK), 0);
		cr_assert_neq(access(path_of("r.new"), F_OK), 0);
	}
}

/* Sums of a file stay within what a file can hold, so that it can be opened again. */
Test(control_import, too_much)
{
	struct import *i = begin();
	struct error e = {};
	int r = take(i, "{" THREAD "}", &e);

	for (int n = 0; n < 300 && r >= 0; n++)
		r = take(i,
			 "{\"spans\":{\"thread\":[1],\"path\":[1],\"end_us\":[9007199254741],"
			 "\"duration_ns\":[9007199254740991],\"self_ns\":[0]}}",
			 &e);
	cr_assert_lt(r, 0);
	cr_assert_str_eq(e.name, "TooMany", "%s", e.message);
	import_free(i);
}
