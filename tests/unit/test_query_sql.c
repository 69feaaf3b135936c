/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SQL answers: of kept recordings of every format, and which chunks it unpacks for that. */
#include "query_sql_help.h"

TestSuite(sql, .init = sql_setup, .fini = sql_teardown, .timeout = 60);

static const char *const all_tables[] = {"event",  "frame",   "loss", "process", "raw_span",
					 "sample", "session", "span", "stack",	 "window"};

Test(sql, all_tables_of_all_formats_can_be_read)
{
	for (int format = 1; format <= 4; format++) {
		sql_make(format);
		for (size_t i = 0; i < ARRAY_SIZE(all_tables); i++) {
			_cleanup_(strbuf_release) struct strbuf out = {};
			struct error e = {};
			char text[64];

			snprintf(text, sizeof(text), "SELECT * FROM %s", all_tables[i]);
			cr_expect_eq(sql_answer(text, NULL, &out, &e, NULL), 0, "%s: %s", text,
				     e.message);
			cr_expect(out.len || (format == 1 && streq(all_tables[i], "event")), "%s",
				  text);
		}
	}
}

/* With a process chosen a table is what it is with a condition on the process, in all formats. */
Test(sql, processes_are_chosen)
{
	static const char *const of_processes[] = {"event", "process", "raw_span", "sample",
						   "span"};
	size_t rows = 0;

	for (int format = 1; format <= 4; format++) {
		_cleanup_(strbuf_release) struct strbuf first = {};
		struct selectors chosen = {.n_pids = 1}, nobody = {.comm = "nobody"};
		struct error e = {};
		uint32_t pid;

		sql_make(format);
		sql_answer("SELECT pid FROM span LIMIT 1", NULL, &first, &e, NULL);
		pid = (uint32_t)strtoul(first.data, NULL, 10);
		chosen.pids = &pid;
		for (size_t i = 0; i < ARRAY_SIZE(of_processes); i++) {
			const struct sql_options options = {.selectors = &chosen},
						 none = {.selectors = &nobody};
			_cleanup_(strbuf_release) struct strbuf got = {}, want = {}, empty = {};
			char all[64], where[96];

			snprintf(all, sizeof(all), "SELECT * FROM %s", of_processes[i]);
			snprintf(where, sizeof(where), "%s WHERE pid = %u", all, pid);
			cr_expect_eq(sql_answer(all, &options, &got, &e, NULL), 0, "%s", e.message);
			cr_expect_eq(sql_answer(where, NULL, &want, &e, NULL), 0, "%s", e.message);
			cr_expect_str_eq(got.data ? got.data : "", want.data ? want.data : "");
			cr_expect_eq(sql_answer(all, &none, &empty, &e, NULL), 0, "%s", e.message);
			cr_expect_eq(empty.len, 0, "%s: %s", all, empty.data);
			rows += got.len > 0;
		}
	}
	cr_expect_geq(rows, 11, "%zu", rows);
	{
		const struct selectors chosen = {.comm = "*"};
		const struct sql_options options = {.selectors = &chosen};

		sql_expect_error("SELECT process_is_wanted(1)", &options, "BadQuery", "function");
	}
}

