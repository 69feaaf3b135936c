/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans in order, nested by time, and what is sent of them. */
#include "base_random.h"
#include "import_help.h"
#include "nest.h"
#include "recorder.h"
#include "sorter.h"

TestSuite(import_nest, .init = seed_rng, .timeout = 60);

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Parts in memory, in a file, and the last one not full. */
Test(import_nest, sorter)
{
	static const size_t counts[] = {0, 1, 15, 16, 17, 1000, 50001};

	for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
		_cleanup_(import_sorter_freep) struct import_sorter *s =
			import_sorter_new(sizeof(uint64_t), 8000, compare_u64);
		uint64_t sum = 0, got = 0, last = 0, value;
		struct error e = {};
		size_t n = 0;

		for (size_t i = 0; i < counts[c]; i++) {
			value = next_random() >> 8;
			sum += value;
			cr_assert_eq(import_sorter_add(s, &value, &e), 0, "%s", e.message);
		}
		while (import_sorter_next(s, &value, &e) > 0) {
			cr_assert_geq(value, last);
			last = value;
			got += value;
			n++;
		}
		cr_assert_eq(n, counts[c]);
		cr_assert_eq(got, sum);
	}
}

/* Paths are told apart by what they are made of: parent * 1000 + name, which is enough here. */
struct seen {
	uint64_t n, self, duration, overlaps, deep;
	int64_t last_end;
	bool backwards;
	uint32_t paths[64]; /* of the first ones that ended */
	uint64_t selves[64];
};

static int make_path(void *arg, uint32_t parent, uint32_t name, uint32_t category, uint32_t *ret)
{
	(void)arg;
	(void)category;
	*ret = parent * 100 + name;
	return 0;
}

static int see(void *arg, const struct import_ended *s)
{
	struct seen *seen = arg;

	if (seen->n < 64) {
		seen->paths[seen->n] = s->path;
		seen->selves[seen->n] = s->self_ns;
	}
	seen->n++;
	seen->self += s->self_ns;
	seen->duration += s->duration_ns;
	seen->backwards |= s->end_ns < seen->last_end;
	seen->last_end = s->end_ns;
	return 0;
}

static struct import_nest *nest_for(struct seen *seen)
{
	struct import_nest *n =
		import_nest_new(&(struct import_nest_ops){.path = make_path,
							  .ended = see,
							  .arg = seen,
							  .overlaps = &seen->overlaps,
							  .deep = &seen->deep});

	cr_assert_not_null(n);
	return n;
}

static void add(struct import_nest *n, uint64_t lane, uint32_t name, int64_t start, int64_t end)
{
	const struct import_begun s = {.start_ns = start,
				       .duration_ns = (uint64_t)(end - start),
				       .lane = lane,
				       .slack_ns = start % 1000 || end % 1000 ? 0 : 1999,
				       .name = name};

	cr_assert_eq(import_nest_add(n, &s), 0);
}

Test(import_nest, nesting_overlaps_and_points)
{
	struct seen seen = {.last_end = INT64_MIN};
	struct import_nest *n = nest_for(&seen);
	/* In the order of their ends. */
	static const uint32_t paths[] = {102, 103, 2, 104, 1, 5, 607, 608, 6};
	static const uint64_t selves[] = {10, 0, 40, 0, 100, 10, 5, 0, 15};

	add(n, 1, 1, -10, 100);
	add(n, 1, 2, 0, 10);
	add(n, 2, 2, 5, 45); /* of another lane */
	add(n, 1, 3, 20, 20);
	add(n, 1, 4, 100, 100); /* at the end of the first one, and in it */
	add(n, 1, 5, 100, 110); /* begins where that ends */
	add(n, 1, 6, 200, 220);
	add(n, 1, 7, 205, 210);
	add(n, 1, 8, 211, 211);
	cr_assert_eq(import_nest_finish(n), 0);
	cr_assert_eq(seen.n, 9);
	cr_assert_eq(seen.overlaps, 0);
	cr_assert_not(seen.backwards);
	for (size_t i = 0; i < 9; i++) {
		cr_expect_eq(seen.paths[i], paths[i], "%zu: %u", i, seen.paths[i]);
		cr_expect_eq(seen.selves[i], selves[i], "%zu: %lu", i, seen.selves[i]);
	}
	/* What overlaps is put beside. */
	import_nest_free(n);
	seen = (struct seen){.last_end = INT64_MIN};
	n = nest_for(&seen);
	add(n, 1, 9, 0, 100);
	add(n, 1, 1, 10, 50);
	add(n, 1, 2, 40, 60);
	add(n, 1, 3, 45, 55);
	cr_assert_eq(import_nest_finish(n), 0);
	cr_assert_eq(seen.overlaps, 1);
	cr_assert_eq(seen.paths[0], 901);
	cr_assert_eq(seen.paths[1], 90203);
	cr_assert_eq(seen.paths[2], 902);
	cr_assert_eq(seen.paths[3], 9);
	cr_assert_eq(seen.selves[2], 10);
	cr_assert_eq(seen.selves[3], 40);
	import_nest_free(n);
}

