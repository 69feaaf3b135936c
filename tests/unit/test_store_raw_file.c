/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw samples of recordings: they come back by window and time, and damage is noticed. */
#include "store_help.h"

#include "store/history_load.h"
#include "store/schema.h"

TestSuite(raw_file, .init = make_dir, .fini = remove_dir);

/* What was written, a window's in order. */
struct kept {
	struct raw_sample *samples;
	size_t n, cap;
	size_t ends[8]; /* of windows */
};

static void add_raw(struct recorded *rec, struct window *w)
{
	struct model_counts have;

	model_counts(rec->model, &have);
	for (uint64_t i = below(900); i; i--) {
		bool waits = below(2);
		struct raw_sample s = {.time_ns = rec->clock + below(1000000),
				       .ns = waits ? below(5000) : 0,
				       .total_ns = waits ? below(100000) : 0,
				       .process = 1 + (uint32_t)below(have.processes),
				       .tid = (uint32_t)below(9),
				       .thread = (uint32_t)below(have.strings + 1),
				       .stack = (uint32_t)below(have.stacks + 1),
				       .kind = waits ? SAMPLE_OFFCPU : SAMPLE_CPU,
				       .count = 1 + (uint32_t)below(3)};

		cr_assert_eq(window_add_raw_sample(w, &s, true), 0);
	}
}

static void keep(struct kept *k, const struct window *w, int window)
{
	cr_assert_eq(array_reserve(&k->samples, &k->cap, k->n + w->n_raw + 1, sizeof(*w->raw)), 0);
	if (w->n_raw) {
		memcpy(k->samples + k->n, w->raw, w->n_raw * sizeof(*w->raw));
		qsort(k->samples + k->n, w->n_raw, sizeof(*w->raw), raw_sample_compare);
	}
	k->n += w->n_raw;
	k->ends[window] = k->n;
}

static void record_raw(struct recorded *rec, struct kept *k, int windows)
{
	struct store_writer *writer = create();
	struct error e = {};

	*k = (struct kept){};
	begin(rec);
	for (int i = 0; i < windows; i++) {
		struct store_batch *b = NULL;
		struct window w = {};

		grow_model(rec);
		random_window(rec, &w);
		add_raw(rec, &w);
		cr_assert_eq(window_merge(&rec->total, &w), 0);
		keep(k, &w, i);
		cr_assert_eq(store_batch_new(rec->model, &w, &rec->marks, &b), 0);
		cr_assert(!w.raw && !w.n_raw);
		write_batch(writer, b);
		rec->windows++;
	}
	cr_assert_eq(store_close(writer, 1700000001000000, &e, NULL), 0, "%s", e.message);
}

static void release(struct recorded *rec, struct kept *k)
{
	end(rec);
	free(k->samples);
}

static struct store_reader *open_file(struct model **ret_model)
{
	struct store_reader *r = NULL;
	struct error e = {};

	cr_assert_eq(model_new(ret_model), 0);
	cr_assert_eq(store_open(file, *ret_model, &e, &r), 0, "%s", e.message);
	return r;
}

Test(raw_file, samples_come_back_by_window)
{
	enum { WINDOWS = 8 };
	uint64_t last_ns = 0;
	struct store_reader *r;
	struct recorded rec;
	struct model *m;
	struct kept k;
	size_t seen = 0;

	record_raw(&rec, &k, WINDOWS);
	check_recording(&rec);
	r = open_file(&m);
	for (size_t i = 0; i < store_reader_sample_chunks(r); i++) {
		struct raw_sample_chunk chunk = store_sample_chunk(r, i);
		size_t window = store_sample_chunk_window(r, i);
		struct raw_sample_set set = {};
		struct error e = {};
		size_t at = window ? k.ends[window - 1] : 0;

		cr_assert_lt(window, WINDOWS);
		cr_assert(!chunk.data && last_ns <= chunk.first_ns);
		last_ns = chunk.first_ns;
		cr_assert_eq(store_read_samples(r, i, &set, &e), 0, "%s", e.message);
		cr_assert_eq(set.n, chunk.count);
		/* Waits are behind the others of their window. */
		while (at < k.ends[window] && k.samples[at].kind != chunk.kind)
			at++;
		cr_assert_leq(at + set.n, k.ends[window]);
		cr_assert_eq(memcmp(set.samples, k.samples + at, set.n * sizeof(*set.samples)), 0);
		seen += set.n;
		raw_sample_set_release(&set);
	}
	cr_assert_eq(seen, k.n);
	store_reader_free(r);
	model_free(m);
	release(&rec, &k);
}

Test(raw_file, parts_by_time_have_them)
{
	struct recorded rec;
	struct kept k;

	record_raw(&rec, &k, 4);
	for (int i = 0; i < 2 * SAMPLE_KINDS; i++) {
		const struct history_range range = {.samples = true,
						    .raw_samples = true,
						    .kind = i % 2,
						    .until_us = i < 2 ? 0 : 1001500};
		struct history_part part = {};
		struct model *m = NULL;
		struct error e = {};
		size_t n = 0, want = 0;

		cr_assert_eq(model_new(&m), 0);
		cr_assert_eq(history_load(file, &range, m, &e, &part), 0, "%s", e.message);
		for (size_t s = 0; s < part.n_sample_sets; s++) {
			const struct raw_sample *first = part.sample_sets[s].samples;

			n += part.sample_sets[s].n;
			/* At 99 Hz, as a_session() says. */
			if (range.kind == SAMPLE_CPU)
				cr_assert_eq(first->total_ns, first->count * (NSEC_PER_SEC / 99));
		}
		for (size_t s = 0; s < k.ends[i < 2 ? 3 : 1]; s++)
			want += k.samples[s].kind == range.kind;
		cr_assert_eq(n, want);
		history_part_release(&part);
		model_free(m);
	}
	release(&rec, &k);
}