Test(sql, format_1)
{
	sql_make(1);
	sql_expect("SELECT name, targets, specs, frequency, started_us, ended_us, args, off_cpu,"
		   " where_text FROM session",
		   "api|pid 4711|open_* look_up|99|1700000000000000|1700000001000000|1|0|-\n");
	sql_expect("SELECT * FROM window", "1|1|1700000001000000|1700000002000000|7|0|41|0\n");
	sql_expect("SELECT function, caller, calls, errors, unwound, min_ns, max_ns, p50_ns, p99_ns"
		   " FROM span ORDER BY path",
		   "open_table|-|20|0|0|2000|40000|20223|40000\n"
		   "look_up|open_table|20|4|0|1000|20000|10111|20000\n"
		   "look_up|-|1|0|1|5000000|5000000|5000000|5000000\n");
	sql_expect("SELECT kind, comm, thread, pid, function, binary, count, total_ns,"
		   " stack_text(stack) FROM sample",
		   "cpu|app|worker|4711|app+4352|app|7|70707070|app+4096;app+4352\n");
	sql_expect("SELECT pid, ns_pid, container, comm, cgroup, start_us, exit_us, exit_status"
		   " FROM process",
		   "4711|-|-|app|/system.slice/app.service|1700000005000000|-|-\n");
	sql_expect("SELECT kind, count FROM loss", "stack|3\n");
	sql_expect("SELECT count(*), sum(error), sum(unwound), min(time_us), max(duration_ns),"
		   " sum(arg1) FILTER (WHERE function = 'look_up'), sum(ret = -2), count(ret)"
		   " FROM raw_span",
		   "41|4|1|1700000001100000|5000000|190|4|40\n");
}

Test(sql, format_2)
{
	sql_make(2);
	sql_expect("SELECT function, sum(calls), quantile(histogram, 0.5), quantile(histogram, 1)"
		   " FROM span GROUP BY function",
		   "hot_a|544|1097727|1687551\nhot_b|272|1097727|1622015\n"
		   "hot_c|94|1023999|1622015\n");
	sql_expect("SELECT function, count(*) FROM raw_span GROUP BY 1",
		   "hot_a|544\nhot_b|272\nhot_c|94\n");
	sql_expect("SELECT sum(count), sum(total_ns) FROM sample", "19|999999995\n");
	sql_expect("SELECT comm, kind, detail FROM event ORDER BY time_us",
		   "wl_hot|exec|0\nwl_hot|exit|0\n");
	/* Sonde 0.1.0 wrote 0 as the start of the second window. */
	sql_expect("SELECT id, start_us >= 1796039153178972, end_us > start_us FROM window",
		   "1|1|1\n2|1|1\n");
}

Test(sql, format_3)
{
	sql_make(3);
	sql_expect("SELECT function, sum(calls), sum(errors), sum(unwound) FROM span"
		   " GROUP BY function",
		   "burn|10|0|0\nescape|15|0|15\ngate|25|0|0\nhandle|100|10|0\nlookup|120|0|0\n"
		   "nap|10|0|0\nopen_table|400|200|0\n");
	sql_expect("SELECT kind, sum(count), sum(total_ns), count(DISTINCT stack) > 1 FROM sample"
		   " GROUP BY kind",
		   "cpu|19|191919190|1\noffcpu|52|688183634|1\n");
	sql_expect("SELECT comm, exe, exit_status, exit_us > start_us FROM process",
		   "shop|/opt/shop/shop|0|1\n");
	sql_expect("SELECT count(*), sum(stack_text(stack) LIKE '%main;call_the_rest'),"
		   " min(duration_ns) > 30000000 FROM raw_span WHERE stack IS NOT NULL",
		   "10|10|1\n");
	sql_expect("SELECT s.off_cpu, w.n, w.s FROM session s, (SELECT count(*) AS n, sum(waits)"
		   " AS s FROM window) w",
		   "1|2|52\n");
	sql_expect("SELECT function, depth, function = (SELECT f.function FROM frame f"
		   " WHERE f.id = frame) FROM stack WHERE parent IS NULL AND id = 1",
		   "intel_check_word.constprop.0|1|1\n");
	/* What frames have of the source, and what is inlined into them. */
	sql_change(
		"INSERT INTO symbol VALUES(9001, 'parse'), (9002, 'peek'), (9003, '/src/a.c');"
		"INSERT INTO frame_line SELECT 11, 0, function, 9003, 12 FROM frame WHERE id = 11;"
		"INSERT INTO frame_line VALUES(11, 2, 9002, 9003, 14), (11, 1, 9001, 9003, 13);"
		"UPDATE process SET ns_pid = 3, exit_status = 139,"
		" container = (SELECT id FROM string WHERE value = 'shop')");
	sql_expect("SELECT function, line, source FROM frame WHERE id = 11", "main|12|/src/a.c\n");
	sql_expect("SELECT substr(stack_text(id), -16) FROM stack WHERE frame = 11 LIMIT 1",
		   ";main;parse;peek\n");
	sql_expect("SELECT ns_pid, container, exit_status FROM process", "3|shop|139\n");
}

