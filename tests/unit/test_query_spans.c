/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw spans, filtered and sorted as it says, against qsort() of all of them. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "query/spans.h"

enum { PROCESSES = 5, PROBES = 12 };

static char probe_labels[PROBES][64]; /* function, tab, binary */
static char probe_names[PROBES][4];
static uint32_t probe_ids[PROBES], process_ids[PROCESSES];

static void make_model(struct model *m)
{
	static const char *const paths[] = {"/a/lib.so", "/b/lib.so", "/c/app"};
	static const char *const binaries[] = {"lib.so", "lib.so", "app"};

	for (int i = 0; i < PROCESSES; i++) {
		process_ids[i] = model_process(m, 100 + i, 1);
		model_process_get(m, process_ids[i])->comm =
			model_string(m, i % 2 ? "odd" : "even");
	}
	for (int i = 0; i < PROBES; i++) {
		char name[] = {'p', (char)('a' + i / 2 % 5), '\0'};
		struct model_probe p = {.symbol = model_string(m, name),
					.offset = i,
					.file = model_file(m, NULL, paths[i % 3], 0)};

		p.spec = model_string(m, "spec");
		probe_ids[i] = model_probe(m, &p);
		strcpy(probe_names[i], name);
		snprintf(probe_labels[i], sizeof(probe_labels[i]), "%s\t%s", name, binaries[i % 3]);
	}
}

static struct raw_span raw[3000], wanted[3000];
static struct more_pool raw_more;

static int compare_raw_time(const void *pa, const void *pb)
{
	const struct raw_span *a = pa, *b = pb;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return (int)a->depth - (int)b->depth;
}

static int compare_raw_duration(const void *pa, const void *pb)
{
	const struct raw_span *a = pa, *b = pb;

	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns ? -1 : 1;
	return compare_raw_time(pa, pb);
}

static void feed_set(struct spans_query *q, size_t at, size_t len)
{
	struct span_set set = {.spans = malloc(len * sizeof(*raw)), .n = len};

	memcpy(set.spans, raw + at, len * sizeof(*raw));
	for (size_t i = 0; i < len; i++) {
		struct span_more more = more_pool_get(&raw_more, at + i);

		cr_assert_eq(more_pool_put(&set.more, i, &more), 0);
	}
	cr_assert_eq(spans_query_set(q, &set), 0);
	span_set_release(&set); /* rows that were kept are copies */
}

/* Feeds the spans in pieces, some of them packed; finish may come more than once. */
static void feed(struct spans_query *q, size_t n)
{
	for (size_t at = 0, len; at < n; at += len) {
		const struct span_row *rows;
		struct span_chunk chunk;
		size_t n_rows;

		len = 1 + next_random() % 500; /* apart: MIN evaluates its arguments twice */
		len = MIN(n - at, len);
		if (next_random() % 2) {
			cr_assert_eq(chunk_encode(raw, &raw_more, at, len, &chunk), 0);
			cr_assert_eq(spans_query_chunk(q, &chunk), 0);
			chunk_release(&chunk);
		} else {
			feed_set(q, at, len);
		}
		if (next_random() % 8 == 0)
			cr_assert_eq(spans_query_finish(q, &rows, &n_rows), 0);
	}
}

/* Asked of exactly those that all else lets through. */
static bool is_odd(void *arg, const struct span_row *row)
{
	const struct spans_filter *f = arg;

	cr_assert(row->span.duration_ns >= f->min_duration_ns && row->more.args);
	cr_assert_str_eq(row->caller, row->span.path == 1 ? "" : probe_names[row->span.path - 2]);
	return row->more.args[3] % 2;
}