struct each {
	const struct kept *k;
	size_t windows;
};

/* Ids are of another model; times, which all differ by chance, and the rest are as they were. */
static int check_window(void *arg, struct window *w)
{
	struct each *each = arg;
	size_t at = each->windows ? each->k->ends[each->windows - 1] : 0;

	cr_assert_eq(w->n_raw, each->k->ends[each->windows++] - at);
	if (w->n_raw)
		qsort(w->raw, w->n_raw, sizeof(*w->raw), raw_sample_compare);
	for (size_t i = 0; i < w->n_raw; i++) {
		const struct raw_sample *a = &w->raw[i], *b = &each->k->samples[at + i];

		cr_assert(a->time_ns + 5 == b->time_ns && a->kind == b->kind);
	}
	return 0;
}

Test(raw_file, windows_of_a_part_have_them)
{
	const struct history_range range = {};
	struct history_part info = {};
	struct each each = {};
	struct recorded rec;
	struct model *m = NULL;
	struct error e = {};
	struct kept k;

	record_raw(&rec, &k, 3);
	each.k = &k;
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(history_each_window(file, &range, m, check_window, &each, &e, &info), 0, "%s",
		     e.message);
	cr_assert_eq(each.windows, 3);
	history_part_release(&info);
	model_free(m);
	release(&rec, &k);
}

Test(raw_file, what_names_nothing_is_not_taken)
{
	struct store_batch *b = NULL;
	struct store_marks marks = {};
	struct raw_sample s = {.process = 1, .count = 1};
	struct model *m = NULL;
	struct window w = {};

	cr_assert_eq(model_new(&m), 0);
	model_process(m, 1, 1);
	s.stack = 1;
	cr_assert_eq(window_add_raw_samples(&w, &s, 1), 0);
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "no such stack");
	w.raw[0] = (struct raw_sample){.count = 1};
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "of no process");
	w.raw[0] = (struct raw_sample){.process = 1, .kind = SAMPLE_KINDS};
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "no such kind");
	w.raw[0] = (struct raw_sample){.process = 1};
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), 0);
	cr_assert_eq(w.n_raw, 0);
	store_batch_free(b);
	window_release(&w);
	model_free(m);
}

static void keep_good(char command[static 512])
{
	snprintf(command, 512, "cp %s %s.good", file, file);
	cr_assert_eq(system(command), 0);
	snprintf(command, 512, "cp %s.good %s", file, file);
}

Test(raw_file, rows_that_make_no_sense)
{
	static const char *const cases[] = {
		"window = 9", "window = 0",    "kind = 2",     "kind = -1",   "count = 1000000",
		"count = -1", "first_ns = -1", "last_ns = -1", "last_ns = 1", "last_ns = 1 << 63",
	};
	struct recorded rec;
	char command[512];
	struct kept k;

	record_raw(&rec, &k, 3);
	keep_good(command);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char sql[128];

		snprintf(sql, sizeof(sql), "UPDATE raw_sample_chunk SET %s", cases[i]);
		change(sql);
		check_error("BadFile", "table 'raw_sample_chunk' makes no sense", -EBADMSG);
		cr_assert_eq(system(command), 0);
	}
	release(&rec, &k);
}

Test(raw_file, chunks_of_nonsense)
{
	static const char *const cases[] = {
		"data = x''",
		"data = x'0102030405'",
		"data = randomblob(1000)",
		"data = zeroblob(9000000)",
		"count = count + 1",
		"first_ns = first_ns + 1",
		"last_ns = last_ns - 1",
	};
	struct recorded rec;
	char command[512];
	struct kept k;

	record_raw(&rec, &k, 2);
	change("DELETE FROM raw_sample_chunk WHERE count < 3");
	keep_good(command);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct raw_sample_set set = {};
		struct error e = {};
		struct store_reader *r;
		struct model *m;
		char sql[128];

		snprintf(sql, sizeof(sql), "UPDATE raw_sample_chunk SET %s", cases[i]);
		change(sql);
		r = open_file(&m);
		cr_assert_gt(store_reader_sample_chunks(r), 0);
		cr_assert_eq(store_read_samples(r, 0, &set, &e), -EBADMSG, "%s", cases[i]);
		cr_assert_str_eq(e.name, "BadFile");
		cr_assert_not_null(strstr(e.message, "its raw samples cannot be unpacked"));
		cr_assert_null(set.samples);
		store_reader_free(r);
		model_free(m);
		cr_assert_eq(system(command), 0);
	}
	release(&rec, &k);
}

/* Chunks that are whole, but name what is not there. */
Test(raw_file, samples_of_what_is_not_there)
{
	struct raw_sample_set set = {};
	struct error e = {};
	struct store_reader *r;
	struct recorded rec;
	struct model *m;
	struct kept k;

	record_raw(&rec, &k, 3);
	change("UPDATE raw_sample_chunk SET first_ns = 0, last_ns = 1 << 61;"
	       "DELETE FROM frame_line; DELETE FROM sample_chunk; DELETE FROM span_chunk;"
	       "DELETE FROM stack WHERE id > 1");
	r = open_file(&m);
	for (size_t i = 0; i < store_reader_sample_chunks(r); i++) {
		int code = store_read_samples(r, i, &set, &e);

		cr_assert(code == 0 || code == -EBADMSG);
		if (code < 0)
			break;
		raw_sample_set_release(&set);
	}
	cr_assert_str_eq(e.name, "BadFile", "none named a stack");
	store_reader_free(r);
	model_free(m);
	release(&rec, &k);
}
