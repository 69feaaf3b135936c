/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans with everything that is odd in them, and what a format makes of them, compared with a
 * golden file: SONDE_UPDATE_GOLDEN=1 writes it.
 */
#ifndef SONDE_TESTS_EXPORT_HELP_H
#define SONDE_TESTS_EXPORT_HELP_H

#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "formats.h"

static const struct exported_process odd_processes[] = {
	{4711, 0, (char *)"app", (char *)"", NULL},
	{4712, 7, (char *)"we\xffird \"x\"\n", (char *)"0123456789ab", (char *)"node8"},
};
static const struct exported_thread odd_threads[] = {{0, 4711}, {0, 4713}, {1, 4712}};
static const struct exported_function odd_functions[] = {
	{(char *)"handle", (char *)"app", NULL},
	{(char *)"std::vector<int, a;b>::at(\"q\")", (char *)"libx.so", (char *)"a/\"io\""},
	{(char *)"bad\xc3(", (char *)"", NULL},
	{(char *)"probe\there", (char *)"app", NULL},
};

static const struct span_source odd_source = {
	.processes = (struct exported_process *)odd_processes,
	.threads = (struct exported_thread *)odd_threads,
	.functions = (struct exported_function *)odd_functions,
	.n_processes = ARRAY_SIZE(odd_processes),
	.n_threads = ARRAY_SIZE(odd_threads),
	.n_functions = ARRAY_SIZE(odd_functions),
};

/* 2026-11-30 14:03:07.123456 UTC, when the session started. */
#define ODD_STARTED_US 1796047387123456ULL
#define ODD_NS	       (ODD_STARTED_US * 1000)

/* In the order in which they began. The last one begins before the session and is as long as can
 * be. */
static const struct exported_span odd_spans[] = {
	{.start_ns = ODD_NS - 1,
	 .duration_ns = UINT64_MAX,
	 .self_ns = UINT64_MAX,
	 .ret = UINT64_MAX,
	 .thread = 1,
	 .function = 2,
	 .depth = 0,
	 .flags = EXPORTED_ERROR},
	{.start_ns = ODD_NS, .duration_ns = 1234567, .self_ns = 1000567, .ret = 5, .thread = 0},
	{.start_ns = ODD_NS,
	 .duration_ns = 234000,
	 .self_ns = 234000,
	 .ret = (uint64_t)-2,
	 .thread = 0,
	 .function = 1,
	 .depth = 1,
	 .flags = EXPORTED_ERROR | EXPORTED_KERNEL},
	{.start_ns = ODD_NS + 300001,
	 .thread = 0,
	 .function = 3,
	 .depth = 1,
	 .flags = EXPORTED_INSTANT},
	{.start_ns = ODD_NS + 9007199254740993,
	 .duration_ns = 1,
	 .self_ns = 1,
	 .thread = 2,
	 .function = 0,
	 .flags = EXPORTED_UNWOUND},
	{.start_ns = ODD_NS + 9007199254740994,
	 .duration_ns = 0,
	 .self_ns = 0,
	 .thread = 2,
	 .function = 0,
	 .flags = EXPORTED_TAIL},
};

/* What the last but two has beyond the columns. */
static const char odd_details[] =
	"{\"at\":4,\"args\":{\"len\":\"4096\",\"na\\\"me\":\"a\\nb\"},\"call\":\"len=4096\","
	"\"result\":\"-2 (ENOENT)\",\"offcpu_ns\":12,\"exception\":{\"type\":\"std::bad\","
	"\"message\":\"no; way\"},\"stack\":[\"main [app]\"]}";
static const char odd_session[] =
	"{\"name\":\"s\\\"1\",\"targets\":\"app (4711)\",\"started_us\":1796047387123456,"
	"\"frequency\":99,\"kinds\":[\"span\",\"cpu\"],\"host\":\"node7\"}";

/* Stacks of samples: a kernel frame, an inlined one, names that formats must not take as their own.
 */
static const char odd_stacks[] =
	"{\"kind\":\"cpu\",\"period_ns\":10101010,\"processes\":[{\"pid\":4711,\"comm\":\"app "
	"one\"},"
	"{\"pid\":4712,\"comm\":\"we;rd\\n\",\"container\":\"0123456789ab\"}],\"frames\":["
	"{\"func\":\"_start\",\"path\":\"/bin/app\",\"kind\":\"user\",\"build_id\":\"00ff\","
	"\"offset\":\"0x1040\"},"
	"{\"func\":\"main\",\"path\":\"/bin/app\",\"kind\":\"user\",\"build_id\":\"00ff\","
	"\"offset\":\"0x1234\",\"file\":\"app.c\",\"line\":12},"
	"{\"func\":\"step(int, "
	"\\\"a\\\")\",\"path\":\"/bin/app\",\"kind\":\"user\",\"offset\":\"0x1234\","
	"\"build_id\":\"00ff\",\"inlined\":true,\"file\":\"step.h\",\"line\":3},"
	"{\"func\":\"do_syscall_64\",\"path\":\"[kernel]\",\"kind\":\"kernel\","
	"\"offset\":\"0xffffffff821ed510\"},"
	"{\"func\":\"[unknown]\",\"path\":\"\",\"kind\":\"user\",\"offset\":\"0x7f0000000010\"},"
	"{\"func\":\"main\",\"path\":\"/bin/app\",\"kind\":\"user\",\"build_id\":\"00ff\","
	"\"offset\":\"0x1299\",\"file\":\"app.c\",\"line\":20}],"
	"\"parents\":[0,1,2,3,0,1],\"leaves\":[0,1,2,3,4,5],\"samples\":["
	"{\"process\":0,\"thread\":\"app one\",\"stack\":2,\"count\":2,\"ns\":20202020},"
	"{\"process\":0,\"thread\":\"work;er\",\"stack\":3,\"count\":1,\"ns\":10101010},"
	"{\"process\":1,\"thread\":\"\",\"stack\":4,\"count\":1,\"ns\":10101010},"
	"{\"process\":0,\"thread\":\"app one\",\"stack\":5,\"count\":9007199254740991,"
	"\"ns\":9007199254740991}]}";
