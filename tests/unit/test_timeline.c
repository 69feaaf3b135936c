/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page of a timeline: how spans are arranged, levels of detail, and what is written, read
 * back. What the page does is tested by test_timeline_page.py. With SONDE_TIMELINE_PAGE=FILE a
 * page of SONDE_TIMELINE_SPANS (1,000,000) spans and SONDE_TIMELINE_SAMPLES (1,000,000) samples is
 * written there, and how long that took is said.
 */
#include <criterion/criterion.h>
#include <zlib.h>

#include "sonde/base/base64.h"
#include "sonde/base/varint.h"
#include "timeline_help.h"
#include "timeline_lod.h"

static void add(struct timeline *t, uint32_t thread, uint64_t start, uint64_t duration,
		uint16_t depth)
{
	cr_assert_eq(timeline_add_span(t, &(struct timeline_span){.start_ns = start,
								  .duration_ns = duration,
								  .thread = thread,
								  .depth = depth}),
		     0);
}

static void two_threads(struct timeline *t)
{
	cr_assert_eq(timeline_add_process(t, 1, "late"), 0);
	cr_assert_eq(timeline_add_process(t, 2, "early"), 1);
	cr_assert_eq(timeline_add_thread(t, 0, 10), 0);
	cr_assert_eq(timeline_add_thread(t, 1, 20), 1);
	cr_assert_eq(timeline_add_thread(t, 1, 21), 2);
	cr_assert_eq(timeline_add_function(t, "f", "b"), 0);
}

/* "thread: start+duration …" a line for each row. */
static int print_row(void *arg, uint32_t thread, const struct timeline_span *spans, size_t n)
{
	strbuf_printf(arg, "%u:", thread);
	for (size_t i = 0; i < n; i++)
		strbuf_printf(arg, " %llu+%llu", (unsigned long long)spans[i].start_ns,
			      (unsigned long long)spans[i].duration_ns);
	strbuf_puts(arg, "\n");
	return 0;
}

static void check_rows(struct timeline *t, const char *wanted)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};

	cr_assert_eq(timeline_arrange(t, print_row, &out), 0);
	cr_expect_str_eq(out.len ? out.data : "", wanted);
}

Test(timeline, rows_are_nested_as_calls_are)
{
	_cleanup_(timeline_release) struct timeline t = {};

	two_threads(&t);
	add(&t, 1, 110, 20, 1); /* in the order in which they end */
	add(&t, 1, 150, 10, 1);
	add(&t, 1, 100, 70, 0);
	add(&t, 1, 170, 5, 0);
	add(&t, 0, 200, 5, 0);
	add(&t, 2, 90, 1, 0);
	check_rows(&t, "2: 90+1\n1: 100+70 170+5\n1: 110+20 150+10\n0: 200+5\n");
}

Test(timeline, processes_and_threads_come_by_their_first_span)
{
	_cleanup_(timeline_release) struct timeline t = {};

	two_threads(&t);
	add(&t, 0, 200, 5, 0);
	add(&t, 1, 150, 5, 0);
	add(&t, 2, 90, 1, 0);
	check_rows(&t, "2: 90+1\n1: 150+5\n0: 200+5\n");
	cr_expect_eq(t.zero_ns, 90);
	cr_expect_eq(t.end_ns, 205);
}

/* As of calls that were unwound past, of clocks that stepped, of two that look alike. */
Test(timeline, rows_never_overlap)
{
	_cleanup_(timeline_release) struct timeline t = {};

	two_threads(&t);
	add(&t, 1, 100, 50, 0);
	add(&t, 1, 120, 60, 0);
	add(&t, 1, 160, 10, 0);
	add(&t, 1, 180, 0, 0); /* instants */
	add(&t, 1, 180, 0, 0);
	add(&t, 1, 200, 5, 1); /* caller and callee take as long */
	add(&t, 1, 200, 5, 0);
	check_rows(&t, "1: 100+50 180+0 180+0 200+5\n1: 120+60 200+5\n1: 160+10\n");
}