/* The two chunks of format 3 are of two windows; only the first one has calls of open_table. */
Test(sql, only_chunks_that_may_have_what_is_asked_are_unpacked)
{
	static const struct {
		const char *where, *rows;
		uint64_t unpacked;
	} cases[] = {
		{"1", "680\n", 2},
		{"function = 'open_table'", "400\n", 1},
		{"function GLOB 'open_*'", "400\n", 1},
		{"function LIKE 'OPEN%'", "400\n", 1},
		{"function LIKE 'open!_%' ESCAPE '!'", "400\n", 2},
		{"function = 'OPEN_TABLE' COLLATE NOCASE", "400\n", 2},
		{"function = 'burn'", "10\n", 2},
		{"function = 'burn' AND function GLOB 'op*'", "0\n", 0},
		{"function = 'none'", "0\n", 0},
		{"function = NULL", "0\n", 0},
		{"function = 7", "0\n", 0},
		{"time_us > 1796041450654029", "10\n", 1},
		{"time_us > '1796041450654029'", "10\n", 1},
		{"time_us > 1796041450654028.5", "10\n", 1},
		{"time_us < 1796041450535989", "666\n", 1},
		{"time_us < 1796041450282364", "0\n", 0},
		{"time_us >= 1796041449000000 AND time_us <= 1796041500000000", "680\n", 2},
		{"time_us < 5", "0\n", 0},
		{"time_us > 1e300", "0\n", 0},
		{"time_us < 1e300", "680\n", 2},
		{"time_us > 'x'", "0\n", 2},
		{"session = 1", "680\n", 2},
		{"session = 2", "0\n", 0},
		{"session = 1 AND session = 2", "0\n", 0},
		{"window = 1", "666\n", 1},
		{"window IN (1, 2)", "680\n", 2},
		{"window = 2 AND function IN ('nap', 'burn')", "14\n", 2},
	};

	sql_make(3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {}, all = {};
		struct error e = {};
		char text[256];
		uint64_t n;

		snprintf(text, sizeof(text), "SELECT count(*) FROM raw_span WHERE %s",
			 cases[i].where);
		cr_expect_eq(sql_answer(text, NULL, &out, &e, &n), 0, "%s: %s", text, e.message);
		cr_expect_eq(n, cases[i].unpacked, "%s: %llu chunks", text, (unsigned long long)n);
		if (cases[i].rows)
			cr_expect_str_eq(out.data, cases[i].rows, "%s: %s", text, out.data);
		/* The same without any help: a column that is an expression has no constraints. */
		snprintf(text, sizeof(text),
			 "SELECT count(*) FROM (SELECT time_us + 0 AS time_us, session + 0 AS"
			 " session, window + 0 AS window, function || '' AS function FROM raw_span)"
			 " WHERE %s",
			 cases[i].where);
		cr_expect_eq(sql_answer(text, NULL, &all, &e, NULL), 0, "%s: %s", text, e.message);
		/* An expression has no affinity: texts are no numbers there. */
		if (!strstr(cases[i].where, "time_us > '"))
			cr_expect_str_eq(out.data, all.data, "%s", text);
	}
}

static void add_indexes(void)
{
	sql_change("CREATE INDEX sample_window ON sample(window);"
		   "CREATE INDEX span_stat_window ON span_stat(window);"
		   "CREATE INDEX loss_window ON loss(window);");
}