/* Whole microseconds are cut off: an end may be later than that of what it is in. */
Test(import_nest, coarse_times)
{
	struct seen seen = {.last_end = INT64_MIN};
	struct import_nest *n = nest_for(&seen);

	add(n, 1, 1, 0, 10000);
	add(n, 1, 2, 4000, 11000);
	add(n, 1, 3, 9000, 12000);
	add(n, 1, 4, 12000, 13000);
	add(n, 1, 5, 20000, 30000);
	add(n, 1, 6, 25000, 32000);
	cr_assert_eq(import_nest_finish(n), 0);
	cr_assert_eq(seen.n, 6);
	cr_expect_eq(seen.paths[0], 10203);
	cr_expect_eq(seen.paths[1], 102);
	cr_expect_eq(seen.paths[2], 1);
	cr_expect_eq(seen.paths[3], 4);
	cr_expect_eq(seen.paths[4], 5);
	cr_expect_eq(seen.paths[5], 6);
	cr_expect_eq(seen.overlaps, 1);
	import_nest_free(n);
}

/* A random tree in each of some lanes: what is inside is known, so are paths and own times. */
struct tree {
	struct import_begun *spans;
	size_t n, cap;
	uint64_t self;
};

static int64_t grow(struct tree *t, uint64_t lane, int depth, int64_t at)
{
	size_t me = t->n;
	int64_t start = at, inner = 0;

	cr_assert_eq(array_reserve(&t->spans, &t->cap, t->n + 1, sizeof(*t->spans)), 0);
	t->n++;
	at += 1 + (int64_t)(next_random() % 5);
	for (uint64_t i = next_random() % 4; depth < 6 && i > 0; i--) {
		int64_t end = grow(t, lane, depth + 1, at);

		inner += end - at;
		at = end + 1 + (int64_t)(next_random() % 3);
	}
	t->spans[me] = (struct import_begun){.start_ns = start,
					     .duration_ns = (uint64_t)(at - start),
					     .lane = lane,
					     .order = t->n - me,
					     .name = 1};
	t->self += (uint64_t)(at - start - inner);
	return at;
}

Test(import_nest, random_trees)
{
	struct seen seen = {.last_end = INT64_MIN};
	struct import_nest *n = nest_for(&seen);
	struct tree t = {};
	uint64_t duration = 0;

	for (uint64_t lane = 0; lane < 20; lane++)
		for (int64_t i = 0, at = 0; i < 300; i++)
			at = grow(&t, lane, 0, at) + (int64_t)(next_random() % 2);
	qsort(t.spans, t.n, sizeof(*t.spans), import_begun_compare);
	for (size_t i = 0; i < t.n; i++) {
		duration += t.spans[i].duration_ns;
		cr_assert_eq(import_nest_add(n, &t.spans[i]), 0);
	}
	cr_assert_eq(import_nest_finish(n), 0);
	cr_assert_eq(seen.n, t.n);
	cr_assert_eq(seen.duration, duration);
	cr_assert_eq(seen.self, t.self);
	cr_assert_eq(seen.overlaps, 0);
	cr_assert_not(seen.backwards, "ends come in order");
	import_nest_free(n);
	free(t.spans);
}

/* Many lanes, of which a few are open at a time. */
Test(import_nest, many_lanes_and_depth)
{
	struct seen seen = {.last_end = INT64_MIN};
	struct import_nest *n = nest_for(&seen);

	for (int64_t i = 0; i < 200000; i++)
		add(n, (uint64_t)i * 7919, 1, i * 10, i * 10 + 95);
	for (int64_t i = 0; i < 5000; i++)
		add(n, 5, 1, 2000100 + i, 2100000 - i);
	cr_assert_eq(import_nest_finish(n), 0);
	cr_assert_eq(seen.n, 200000 + 4095);
	cr_assert_eq(seen.deep, 5000 - 4095);
	cr_assert_eq(seen.overlaps, 0);
	import_nest_free(n);
}

