/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans on their way from the daemon's columns to a format: batches, source, order, compression. */
#include "export_help.h"

#include <zlib.h>

#include "gzip.h"
#include "query/span_batch.h"
#include "spool.h"
#include "varlink/message.h"

enum { OFFSET_NS = 1000000 };

/* What came out, with the text of its details. */
struct seen {
	struct exported_span spans[4096];
	char details[4096][64];
	size_t n, fail_at;
};

static int see(void *arg, const struct exported_span *span)
{
	struct seen *s = arg;

	if (s->fail_at && s->n == s->fail_at)
		return -ECANCELED;
	cr_assert_lt(s->n, ARRAY_SIZE(s->spans));
	if (span->details)
		snprintf(s->details[s->n], sizeof(s->details[0]), "%s",
			 reply_str(span->details, "call"));
	s->spans[s->n++] = *span;
	return 0;
}

static struct span_row row_of(uint32_t i)
{
	static const char *const names[] = {"alpha", "be\"ta", "gamma\xff"};
	static const uint64_t args[RECORD_ARGS] = {1};

	return (struct span_row){
		.span = {.start_ns = 5000 - i * 10,
			 .duration_ns = i ? 1ULL << (i % 64) : 0,
			 .self_ns = i,
			 .ret = i % 2 ? (uint64_t)-i : UINT64_MAX >> i % 64,
			 .process = 1 + i % 2,
			 .tid = 100 + i % 5,
			 .path = 1 + i % 3,
			 .depth = (uint16_t)(i % 7),
			 .flags = (uint16_t)(i % 3 == 0 ? SPAN_ERROR | SPAN_ARGS
							: SPAN_UNWOUND | SPAN_INSTANT)},
		.more = {.args = i == 3 ? args : NULL},
		.pid = 1000 + i % 2,
		.ns_pid = i % 2,
		.comm = i % 2 ? "odd" : "even",
		.name = names[i % 3],
		.binary = "app",
		.caller = "",
	};
}

static void send(struct span_batch *b, struct span_source *source, struct seen *seen, int result)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	_cleanup_(message_free_jsonp) cJSON *reply = NULL;
	struct error e = {};
	struct json_writer w;
	const uint32_t *at;
	size_t n;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	span_batch_write(b, &w);
	json_array_begin(&w, "details");
	span_batch_details(b, &at, &n);
	for (size_t i = 0; i < n; i++) {
		json_object_begin(&w, NULL);
		json_u64(&w, "at", at[i]);
		json_string(&w, "call", "len=1");
		json_object_end(&w);
	}
	json_array_end(&w);
	json_object_end(&w);
	cr_assert_eq(message_parse(out.data, out.len, &reply, &e), 0, "%s", e.message);
	cr_assert_eq(span_source_take(source, reply, see, seen, &e), result, "%s", e.message);
	span_batch_next(b);
}

/* What goes in comes out, of two batches that share their tables. */
Test(export, columns_are_the_spans)
{
	_cleanup_(span_source_release) struct span_source source = {};
	_cleanup_(span_batch_freep) struct span_batch *b = NULL;
	static struct seen seen;

	cr_assert_eq(span_batch_new(OFFSET_NS, true, &b), 0);
	for (uint32_t i = 0; i < 300; i++) {
		struct span_row row = row_of(i);

		cr_assert_eq(span_batch_add(b, &row), 0);
		if (i == 199) {
			cr_assert_eq(span_batch_count(b), 200);
			send(b, &source, &seen, 0);
		}
	}
	send(b, &source, &seen, 0);
	cr_assert_eq(seen.n, 300);
	cr_assert_eq(source.n_processes, 2);
	cr_assert_eq(source.n_threads, 10);
	cr_assert_eq(source.n_functions, 3);
	cr_assert_eq(source.processes[1].ns_pid, 1);
	for (uint32_t i = 0; i < 300; i++) {
		const struct exported_span *span = &seen.spans[i];
		const struct exported_thread *thread = &source.threads[span->thread];
		struct span_row row = row_of(i);

		cr_assert_eq(span->start_ns, row.span.start_ns + OFFSET_NS);
		cr_assert_eq(span->duration_ns, row.span.duration_ns, "span %u", i);
		cr_assert_eq(span->self_ns, row.span.self_ns);
		cr_assert_eq(span->ret, row.span.ret, "span %u", i);
		cr_assert_eq(span->depth, row.span.depth);
		cr_assert_eq(thread->tid, row.span.tid);
		cr_assert_eq(source.processes[thread->process].pid, row.pid);
		cr_assert_str_eq(source.processes[thread->process].comm, row.comm);
		cr_assert_eq(source.functions[span->function].name[0], row.name[0]);
		cr_assert_eq(span->flags,
			     i % 3 == 0 ? EXPORTED_ERROR : EXPORTED_UNWOUND | EXPORTED_INSTANT);
		cr_assert_str_eq(seen.details[i], i == 3 ? "len=1" : "");
	}
}