static void check_spans(const struct spans_names *names, size_t n, const struct spans_filter *f)
{
	_cleanup_(spans_query_freep) struct spans_query *q = NULL;
	const struct span_row *rows;
	size_t n_rows, n_wanted = 0, first;

	for (size_t i = 0; i < n; i++) {
		uint32_t probe = raw[i].path - 1; /* each probe has one path, see make_spans() */

		/* Process 2 of 5 is left out by the selectors, the name by the filter. */
		if (raw[i].duration_ns >= f->min_duration_ns && raw[i].process != process_ids[2] &&
		    raw[i].process <= PROCESSES && probe < PROBES &&
		    (!f->errors_only || raw[i].flags & SPAN_ERROR) &&
		    raw[i].start_ns >= f->since_ns &&
		    (!f->until_ns || raw[i].start_ns < f->until_ns) &&
		    (raw[i].start_ns >= f->ends_after_ns ||
		     raw[i].start_ns + raw[i].duration_ns > f->ends_after_ns) &&
		    probe_names[probe][1] != 'e' && (!f->match || raw[i].ret % 2) &&
		    (!f->name || probe_labels[probe][1] == f->name[1]))
			wanted[n_wanted++] = raw[i];
	}
	qsort(wanted, n_wanted, sizeof(*wanted),
	      f->sort == SPANS_BY_DURATION ? compare_raw_duration : compare_raw_time);
	first = f->limit && n_wanted > f->limit && f->sort == SPANS_BY_TIME ? n_wanted - f->limit
									    : 0;
	n_wanted = f->limit ? MIN(n_wanted, f->limit) : n_wanted;
	cr_assert_eq(spans_query_new(names, f, &q), 0);
	feed(q, n);
	cr_assert_eq(spans_query_finish(q, &rows, &n_rows), 0);
	cr_assert_eq(n_rows, n_wanted);
	for (size_t i = 0; i < n_rows; i++) {
		const struct raw_span *s = &wanted[first + i];
		char label[80];

		snprintf(label, sizeof(label), "%s\t%s", rows[i].name, rows[i].binary);
		cr_assert_eq(memcmp(&rows[i].span, s, sizeof(*s)), 0, "row %zu of %zu", i, n_rows);
		cr_assert(rows[i].pid == 99 + s->process && rows[i].more.args[3] == s->ret);
		cr_assert_str_eq(rows[i].comm, s->process % 2 ? "even" : "odd");
		cr_assert_str_eq(label, probe_labels[s->path - 1]);
	}
}

static size_t make_spans(void)
{
	size_t n = next_random() % ARRAY_SIZE(raw);

	/* (start, depth) is unique, so that there is one right order; some ids are not known. */
	for (size_t i = 0; i < n; i++) {
		size_t j = next_random() % (i + 1);

		raw[i] = raw[j];
		raw[j] = (struct raw_span){
			.start_ns = 1000 + i / 3,
			.depth = i % 3,
			.duration_ns = next_random() % 50,
			.self_ns = next_random() % 10,
			.process = 1 + next_random() % (PROCESSES + 1),
			.path = 1 + next_random() % (PROBES + 1),
			.flags = next_random() % 2 ? SPAN_ERROR : 0,
			.ret = next_random(),
			.tid = next_random() % 9,
		};
	}
	more_pool_clear(&raw_more);
	for (size_t i = 0; i < n; i++) {
		const uint64_t args[RECORD_ARGS] = {0, 0, 0, raw[i].ret};

		cr_assert_eq(more_pool_put(&raw_more, i, &(struct span_more){.args = args}), 0);
	}
	return n;
}

Test(query_spans, random_ones)
{
	static const uint32_t pids[] = {100, 101, 103, 104};
	static const struct selectors selectors = {.pids = pids, .n_pids = ARRAY_SIZE(pids)};
	_cleanup_(model_freep) struct model *m = NULL;
	_cleanup_(spans_names_freep) struct spans_names *names = NULL;

	seed_rng();
	cr_assert_eq(model_new(&m), 0);
	make_model(m);
	for (int i = 0; i < PROBES; i++)
		cr_assert_eq(model_path(m, i, probe_ids[i]), i + 1); /* each calls the next */
	cr_assert_eq(spans_names_take(m, &selectors, "p[a-d]", &names), 0);
	for (int round = 0; round < 60; round++) {
		struct spans_filter f = {
			.min_duration_ns = next_random() % 2 ? next_random() % 50 : 0,
			.name = next_random() % 2 ? "pa" : NULL,
			.errors_only = next_random() % 2,
			.since_ns = next_random() % 2 ? 1000 + next_random() % 1000 : 0,
			.until_ns = next_random() % 2 ? 1000 + next_random() % 1000 : 0,
			.ends_after_ns = next_random() % 2 ? 1000 + next_random() % 1000 : 0,
			.sort = next_random() % 3,
			.limit = next_random() % 2 ? next_random() % 100 : 0,
			.match = next_random() % 2 ? is_odd : NULL,
		};
		f.match_arg = &f;

		check_spans(names, make_spans(), &f);
	}
}