Test(timeline, what_cannot_be_is_refused_or_cut)
{
	_cleanup_(timeline_release) struct timeline t = {};
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct timeline_span span = {.start_ns = UINT64_MAX - 5, .duration_ns = 10};

	check_rows(&t, "");
	cr_expect_eq(timeline_add_span(&t, &span), -EINVAL);
	cr_expect_eq(timeline_add_thread(&t, 0, 1), -EINVAL);
	two_threads(&t);
	cr_expect_eq(timeline_add_span(&t, &span), 0);
	cr_expect_eq(t.end_ns, UINT64_MAX);
	span.function = 1;
	cr_expect_eq(timeline_add_span(&t, &span), -EINVAL);
	cr_expect_eq(timeline_add_use(&t, &(struct timeline_use){.start_us = 2, .end_us = 2}),
		     -EINVAL);
	for (uint64_t i = 0; i < TIMELINE_MAX_ROWS + 7; i++)
		add(&t, 2, i, 10000 - 2 * i, (uint16_t)i);
	cr_expect_eq(timeline_arrange(&t, print_row, &out), 0);
	cr_expect_eq(t.too_deep, 7);
}

/* By process and name, in order of time; what is outside of the range is not there. */
Test(timeline, counters)
{
	_cleanup_(timeline_release) struct timeline t = {
		.from_ns = 10, .until_ns = 1000, .most = 5};
	_cleanup_(strbuf_release) struct strbuf json = {0}, numbers = {0};
	static const struct {
		uint32_t process;
		const char *name;
		uint64_t time_ns;
		double value;
	} values[] = {{1, "b", 50, 2},	{0, "q/a", 40, -0.0}, {0, "q/a", 20, 1e300},
		      {0, "q/a", 9, 3}, {1, "a", 1000, 4},    {0, "b", 30, 5},
		      {1, "b", 60, 6},	{0, "b", 70, 7}};
	static const char want[] = "\x0a\x14\x00\x00\x00\x00\x00\x00\x00\x80";
	struct json_writer w;

	two_threads(&t);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		cr_expect_eq(timeline_add_value(&t, values[i].process, values[i].name,
						values[i].time_ns, values[i].value),
			     0);
	cr_expect_eq(t.more, 1);
	cr_expect_eq(timeline_add_value(&t, 9, "a", 20, 1), -EINVAL);
	cr_expect_eq(t.zero_ns, 20);
	cr_expect_eq(t.end_ns, 60);
	timeline_cut(&t, 30, 61);
	cr_expect_eq(t.zero_ns, 30);
	json_begin(&w, &json);
	json_object_begin(&w, NULL);
	timeline_counters_write(&t.counters, t.zero_ns, &w, &numbers);
	json_object_end(&w);
	cr_expect_str_eq(json.data, "{\"counters\":[{\"process\":0,\"name\":\"b\",\"n\":1},"
				    "{\"process\":0,\"name\":\"q/a\",\"n\":1},"
				    "{\"process\":1,\"name\":\"b\",\"n\":2}]}");
	cr_assert_eq(numbers.len, 4 + 4 * 8);
	cr_expect_eq(memcmp(numbers.data + 9, want, 1), 0, "10 ns after the first of all");
	cr_expect_eq(memcmp(numbers.data + 10, want + 2, 8), 0, "the value, to the bit");
	cr_expect_eq(memcmp(numbers.data + 18, want + 1, 1), 0, "20 ns after it");
	check_rows(&t, "");
}

/* As of a trace whose times are since its own beginning. */
Test(timeline, time_may_begin_with_the_epoch)
{
	_cleanup_(timeline_release) struct timeline t = {};

	two_threads(&t);
	cr_expect_eq(timeline_add_value(&t, 0, "a", 0, 1), 0);
	cr_expect_eq(timeline_add_value(&t, 0, "a", 3000, 2), 0);
	add(&t, 1, 5000, 10, 0);
	cr_expect_eq(t.zero_ns, 0);
	timeline_cut(&t, 0, 4000);
	cr_expect_eq(t.zero_ns, 0);
	cr_expect_eq(t.end_ns, 3000);
}