Test(export, details_are_kept_only_when_asked_for)
{
	_cleanup_(span_batch_freep) struct span_batch *b = NULL;
	struct span_row row = row_of(3);
	const uint32_t *at;
	size_t n;

	cr_assert_eq(span_batch_new(-6000, false, &b), 0);
	cr_assert_eq(span_batch_add(b, &row), 0);
	span_batch_details(b, &at, &n);
	cr_assert_eq(n, 0);
}

/* A clock that is not set: before the epoch there is nothing. */
Test(export, times_are_within_bounds)
{
	_cleanup_(span_source_release) struct span_source source = {};
	_cleanup_(span_batch_freep) struct span_batch *b = NULL;
	struct span_row row = row_of(0);
	static struct seen seen;

	cr_assert_eq(span_batch_new(-6000, true, &b), 0);
	cr_assert_eq(span_batch_add(b, &row), 0);
	row.span.start_ns = UINT64_MAX;
	cr_assert_eq(span_batch_add(b, &row), 0);
	send(b, &source, &seen, 0);
	cr_assert_eq(seen.spans[0].start_ns, 0);
	cr_assert_eq(seen.spans[1].start_ns, INT64_MAX);
	seen.fail_at = seen.n;
	cr_assert_eq(span_batch_add(b, &row), 0);
	send(b, &source, &seen, -ECANCELED);
}

/* A daemon of another version, or something else that answers. */
Test(export, what_is_no_batch_is_refused)
{
	static const char *const bad[] = {
		"{\"columns\":{\"count\":1}}",
		"{\"columns\":{\"count\":1,\"start\":\"AA==\",\"duration\":\"AA==\",\"self\":\"AA=="
		"\","
		"\"thread\":\"AA==\",\"function\":\"AA==\",\"depth\":\"AA==\",\"flags\":\"AA==\","
		"\"ret\":\"AA==\"}}",
		"{\"threads\":[{\"process\":0,\"tid\":1}]}",
		"{\"columns\":{\"count\":1,\"start\":\"A\"}}",
		"{\"columns\":{\"count\":1,\"start\":\"====\"}}",
		"{\"columns\":{\"count\":1,\"start\":\"gICAgICAgICAgIA=\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(span_source_release) struct span_source source = {};
		_cleanup_(message_free_jsonp) cJSON *reply = cJSON_Parse(bad[i]);
		static struct seen seen;
		struct error e = {};

		cr_assert(reply);
		cr_assert_eq(span_source_take(&source, reply, see, &seen, &e), -EBADMSG, "%s",
			     bad[i]);
		cr_assert_str_eq(e.name, "Internal");
		cr_assert_eq(seen.n, 0);
	}
}

static struct exported_span scattered(uint32_t i)
{
	return (struct exported_span){
		.start_ns = i * 7919 % 1000 * 10,
		.thread = i % 3,
		.depth = 3 - i / 2000,
		.duration_ns = i / 1000,
		.self_ns = i,
	};
}

static void check_order(size_t run, uint32_t n, bool by_thread)
{
	_cleanup_(message_free_jsonp) cJSON *details =
		cJSON_Parse("{\"at\":1,\"call\":\"x\\u00e4\\\"\"}");
	_cleanup_(spool_freep) struct spool *spool = NULL;
	static struct seen seen;
	uint64_t sum = 0;

	seen = (struct seen){};
	cr_assert_eq(spool_new(run, by_thread, &spool), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct exported_span span = scattered(i);

		span.details = i % 5 == 0 ? details : NULL;
		cr_assert_eq(spool_add(spool, &span), 0);
	}
	cr_assert_eq(spool_each(spool, see, &seen), 0);
	cr_assert_eq(seen.n, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct exported_span *a = i ? &seen.spans[i - 1] : NULL, *b = &seen.spans[i];

		sum += b->self_ns;
		cr_assert_str_eq(seen.details[i], b->self_ns % 5 == 0 ? "xä\"" : "");
		if (!a)
			continue;
		if (by_thread)
			cr_assert_leq(a->thread, b->thread);
		if (by_thread && a->thread < b->thread)
			continue;
		cr_assert_leq(a->start_ns, b->start_ns);
		if (a->start_ns < b->start_ns)
			continue;
		cr_assert_leq(a->depth, b->depth, "callers come first");
		if (a->depth == b->depth)
			cr_assert_geq(a->duration_ns, b->duration_ns);
	}
	cr_assert_eq(sum, (uint64_t)n * (n ? n - 1 : 0) / 2, "each comes once");
}