/* Of spans: a path of two calls, in two processes. */
static const char odd_calls[] =
	"{\"kind\":\"span\",\"period_ns\":0,\"processes\":[{\"pid\":4711,\"comm\":\"app\"},"
	"{\"pid\":4712,\"comm\":\"b\\\"\\\\c\\n\"}],\"frames\":["
	"{\"func\":\"handle\",\"path\":\"/bin/app\",\"kind\":\"span\"},"
	"{\"func\":\"par\\\"se\",\"path\":\"/lib/libx.so\",\"kind\":\"span\"}],"
	"\"parents\":[0,1],\"leaves\":[0,1],\"calls\":["
	"{\"process\":0,\"stack\":0,\"calls\":3,\"errors\":1,\"unwound\":0,\"total_ns\":6000,"
	"\"self_ns\":4500,\"min_ns\":1000,\"max_ns\":3000,\"histogram\":[191,1,223,1,238,1]},"
	"{\"process\":0,\"stack\":1,\"calls\":1,\"errors\":0,\"unwound\":1,\"total_ns\":1500,"
	"\"self_ns\":1500,\"min_ns\":1500,\"max_ns\":1500,\"histogram\":[207,1]},"
	"{\"process\":1,\"stack\":0,\"calls\":1,\"errors\":0,\"unwound\":0,\"total_ns\":7,"
	"\"self_ns\":7,\"min_ns\":7,\"max_ns\":7,\"histogram\":[7,1]}]}";

static inline void check_golden(const char *name, const struct strbuf *out)
{
	_cleanup_(freep) char *wanted = NULL;
	char path[512];
	size_t len;

	cr_assert_eq(strbuf_error(out), 0);
	snprintf(path, sizeof(path), "%s/tests/golden/export/%s", SONDE_SOURCE_ROOT, name);
	if (getenv("SONDE_UPDATE_GOLDEN")) {
		FILE *f = fopen(path, "we");

		cr_assert(f, "%s: %m", path);
		cr_assert_eq(fwrite(out->data, 1, out->len, f), out->len);
		cr_assert_eq(fclose(f), 0);
	}
	cr_assert_eq(read_file(path, 1 << 20, &wanted, &len), 0,
		     "%s cannot be read (SONDE_UPDATE_GOLDEN=1 makes it)", path);
	cr_assert_eq(out->len, len, "%s is not as it was:\n%s", name, out->data);
	cr_assert_eq(memcmp(out->data, wanted, len), 0, "%s is not as it was:\n%s", name,
		     out->data);
}

/* All that a format is handed; stacks and spans only if it takes them. JSON text or NULL.
 * order: of the spans, where they do not come as they began. */
static inline void run_in_order(const struct export_format *format, const struct options *options,
				const size_t *order, size_t n_spans, const char *stacks,
				struct strbuf *out)
{
	cJSON *session = cJSON_Parse(odd_session), *details = cJSON_Parse(odd_details);
	cJSON *reply = stacks ? cJSON_Parse(stacks) : NULL;
	static const struct options none;
	struct error error = {};
	struct export x = {
		.options = options ? options : &none,
		.out = out,
		.source = &odd_source,
		.session = session,
		.error = &error,
	};

	cr_assert(session && details && (!stacks || reply));
	cr_assert_eq(format->begin(&x), 0, "%s", error.message);
	for (size_t i = 0; format->span && i < n_spans; i++) {
		size_t which = order ? order[i] : i;
		struct exported_span span = odd_spans[which];

		span.details = which == 4 ? details : NULL;
		cr_assert_eq(format->span(&x, &span), 0, "%s", error.message);
	}
	if (reply)
		cr_assert_eq((cJSON_GetObjectItem(reply, "rows") ? format->answer
								 : format->stacks)(&x, reply),
			     0, "%s", error.message);
	cr_assert_eq(format->end(&x), 0, "%s", error.message);
	format->free(&x);
	cJSON_Delete(session);
	cJSON_Delete(details);
	cJSON_Delete(reply);
}

static inline void run_format(const struct export_format *format, const struct options *options,
			      size_t n_spans, const char *stacks, struct strbuf *out)
{
	run_in_order(format, options, NULL, n_spans, stacks, out);
}

static inline void check_format(const struct export_format *format, const char *stacks,
				const char *golden)
{
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(format, NULL, ARRAY_SIZE(odd_spans), stacks, &out);
	check_golden(golden, &out);
}

#endif