/* Views of files with indexes are other ones, and look-ups of windows, too; answers are not. */
Test(sql, indexes_change_no_answer)
{
	static const char *const queries[] = {
		"SELECT * FROM window ORDER BY id",
		"SELECT * FROM sample ORDER BY window, stack, kind, count, total_ns",
		"SELECT * FROM span ORDER BY window, path",
		"SELECT * FROM loss ORDER BY window, kind",
		"SELECT w.id, sum(s.count) FROM window w JOIN sample s ON s.window = w.id"
		" WHERE s.time_us >= 1796041450000000 GROUP BY w.id",
		"SELECT count(*) FROM raw_span WHERE function LIKE 'n%'",
	};
	_cleanup_(strbuf_release) struct strbuf with = {};
	struct strbuf without[ARRAY_SIZE(queries)] = {};
	struct error e = {};

	sql_make(3);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		cr_assert_eq(sql_answer(queries[i], NULL, &without[i], &e, NULL), 0, "%s",
			     e.message);
	add_indexes();
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		strbuf_reset(&with);
		cr_assert_eq(sql_answer(queries[i], NULL, &with, &e, NULL), 0, "%s", e.message);
		cr_expect_str_eq(with.data, without[i].data, "%s", queries[i]);
		strbuf_release(&without[i]);
	}
	cr_expect_eq(sql_expect("SELECT count(*) FROM raw_span WHERE function = 'escape'", "15\n"),
		     1);
	cr_expect_eq(sql_expect("SELECT count(*) FROM raw_span WHERE function = 'none'", "0\n"), 0);
	sql_change("DELETE FROM span_stat WHERE window = 1");
	cr_expect_eq(sql_expect("SELECT count(*) FROM raw_span WHERE function = 'escape'", "15\n"),
		     1);
}

/* As the rolling store has them: several runs of the daemon, ids with holes. */
Test(sql, several_sessions_and_ids_that_are_not_dense)
{
	sql_make(3);
	sql_change(
		"UPDATE session SET id = 41; UPDATE session_spec SET session = 41;"
		"UPDATE window SET id = id * 100, session = 41; UPDATE event SET session = 41;"
		"UPDATE process SET session = 41;"
		"UPDATE sample SET window = window * 100; UPDATE loss SET window = window * 100;"
		"UPDATE span_stat SET window = window * 100;"
		"UPDATE span_chunk SET window = window * 100, id = id * 1000;"
		/* Another run, a day later, on a machine that was booted anew. */
		"INSERT INTO session SELECT 70, 'later', targets, 10, started_us + 86400000000,"
		" 0, 0, monotonic_to_epoch_ns + 86400000000000, NULL, NULL FROM session;"
		"INSERT INTO window SELECT 7000, 70, start_ns, end_ns FROM window WHERE id = 100;"
		"INSERT INTO process SELECT 900, 70, 77, ppid, uid, 0, 0, 0, start_ns, 0, 0, comm,"
		" exe, cmdline, cgroup, container FROM process;"
		"INSERT INTO sample SELECT 7000, 900, thread, kind, stack, 5, total_ns FROM"
		" sample WHERE kind = 0 LIMIT 1;"
		"INSERT INTO span_chunk SELECT 8000, 7000, first_ns, last_ns, count, data FROM"
		" span_chunk WHERE id = 1000");
	sql_expect("SELECT id, name, ended_us IS NULL FROM session", "41|record-1|0\n70|later|1\n");
	sql_expect("SELECT session, id, samples, waits, spans FROM window ORDER BY id",
		   "41|100|6|12|666\n41|200|13|40|14\n70|7000|5|0|0\n");
	sql_expect("SELECT session, count(*), max(time_us) - min(time_us) < 2000000 FROM raw_span"
		   " GROUP BY session",
		   "41|680|1\n70|666|1\n");
	/* The copy has no statistics: then nothing is known of its functions. */
	cr_expect_eq(sql_expect("SELECT session, count(*) FROM raw_span"
				" WHERE function = 'open_table' GROUP BY session",
				"41|400\n70|400\n"),
		     2);
	cr_expect_eq(sql_expect("SELECT count(*) FROM raw_span WHERE session = 70", "666\n"), 1);
	sql_expect("SELECT b.start_us - a.start_us FROM process a, process b WHERE a.pid <> 77 AND"
		   " b.pid = 77",
		   "86400000000\n");
	sql_expect("SELECT session, total_ns FROM sample WHERE pid = 77", "70|500000000\n");
}