Test(timeline, what_is_outside_a_range_takes_no_room)
{
	_cleanup_(timeline_release) struct timeline t = {
		.from_ns = 100, .until_ns = 200, .most = 3};

	two_threads(&t);
	for (uint64_t i = 0; i < 5; i++)
		add(&t, 1, 10 * i, 9, 0);
	add(&t, 1, 60, 39, 0);
	add(&t, 1, 50, 50, 0); /* ends when it begins */
	add(&t, 0, 110, 5, 0);
	add(&t, 1, 200, 5, 0);
	add(&t, 1, 199, 50, 0);
	cr_expect_eq(t.more, 0);
	add(&t, 1, 150, 5, 0);
	add(&t, 1, 210, 5, 0);
	cr_expect_eq(t.more, 1);
	cr_expect_eq(t.zero_ns, 50);
	cr_expect_eq(t.end_ns, 249);
	check_rows(&t, "1: 50+50 199+50\n0: 110+5\n");
}

static const struct timeline_box boxes[] = {
	{0, 3, 3, 1, 1},   {4, 6, 2, 2, 1},   {7, 8, 1, 2, 1}, /* one bin of 8: mostly 1 and 2 */
	{8, 40, 32, 3, 1},				       /* longer than a bin: stays */
	{40, 41, 1, 4, 1}, {46, 49, 3, 5, 1},		       /* begins there, ends beyond */
	{56, 56, 0, 6, 1},
};

Test(timeline, short_boxes_that_begin_in_one_bin_are_merged)
{
	struct timeline_box out[ARRAY_SIZE(boxes)];
	static const struct timeline_box wanted[] = {
		{0, 8, 6, 1, 3}, {8, 40, 32, 3, 1}, {40, 49, 4, 5, 2}, {56, 56, 0, 6, 1}};

	cr_assert_eq(lod_merge(boxes, ARRAY_SIZE(boxes), 3, out), 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(out[i].start_ns, wanted[i].start_ns, "%zu", i);
		cr_expect_eq(out[i].end_ns, wanted[i].end_ns, "%zu", i);
		cr_expect_eq(out[i].covered_ns, wanted[i].covered_ns, "%zu", i);
		cr_expect_eq(out[i].count, wanted[i].count, "%zu", i);
	}
	cr_expect_eq(out[2].function, 5, "what takes most of it");
	cr_expect_eq(lod_merge(boxes, ARRAY_SIZE(boxes), 0, out), ARRAY_SIZE(boxes));
}

struct levels {
	size_t last, spans, sum, n;
	unsigned int shift;
};

static int check_level(void *arg, unsigned int shift, const struct timeline_box *b, size_t n)
{
	struct levels *l = arg;
	size_t spans = 0;

	cr_expect_gt(shift, l->shift);
	cr_expect_leq(n, l->last / 4);
	for (size_t i = 0; i < n; i++) {
		spans += b[i].count;
		cr_assert_leq(b[i].covered_ns, b[i].end_ns - b[i].start_ns);
		cr_assert(!i || b[i].start_ns >= b[i - 1].end_ns, "in order, apart");
	}
	cr_expect_eq(spans, l->spans, "no span is forgotten");
	*l = (struct levels){n, l->spans, l->sum + n, l->n + 1, shift};
	return 0;
}

Test(timeline, levels_of_detail_stay_small)
{
	enum { N = 100000 };
	struct timeline_box *many = calloc(N, sizeof(*many));
	struct levels levels = {.last = N, .spans = N};
	uint64_t state = 1234567, at = 0;

	cr_assert_not_null(many);
	for (size_t i = 0; i < N; i++) {
		uint64_t length =
			timeline_random(&state) % 1000 ? timeline_random(&state) % 3000 : 1000000;

		many[i] = (struct timeline_box){at, at + length, length, 0, 1};
		at += length + timeline_random(&state) % 500;
	}
	cr_assert_eq(lod_levels(many, N, check_level, &levels), 0);
	cr_expect_geq(levels.n, 3);
	cr_expect_leq(levels.sum, N / 3);
	cr_expect_leq(levels.last, 2000, "few at the coarsest");
	free(many);
}

/* The numbers of a page, unpacked. */
static void read_numbers(const struct strbuf *page, struct strbuf *ret)
{
	_cleanup_(strbuf_release) struct strbuf packed = {0};
	static const char mark[] = "id=\"numbers\">";
	const char *at = strstr(page->data, mark);
	uLongf size = 1 << 20;

	cr_assert_not_null(at);
	at += sizeof(mark) - 1;
	cr_assert_eq(base64_decode(&packed, at, strcspn(at, "<")), 0);
	ret->data = malloc(size);
	ret->cap = size;
	cr_assert_eq(uncompress((Bytef *)ret->data, &size, (Bytef *)packed.data, packed.len), Z_OK);
	ret->len = size;
}

