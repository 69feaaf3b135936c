/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table raw_sample: of a recording that is made here, and which chunks are unpacked for it. */
#include "query_sql_help.h"

#include "store/store.h"

TestSuite(sql_raw, .init = sql_setup, .fini = sql_teardown);

enum { EACH = 100 };

/* Names of frames. */
static char *name_of(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	(void)arg, (void)file, (void)path;
	return strdup(offset == 0x10 ? "main" : "work");
}

/* EACH samples and as many waits of two threads, a millisecond apart, from start_ns on. */
static void fill(struct model *m, struct window *w, uint64_t start_ns)
{
	uint32_t process = model_process(m, 70, 5), comm = model_string(m, "app");
	uint32_t names[] = {model_string(m, "first"), model_string(m, "second")};
	uint32_t file = model_file(m, NULL, "/bin/app", 0), stack;

	model_process_get(m, process)->comm = comm;
	stack = model_stack(m, model_stack(m, 0, model_frame(m, file, 0x10)),
			    model_frame(m, file, 0x20));
	w->start_ns = start_ns;
	w->end_ns = start_ns + EACH * NSEC_PER_MSEC;
	for (uint32_t i = 0; i < 2 * EACH; i++)
		cr_assert_eq(
			window_add_raw_sample(
				w,
				&(struct raw_sample){.time_ns = start_ns + i / 2 * NSEC_PER_MSEC,
						     .ns = i % 2 * 300,
						     .total_ns = i % 2 * 900,
						     .process = process,
						     .tid = 71 + i / 2 % 2,
						     .thread = names[i / 2 % 2],
						     .stack = i / 2 == 7 ? 0 : stack,
						     .kind = i % 2,
						     .count = 1},
				true),
			0);
}

static void make(void)
{
	const struct store_names names = {.resolve = name_of};
	const struct store_session row = {
		.name = "s", .targets = "t", .frequency = 1000, .monotonic_to_epoch_ns = 1000000};
	struct store_writer *writer = NULL;
	struct store_marks marks = {};
	struct model *m = NULL;
	struct error e = {};

	unlink(sql_file);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_create(sql_file, &row, &e, &writer), 0, "%s", e.message);
	for (uint64_t i = 0; i < 2; i++) {
		struct store_batch *batch = NULL;
		struct window w = {};

		fill(m, &w, (1 + i) * NSEC_PER_SEC);
		cr_assert_eq(store_batch_new(m, &w, &marks, &batch), 0);
		cr_assert_eq(store_write(writer, batch, &names, &e), 0, "%s", e.message);
		store_batch_free(batch);
	}
	cr_assert_eq(store_close(writer, 1, &e, NULL), 0, "%s", e.message);
	model_free(m);
}

Test(sql_raw, columns_say_what_the_file_says)
{
	make();
	sql_expect("SELECT time_us, duration_ns, session, window, pid, tid, comm, thread, kind,"
		   " function, binary, count, total_ns FROM raw_sample"
		   " WHERE time_us BETWEEN 1002000 AND 1002999 OR time_us = 1008000"
		   " ORDER BY time_us, kind",
		   "1002000|-|1|1|70|72|app|second|cpu|work|app|1|1000000\n"
		   "1002000|300|1|1|70|72|app|second|offcpu|work|app|1|900\n"
		   "1008000|-|1|1|70|72|app|second|cpu|-|-|1|1000000\n"
		   "1008000|300|1|1|70|72|app|second|offcpu|-|-|1|900\n");
	sql_expect("SELECT DISTINCT stack_text(stack), process FROM raw_sample"
		   " WHERE stack NOTNULL",
		   "main;work|1\n");
	sql_expect("SELECT count(DISTINCT rowid) FROM raw_sample", "400\n");
}