static void *open_signature(const char *text)
{
	return strdup(text);
}

static void close_signature(void *signature)
{
	free(signature);
}

static void write_args(void *signature, const struct raw_span *span, const struct span_more *more,
		       struct strbuf *out)
{
	strbuf_printf(out, "{\"n\":\"%llu\",\"known\":%d,\"depth\":%d}",
		      (unsigned long long)more->args[1], signature != NULL, span->depth);
}

static void write_result(void *signature, const struct raw_span *span, const struct span_more *more,
			 struct strbuf *out)
{
	(void)more;
	strbuf_printf(out, "%.1s %d", (char *)signature, (int)span->ret);
}

Test(sql, arguments_are_written_by_who_knows_signatures)
{
	const struct sql_options options = {
		.texts = {open_signature, close_signature, write_args, write_result}};
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error e = {};

	sql_make(3);
	sql_change("UPDATE probe SET signature = 0 WHERE name = (SELECT id FROM string WHERE"
		   " value = 'nap')");
	cr_assert_eq(sql_answer("SELECT function, args ->> 'n', args ->> 'known', result FROM"
				" raw_span WHERE function IN ('open_table', 'nap') AND arg1 <> 1"
				" GROUP BY function ORDER BY time_us",
				&options, &out, &e, NULL),
		     0, "%s", e.message);
	cr_expect(strstr(out.data, "open_table|3|1|1 -2\n") && strstr(out.data, "nap|") &&
			  strstr(out.data, "|0|-\n"),
		  "%s", out.data);
}

static bool always(void *arg)
{
	(*(int *)arg)++;
	return true;
}

Test(sql, limits)
{
	static const char endless[] = "WITH RECURSIVE t(n, s) AS (SELECT 1, '' UNION ALL SELECT"
				      " n + 1, printf('%1000d', n) FROM t) ";
	_cleanup_(strbuf_release) struct strbuf text = {}, out = {};
	struct error e = {};
	int asked = 0;

	sql_make(3);
	strbuf_printf(&text, "%sSELECT count(*) FROM t", endless);
	sql_expect_error(text.data, &(struct sql_options){.timeout_ms = 20}, "TooMany",
			 "ended after 0.02 s");
	sql_expect_error("SELECT count(*) FROM raw_span a, raw_span b, raw_span c",
			 &(struct sql_options){.timeout_ms = 20}, "TooMany", "ended after 0.02 s");
	sql_expect_error(text.data, &(struct sql_options){.cancelled = always, .arg = &asked},
			 "Internal", "nobody waits");
	cr_expect_eq(asked, 1);
	strbuf_reset(&text);
	strbuf_printf(&text, "%sSELECT * FROM t ORDER BY s", endless);
	sql_expect_error(text.data, &(struct sql_options){.memory = 16 << 20}, "TooMany",
			 "more than 16 MiB");
	strbuf_reset(&text);
	strbuf_printf(&text, "%sSELECT n FROM t", endless);
	cr_expect_eq(sql_answer(text.data, &(struct sql_options){.rows = 3}, &out, &e, NULL),
		     SQL_CUT_ROWS, "%s", e.message);
	cr_expect_str_eq(out.data, "1\n2\n3\n");
	strbuf_reset(&text);
	strbuf_printf(&text, "%sSELECT s FROM t", endless);
	cr_expect_eq(sql_answer(text.data, &(struct sql_options){.bytes = 10000}, &out, &e, NULL),
		     SQL_CUT_BYTES, "%s", e.message);
	cr_expect(out.len > 8000 && out.len < 11000, "%zu", out.len);
	/* As many rows as there may be is not one too many. */
	cr_expect_eq(sql_answer("SELECT 1 UNION SELECT 2", &(struct sql_options){.rows = 2}, &out,
				&e, NULL),
		     SQL_WHOLE);
}