Test(export, spans_are_put_in_order)
{
	check_order(0, 4000, false);
	check_order(1, 40, false);
	check_order(7, 4000, false);
	check_order(4000, 4000, false);
	check_order(1000, 4000, false);
	check_order(10, 0, false);
	check_order(0, 4000, true);
	check_order(100, 4000, true);
}

Test(export, a_format_that_fails_ends_the_merge)
{
	_cleanup_(spool_freep) struct spool *spool = NULL;
	static struct seen seen = {.fail_at = 50};

	cr_assert_eq(spool_new(9, false, &spool), 0);
	for (uint32_t i = 0; i < 100; i++) {
		struct exported_span span = scattered(i);

		cr_assert_eq(spool_add(spool, &span), 0);
	}
	cr_assert_eq(spool_each(spool, see, &seen), -ECANCELED);
	cr_assert_eq(seen.n, 50);
}

Test(export, a_temporary_directory_that_is_none_is_passed_over)
{
	setenv("TMPDIR", "/nowhere/at/all", 1);
	check_order(7, 100, false);
	unsetenv("TMPDIR");
}

/* More than waits at once, in pieces of all sizes. */
Test(export, gzip_is_read_by_others)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	_cleanup_(gzip_freep) struct gzip *z = NULL;
	static uint8_t in[3000000], back[sizeof(in) + 1];
	z_stream s = {};

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * i >> 13);
	cr_assert_eq(gzip_new(&z), 0);
	for (size_t at = 0, n; at < sizeof(in); at += n) {
		n = MIN(at * 3 % 700001, sizeof(in) - at);
		n = MAX(n, 1U);
		cr_assert_eq(gzip_write(z, in + at, n, &out), 0);
	}
	cr_assert_eq(gzip_write(z, in, 0, &out), 0);
	cr_assert_eq(gzip_finish(z, &out), 0);
	cr_assert_eq(inflateInit2(&s, 15 + 16), Z_OK);
	s.next_in = (Bytef *)out.data;
	s.avail_in = (uInt)out.len;
	s.next_out = back;
	s.avail_out = sizeof(back);
	cr_assert_eq(inflate(&s, Z_FINISH), Z_STREAM_END);
	cr_assert_eq(s.total_out, sizeof(in));
	cr_assert_eq(memcmp(in, back, sizeof(in)), 0);
	inflateEnd(&s);
}

Test(export, gzip_is_given_up_at_any_time)
{
	static char in[2 << 20];

	for (size_t n = 0; n <= sizeof(in); n += sizeof(in) / 2) {
		_cleanup_(strbuf_release) struct strbuf out = {};
		_cleanup_(gzip_freep) struct gzip *z = NULL;

		cr_assert_eq(gzip_new(&z), 0);
		cr_assert_eq(gzip_write(z, in, n, &out), 0);
	}
}

Test(export, names_say_the_format)
{
	cr_assert_eq(export_format_of("/tmp/a.b/t.json"), &export_chrome);
	cr_assert_eq(export_format_of("t.JSON.gz"), &export_chrome);
	cr_assert_null(export_format_of("t.xyz"));
	cr_assert_null(export_format_of("json"));
	cr_assert_null(export_format_of(".json"));
	cr_assert_null(export_format_of("a.json/t"));
	cr_assert_null(export_format_of(""));
	cr_assert_eq(export_format_find("chrome"), &export_chrome);
	cr_assert_null(export_format_find("Chrome"));
	cr_assert(export_is_gzip("x.gz"));
	cr_assert_not(export_is_gzip("gz"));
	cr_assert_not(export_is_gzip(NULL));
}

/* Every format has what it must have, and no two the same name or extension. */
Test(export, formats_are_whole)
{
	for (size_t i = 0; i < export_formats_count; i++) {
		const struct export_format *f = export_formats[i];

		cr_assert(f->name && f->extensions && f->summary && f->begin && f->end && f->free);
		cr_assert_eq(f->carries & EXPORT_SPANS, f->span ? EXPORT_SPANS : 0, "%s", f->name);
		cr_assert_eq(f->carries & EXPORT_STACKS, f->stacks ? EXPORT_STACKS : 0, "%s",
			     f->name);
		cr_assert_eq(f->carries & EXPORT_ANSWER, f->answer ? EXPORT_ANSWER : 0, "%s",
			     f->name);
		cr_assert_eq(export_format_find(f->name), f);
		for (const char *e = f->extensions; *e; e += *e == '|') {
			char path[64];
			size_t n = strcspn(e, "|");

			snprintf(path, sizeof(path), "x%.*s", (int)n, e);
			cr_assert_eq(export_format_of(path), f, "%s is not %s", path, f->name);
			e += n;
		}
	}
}