/* Rows of the table sample are their sums. */
Test(sql_raw, sums_are_the_samples)
{
	make();
	for (int i = 0; i < 2; i++) {
		_cleanup_(strbuf_release) struct strbuf raw = {}, sums = {};
		struct error e = {};
		char text[256];

		snprintf(text, sizeof(text),
			 "SELECT window, process, thread, stack, kind, sum(count), sum(total_ns)"
			 " FROM %s GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
			 i ? "raw_sample WHERE kind = 'offcpu'" : "raw_sample");
		cr_assert_eq(sql_answer(text, NULL, &raw, &e, NULL), 0, "%s", e.message);
		snprintf(text, sizeof(text),
			 "SELECT window, process, thread, stack, kind, sum(count), sum(total_ns)"
			 " FROM sample %s GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
			 i ? "WHERE kind = 'offcpu'" : "");
		cr_assert_eq(sql_answer(text, NULL, &sums, &e, NULL), 0, "%s", e.message);
		cr_expect_str_eq(raw.data, sums.data);
	}
}

Test(sql_raw, only_what_is_needed_is_unpacked)
{
	static const struct {
		const char *where, *rows;
		uint64_t unpacked;
	} cases[] = {
		{"1", "400\n", 4},
		{"kind = 'cpu'", "200\n", 2},
		{"kind = 'CPU'", "0\n", 0},
		{"kind = 'CPU' COLLATE NOCASE", "200\n", 4},
		{"kind IS NULL", "0\n", 4},
		{"kind = 'cpu' AND kind = 'offcpu'", "0\n", 0},
		{"window = 2", "200\n", 2},
		{"window = 2 AND kind = 'offcpu'", "100\n", 1},
		{"session = 2", "0\n", 0},
		{"time_us < 1500000", "200\n", 2},
		{"time_us >= 2050000.5 AND kind = 'cpu'", "50\n", 1},
		{"time_us > NULL", "0\n", 0},
		{"tid = 71", "200\n", 4},
	};

	make();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), "SELECT count(*) FROM raw_sample WHERE %s",
			 cases[i].where);
		cr_expect_eq(sql_expect(text, cases[i].rows), cases[i].unpacked, "%s", text);
	}
}

Test(sql_raw, what_is_damaged_is_no_answer)
{
	make();
	sql_change("UPDATE raw_sample_chunk SET data = randomblob(500) WHERE id = 2");
	sql_expect_error("SELECT count(*) FROM raw_sample", NULL, "BadFile", "damaged");
	sql_expect("SELECT count(*) FROM raw_sample WHERE window = 2", "200\n");
	make();
	sql_change("UPDATE raw_sample_chunk SET kind = 7 WHERE id = 1");
	sql_expect_error("SELECT count(*) FROM raw_sample", NULL, "BadFile", "damaged");
	make();
	/* Names that are not there are NULL. */
	sql_change("DELETE FROM process; DELETE FROM stack; DELETE FROM string");
	sql_expect("SELECT count(*), count(comm), count(thread), count(function) FROM raw_sample",
		   "400|0|0|0\n");
	sql_expect_error("SELECT * FROM raw_sample_chunk", NULL, "BadQuery", "no table");
	sql_expect_error("SELECT * FROM sonde_raw_sample", NULL, "BadQuery", "no");
}

Test(sql_raw, older_files_have_none)
{
	for (int format = 1; format <= 4; format++) {
		sql_make(format);
		sql_expect("SELECT count(*) FROM raw_sample", "0\n");
	}
}

Test(sql_raw, processes_are_chosen)
{
	uint32_t pid = 70;
	struct selectors chosen = {.n_pids = 1, .pids = &pid}, nobody = {.comm = "nobody"};
	struct error e = {};

	make();
	for (int i = 0; i < 2; i++) {
		const struct sql_options options = {.selectors = i ? &nobody : &chosen};
		_cleanup_(strbuf_release) struct strbuf out = {};

		cr_assert_eq(
			sql_answer("SELECT count(*) FROM raw_sample", &options, &out, &e, NULL), 0,
			"%s", e.message);
		cr_expect_str_eq(out.data, i ? "0\n" : "400\n");
	}
}