static void check_numbers(const struct strbuf *page, const uint64_t *wanted, size_t n)
{
	_cleanup_(strbuf_release) struct strbuf numbers = {0};
	const uint8_t *p, *end;

	read_numbers(page, &numbers);
	p = (uint8_t *)numbers.data;
	end = p + numbers.len;
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		cr_assert(varint_get(&p, end, &v));
		cr_expect_eq(v, wanted[i], "number %zu: %llu", i, (unsigned long long)v);
	}
	cr_expect_eq(p, end);
}

Test(timeline, what_is_written_can_be_read)
{
	static const struct timeline_info info = {
		.title = "t</script>", .target = "x\xff", .lost = 3};
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(timeline_release) struct timeline t = {};
	/* Row 0: gap, gap; length, length; function twice; flags; off the CPU. Row 1. */
	static const uint64_t wanted[] = {0, 30, 70, 5, 0, 1, 0, 2, 0, 4, 10, 20, 0, 0, 0};

	two_threads(&t);
	cr_assert_eq(timeline_add_function(&t, "</script><script>alert(1)</script>", "<!--"), 1);
	add(&t, 1, 1763728387000000110ULL, 20, 1);
	add(&t, 1, 1763728387000000100ULL, 70, 0);
	cr_assert_eq(
		timeline_add_span(&t, &(struct timeline_span){.start_ns = 1763728387000000200ULL,
							      .duration_ns = 5,
							      .offcpu_ns = 4,
							      .thread = 1,
							      .function = 1,
							      .flags = TIMELINE_UNWOUND}),
		0);
	cr_assert_eq(timeline_html_write(&out, &t, &info), 0);
	check_numbers(&out, wanted, ARRAY_SIZE(wanted));
	cr_expect(strstr(out.data, "\"zero_us\":1763728387000000,\"zero_ns\":100,\"length\":105,"));
	cr_expect(strstr(out.data, "{\"thread\":1,\"levels\":[[0,2]]}"));
	cr_expect_null(strstr(out.data, "</script><script>alert"));
	cr_expect_null(strstr(out.data, "\"<!--"));
	cr_expect(strstr(out.data, "\"x\xef\xbf\xbd\""), "valid UTF-8");
	cr_expect_null(strstr(out.data, "http:"));
}

static int print_samples(void *arg, uint32_t thread, const struct timeline_sample *const *samples,
			 const size_t *n)
{
	strbuf_printf(arg, "%u:", thread);
	for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++)
		for (size_t i = 0; i < n[k]; i++)
			strbuf_printf(arg, " %c%llu", k ? 'w' : 'c',
				      (unsigned long long)samples[k][i].time_ns);
	strbuf_puts(arg, "\n");
	return 0;
}

static int add_sample(struct timeline *t, enum timeline_sample_kind kind, uint32_t thread,
		      uint64_t time_ns, uint64_t ns, uint32_t stack)
{
	return timeline_add_sample(t, kind, &(struct timeline_sample){time_ns, ns, thread, stack});
}

Test(timeline, samples_come_by_thread_and_time)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(timeline_release) struct timeline t = {
		.from_ns = 100, .until_ns = 900, .most = 6};

	two_threads(&t);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 300, 0, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 0, 500, 0, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 200, 0, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_WAITS, 2, 80, 20, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_WAITS, 1, 400, 50, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 99, 0, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 900, 0, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_WAITS, 1, 899, UINT64_MAX, 0), 0);
	cr_assert_eq(t.more_samples, 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 600, 0, 0), 0);
	cr_assert_eq(t.more_samples, 1);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 300, 0, 1), -EINVAL);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 3, 300, 0, 0), -EINVAL);
	cr_assert_eq(timeline_add_stack(&t.samples, 0, 0), -EINVAL);
	cr_assert_eq(timeline_samples_each(&t.samples, print_samples, &out), 0);
	cr_expect_str_eq(out.data, "0: c500\n1: w400 w899\n2: c200 c300 w80\n");
	cr_expect_eq(t.zero_ns, 80);
	cr_expect_eq(t.end_ns, UINT64_MAX);
}