static int on_begin(void *arg, const struct import_begin *b)
{
	strbuf_printf(arg, "begin %u %llu %llu\n", b->kinds, (unsigned long long)b->frequency,
		      (unsigned long long)b->started_us);
	return 0;
}

static int on_send(void *arg, const char *params)
{
	strbuf_printf(arg, "%s\n", params);
	return 0;
}

Test(import_nest, what_is_sent_of_spans)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	const struct import_recorder_ops ops = {.begin = on_begin, .send = on_send, .arg = &out};
	struct error e = {};
	_cleanup_(import_recorder_freep) struct import_recorder *r =
		import_recorder_new(&ops, 77, &e);
	struct import_sink *sink = import_recorder_sink(r);
	struct import_span inner = {.start_ns = -500,
				    .duration_ns = 100,
				    .lane = 9,
				    .pid = 7,
				    .tid = 8,
				    .name = "in\xff",
				    .category = "io"};
	struct import_span outer = {.start_ns = -1000,
				    .duration_ns = 2000,
				    .lane = 9,
				    .pid = 7,
				    .tid = 8,
				    .name = "out",
				    .category = "net",
				    .binary = "libn.so"};
	uint64_t ended = 0;

	cr_assert_eq(sink->span(sink->arg, &inner), 0);
	cr_assert_eq(sink->process(sink->arg, 7, "app"), 0);
	cr_assert_eq(sink->span(sink->arg, &outer), 0);
	cr_assert_eq(import_recorder_finish(r, &ended), 0, "%s", e.message);
	cr_assert_eq(ended, 2);
	cr_assert_eq(sink->notes[NOTE_SHIFT], 2);
	cr_assert_eq(sink->notes[NOTE_TEXT], 1);
	cr_assert_str_eq(
		out.data,
		"begin 1 0 0\n"
		"{\"strings\":[\"out\",\"libn.so\",\"net\",\"in\xef\xbf\xbd\",\"io\",\"app\"],"
		"\"processes\":{\"pid\":[7],\"comm\":[6]},"
		"\"threads\":{\"process\":[1],\"tid\":[8],\"name\":[0]},"
		"\"files\":{\"path\":[2,5],\"build_id\":[0,0]},"
		"\"probes\":{\"name\":[1,4],\"file\":[1,2],\"category\":[3,0]},"
		"\"paths\":{\"parent\":[0,1],\"probe\":[1,2]},"
		"\"spans\":{\"thread\":[1,1],\"path\":[2,1],\"end_us\":[0,2],\"end_ns\":[600,0],"
		"\"duration_ns\":[100,2000],\"self_ns\":[100,1900]}}\n");
}

Test(import_nest, what_is_sent_of_samples)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	const struct import_recorder_ops ops = {.begin = on_begin, .send = on_send, .arg = &out};
	struct error e = {};
	_cleanup_(import_recorder_freep) struct import_recorder *r =
		import_recorder_new(&ops, 77, &e);
	struct import_sink *sink = import_recorder_sink(r);
	const struct import_frame frames[] = {{.name = "read", .kernel = true},
					      {.name = "main", .binary = "/bin/app"}};
	struct import_sample s = {.has_time = true,
				  .time_us = 1000,
				  .pid = 7,
				  .tid = 8,
				  .comm = "app",
				  .thread = "app",
				  .count = 2};
	uint64_t ended = 0;

	sink->period_ns = 10101010;
	cr_assert_eq(sink->sample(sink->arg, &s, frames, 2), 0);
	s.time_us = 900;
	cr_assert_eq(sink->sample(sink->arg, &s, frames + 1, 1), 0);
	cr_assert_eq(import_recorder_finish(r, &ended), 0, "%s", e.message);
	cr_assert_eq(ended, 1000);
	cr_assert_str_eq(out.data, "begin 2 99 1000\n"
				   "{\"strings\":[\"/bin/app\",\"main\",\"read\",\"app\"],"
				   "\"processes\":{\"pid\":[7],\"comm\":[4]},"
				   "\"threads\":{\"process\":[1],\"tid\":[8],\"name\":[4]},"
				   "\"files\":{\"path\":[1],\"build_id\":[0]},"
				   "\"frames\":{\"file\":[1,0],\"name\":[2,3]},"
				   "\"stacks\":{\"parent\":[0,1],\"frame\":[1,2]},"
				   "\"samples\":{\"thread\":[1,1],\"stack\":[2,1],\"count\":[2,2],"
				   "\"time_us\":[1000,-100]}}\n");
}
