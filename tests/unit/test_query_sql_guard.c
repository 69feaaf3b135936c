/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SQL refuses: everything but one SELECT of what is documented, whatever file it is asked of.
 */
#include "query_sql_help.h"

TestSuite(sql_guard, .init = sql_setup, .fini = sql_teardown, .timeout = 60);

Test(sql_guard, nothing_but_reading)
{
	static const char *const cases[][2] = {
		{"INSERT INTO sample VALUES (1)", "no INSERT"},
		{"INSERT INTO main.string VALUES (1, 'x')", "no INSERT"},
		{"INSERT INTO raw_span(time_us) VALUES (1)", ""},
		{"DELETE FROM process", "cannot modify process"},
		{"DELETE FROM main.process", "no DELETE"},
		{"UPDATE main.process SET pid = 1", "no UPDATE"},
		{"REPLACE INTO main.string VALUES (1, 'x')", "no INSERT"},
		{"CREATE TABLE x(a)", "no CREATE"},
		{"CREATE TEMP TABLE x(a)", "no CREATE"},
		{"CREATE TEMP VIEW x AS SELECT 1", "no CREATE"},
		{"CREATE VIRTUAL TABLE temp.x USING sonde_raw_span", "no CREATE"},
		{"CREATE INDEX main.x ON sample(pid)", "no CREATE"},
		{"DROP TABLE main.sample", "no CREATE, no DROP"},
		{"DROP VIEW sample", "no CREATE, no DROP"},
		{"ALTER TABLE main.sample RENAME TO x", "no ALTER"},
		{"ATTACH '/tmp/x' AS x", "no ATTACH"},
		{"DETACH main", "no DETACH"},
		{"PRAGMA user_version", "no PRAGMA"},
		{"PRAGMA query_only = OFF", "no PRAGMA"},
		{"PRAGMA hard_heap_limit = 1", "no PRAGMA"},
		{"VACUUM", ""},
		{"VACUUM INTO '/tmp/x'", ""},
		{"ANALYZE", ""},
		{"REINDEX", ""},
		{"BEGIN", "no BEGIN"},
		{"COMMIT", "no BEGIN"},
		{"SAVEPOINT x", "no SAVEPOINT"},
		{"EXPLAIN SELECT 1", "not a SELECT"},
		{"EXPLAIN QUERY PLAN SELECT * FROM sample", "not a SELECT"},
		{"SELECT 1; SELECT 2", "more than one statement"},
		{"SELECT 1; PRAGMA query_only = OFF", "more than one statement"},
		{"", "no query"},
		{" -- nothing", "no query"},
	};

	sql_make(3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		sql_expect_error(cases[i][0], NULL, "BadQuery", cases[i][1]);
	sql_expect("SELECT 1; -- and a remark", "1\n");
	sql_expect("VALUES (1, 2), (3, 4)", "1|2\n3|4\n");
}

Test(sql_guard, only_the_documented_tables)
{
	static const char *const cases[] = {
		"SELECT * FROM string",
		"SELECT value FROM main.string",
		"SELECT * FROM main.sample",
		"SELECT pid FROM main.process",
		"SELECT data FROM span_chunk",
		"SELECT (SELECT value FROM string LIMIT 1)",
		"SELECT * FROM span WHERE comm IN (SELECT value FROM string)",
		"SELECT * FROM (SELECT * FROM main.sample) AS sample",
		/* The authorizer is told the name of the subquery as if it were a view's. */
		"WITH sample AS (SELECT * FROM main.sample) SELECT * FROM sample",
		"WITH process AS (SELECT cmdline FROM main.process) SELECT * FROM process",
		"SELECT * FROM sqlite_schema",
		"SELECT sql FROM main.sqlite_master",
		"SELECT sql FROM temp.sqlite_schema",
		"SELECT sql FROM sqlite_temp_master",
		"SELECT count(*) FROM sqlite_schema",
		"SELECT count(*) FROM sqlite_temp_schema",
		"SELECT * FROM pragma_table_list",
		"SELECT * FROM pragma_database_list",
		"SELECT count(*) FROM pragma_function_list",
		"SELECT * FROM dbstat",
		"SELECT * FROM sqlite_stmt",
		"SELECT * FROM sonde_raw_span",
	};

	sql_make(3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		sql_expect_error(cases[i], NULL, "BadQuery", "");
	sql_expect_error("SELECT * FROM string", NULL, "BadQuery",
			 "main.string is no table that can be asked");
	sql_expect("WITH sample AS (SELECT 7 AS n) SELECT n FROM sample", "7\n");
	sql_expect("SELECT count(*) FROM temp.sample s JOIN sample USING (stack) WHERE s.count > 0",
		   "32\n");
	sql_expect("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 3)"
		   " SELECT group_concat(n) FROM t",
		   "1,2,3\n");
	sql_expect("SELECT sum(value) FROM json_each('[1,2]')", "3\n");
}

Test(sql_guard, only_functions_without_effects)
{
	static const char *const refused[] = {
		"load_extension('x')",	 "fts3_tokenizer('simple')", "sqlite_version()",
		"last_insert_rowid()",	 "randomblob(1000000)",	     "sqlite_compileoption_get(0)",
		"rtreecheck('main','x')"};

	sql_make(3);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		char text[128];

		snprintf(text, sizeof(text), "SELECT %s", refused[i]);
		sql_expect_error(text, NULL, "BadQuery", "");
	}
	sql_expect_error("SELECT load_extension('x')", NULL, "BadQuery",
			 "column 8: the function load_extension may not be used");
	sql_expect_error("SELECT writefile('/tmp/x', 'y')", NULL, "BadQuery", "no such function");
	sql_expect("SELECT upper('a') || round(1.25, 1), sqrt(4), '{\"a\":[1,2]}' ->> '$.a[1]',"
		   " max(1, 2), coalesce(NULL, 3)",
		   "A1.3|2|2|2|3\n");
	sql_expect_error("SELECT quantile(histogram, 1.5) FROM span", NULL, "BadQuery",
			 "a share from 0 to 1");
	sql_expect_error("SELECT histogram_quantile('x', 0.5)", NULL, "BadQuery",
			 "must be a histogram");
	sql_expect_error("SELECT histogram_quantile(char(1), 0.5), histogram_quantile(x'ff', 0.5)",
			 NULL, "BadQuery", "must be a histogram");
	sql_expect("SELECT quantile(NULL, 0.5), histogram_quantile(NULL, 0), stack_text(0),"
		   " stack_text('x'), stack_text(-1), stack_depth(1e9), base_name('/a/b')",
		   "-|-|-|-|-|-|b\n");
}

Test(sql_guard, errors_name_the_place)
{
	_cleanup_(freep) char *text = malloc(SQL_MAX_TEXT + 2);

	sql_make(1);
	sql_expect_error("SELECT foo FROM span", NULL, "BadQuery", "column 8: no such column: foo");
	sql_expect_error("SELECT calls\nFROM span\nWHERE bar > 1", NULL, "BadQuery",
			 "line 3, column 7: no such column: bar");
	sql_expect_error("SELECT * FROM spans", NULL, "BadQuery", "no such table: spans");
	sql_expect_error("SELECT \"text\"", NULL, "BadQuery", "no such column: text");
	sql_expect_error("SELEC 1", NULL, "BadQuery", "column 1: near \"SELEC\": syntax error");
	sql_expect_error("SELECT json('{')", NULL, "BadQuery", "malformed JSON");
	sql_expect_error("SELECT replace(printf('%1000000d', 1), ' ', '  ')", NULL, "TooMany",
			 "too long");
	memset(text, ' ', SQL_MAX_TEXT + 1);
	text[SQL_MAX_TEXT + 1] = '\0';
	sql_expect_error(text, NULL, "BadQuery", "longer than 64 KiB");
}

/* Things of the names that queries use, made by somebody else. */
Test(sql_guard, what_a_file_brings_along_is_not_used)
{
	sql_make(3);
	sql_change("CREATE TABLE raw_span(time_us INTEGER); INSERT INTO raw_span VALUES(1), (2);"
		   "CREATE TABLE json_each(value); INSERT INTO json_each VALUES(7);"
		   "CREATE TABLE other(value); INSERT INTO other VALUES('x');"
		   "CREATE VIEW span AS SELECT value FROM other;"
		   "CREATE INDEX i ON string(abs(id));"
		   "CREATE TRIGGER t AFTER INSERT ON string BEGIN DELETE FROM string; END;");
	sql_expect("SELECT count(*) FROM raw_span", "680\n");
	sql_expect("SELECT sum(calls) FROM span", "680\n");
	sql_expect_error("SELECT * FROM main.span", NULL, "BadQuery", "");
	sql_expect_error("SELECT time_us FROM main.raw_span", NULL, "BadQuery", "");
	sql_expect_error("SELECT value FROM json_each", NULL, "BadQuery", "");
	sql_expect_error("SELECT value FROM json_each('[1]')", NULL, "BadQuery", "");
	sql_expect_error("SELECT value FROM other", NULL, "BadQuery", "");
}

Test(sql_guard, damaged_rows_are_said_or_have_no_name)
{
	sql_make(3);
	/* Stacks in circles, names that are not there, a chunk and a histogram of nothing. */
	sql_change("UPDATE stack SET parent = 3 WHERE id = 1; UPDATE stack SET parent = id WHERE"
		   " id = 2; DELETE FROM string WHERE value = 'nap'; DELETE FROM session;"
		   "UPDATE span_stat SET histogram = x'ffff' WHERE rowid = 2;"
		   "UPDATE span_stat SET path = 99 WHERE rowid = 3;"
		   "UPDATE frame SET function = 999999 WHERE id = 11");
	sql_expect("SELECT stack_depth(2), length(stack_text(2)) < 1048576 FROM stack WHERE id = 2",
		   "4096|1\n");
	sql_expect("SELECT max(time_us), count(*), max(kind) FROM sample", "-|24|offcpu\n");
	sql_expect("SELECT function FROM frame WHERE id = 11", "[shop+0x11eb]\n");
	sql_expect_error("SELECT quantile(histogram, 0.5) FROM span", NULL, "BadQuery",
			 "must be a histogram");
	sql_expect("SELECT count(*) FROM span WHERE function IS NULL", "1\n");
	sql_expect("SELECT count(*), max(session) FROM raw_span", "680|1\n");
	sql_change("UPDATE span_chunk SET data = substr(data, 1, 100) WHERE id = 2");
	sql_expect("SELECT count(*) FROM raw_span WHERE window = 1", "666\n");
	sql_expect_error("SELECT count(*) FROM raw_span", NULL, "BadFile", "damaged");
}

Test(sql_guard, files_that_are_no_recordings)
{
	struct sql *q = NULL;
	struct error e = {};

	cr_expect_eq(sql_open("/nonexistent", NULL, &e, &q), -ENOENT);
	cr_expect_str_eq(e.name, "NoSuchFile");
	sql_change("CREATE TABLE session(id)");
	e = (struct error){};
	cr_expect_lt(sql_open(sql_file, NULL, &e, &q), 0);
	cr_expect_str_eq(e.name, "BadFile", "%s", e.message);
	sql_make(3);
	sql_change("PRAGMA user_version = 2");
	e = (struct error){};
	cr_expect_lt(sql_open(sql_file, NULL, &e, &q), 0);
	cr_expect(strstr(e.message, "not as sonde makes it"), "%s", e.message);
	cr_expect_null(q);
}