/* Threads need no spans, and what was first may be a sample. */
Test(timeline, samples_are_written_behind_the_spans)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(timeline_release) struct timeline t = {};
	/* The span: gap, length, function, flags. Gaps of samples, of waits; lengths; stacks. */
	static const uint64_t wanted[] = {
		10, 20, 0, 0,	 /* of the span */
		0,  15, 7, 2, 0, /* of thread 1: a sample, a wait, its length, stacks */
		30, 1,		 /* of thread 2 */
		0,  1,	0, 1,	 /* the stacks, their frames */
	};

	two_threads(&t);
	add(&t, 1, 1010, 20, 0);
	cr_assert_eq(timeline_add_frame(&t.samples, "main", "b", "m.c:1"), 0);
	cr_assert_eq(timeline_add_frame(&t.samples, "</script>", "[kernel]", NULL), 1);
	cr_assert_eq(timeline_add_stack(&t.samples, 0, 0), 0);
	cr_assert_eq(timeline_add_stack(&t.samples, 1, 1), 1);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 2, 1030, 0, 1), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_WAITS, 1, 1015, 7, 0), 0);
	cr_assert_eq(add_sample(&t, TIMELINE_CPU, 1, 1000, 0, 2), 0);
	cr_assert_eq(timeline_name_thread(&t, 2, "worker"), 0);
	cr_assert_eq(timeline_name_thread(&t, 2, "other"), 0);
	cr_assert_eq(timeline_html_write(&out, &t, &(struct timeline_info){}), 0);
	check_numbers(&out, wanted, ARRAY_SIZE(wanted));
	cr_expect(strstr(out.data, "\"samples\":[{\"thread\":1,\"cpu\":1,\"waits\":1},"
				   "{\"thread\":2,\"cpu\":1,\"waits\":0}],\"stacks\":2,"
				   "\"frames\":[[\"main\",\"b\",\"m.c:1\"],"
				   "[\"\\u003c/script>\",\"[kernel]\"]],\"period\":0"));
	cr_expect(strstr(out.data, "\"tid\":21,\"name\":\"worker\""));
}

Test(timeline, a_page_without_spans)
{
	_cleanup_(strbuf_release) struct strbuf out = {0}, numbers = {0};
	_cleanup_(timeline_release) struct timeline t = {};

	cr_assert_eq(timeline_html_write(&out, &t, &(struct timeline_info){}), 0);
	read_numbers(&out, &numbers);
	cr_expect_eq(numbers.len, 0);
	cr_expect(strstr(out.data, "\"rows\":[],"));
}

Test(timeline, many_spans)
{
	const char *path = getenv("SONDE_TIMELINE_PAGE"), *n = getenv("SONDE_TIMELINE_SPANS");
	const char *n_samples = getenv("SONDE_TIMELINE_SAMPLES");
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(timeline_release) struct timeline t = {};
	uint64_t wanted = path ? 1000000 : 30000, samples = wanted, begin;

	cr_assert(!n || parse_u64(n, &wanted) == 0);
	cr_assert(!n_samples || parse_u64(n_samples, &samples) == 0);
	cr_assert_eq(timeline_generate(&t, wanted), 0);
	cr_assert_eq(timeline_sample_threads(&t, samples / 8), 0);
	begin = now_monotonic_ns();
	cr_assert_eq(timeline_html_write(&out, &t, &(struct timeline_info){.title = "Made up"}), 0);
	fprintf(stderr, "%zu spans, %zu samples: %zu bytes written in %llu ms\n", t.n_spans,
		timeline_samples_count(&t.samples), out.len,
		(unsigned long long)((now_monotonic_ns() - begin) / NSEC_PER_MSEC));
	/* 8 threads are nested three deep. */
	cr_expect(strstr(out.data, "{\"thread\":7,"));
	cr_expect_lt(out.len, 200000 + 8 * t.n_spans + 6 * samples);
	if (path) {
		FILE *f = fopen(path, "w");

		cr_assert_not_null(f);
		cr_assert_eq(fwrite(out.data, 1, out.len, f), out.len);
		cr_assert_eq(fclose(f), 0);
	}
}
