/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

#include <sys/stat.h>

#include "store/sample_chunk.h"

TestSuite(bad_file, .init = make_dir, .fini = remove_dir);

Test(bad_file, files_that_are_no_recordings)
{
	FILE *f;

	check_error("NoSuchFile", "there is no file", -ENOENT);
	f = fopen(file, "w");
	check_error("BadFile", "is empty", -EBADMSG);
	for (int i = 0; i < 1000; i++)
		fputs("not a database\n", f);
	fclose(f);
	check_error("BadFile", "is not a sonde recording", -EBADMSG);
	cr_assert_eq(unlink(file), 0);
	cr_assert_eq(mkdir(file, 0700), 0);
	check_error("BadFile", "not a regular file", -EBADMSG);
	cr_assert_eq(rmdir(file), 0);
	cr_assert_eq(mkfifo(file, 0600), 0);
	check_error("BadFile", "not a regular file", -EBADMSG);
	cr_assert_eq(unlink(file), 0);
	change("CREATE TABLE string(id, value); INSERT INTO string VALUES(1, 'x')");
	check_error("BadFile", "is an SQLite database, but not a sonde recording", -EBADMSG);
}

Test(bad_file, versions_and_schemas)
{
	struct recorded rec;

	record(&rec, 1);
	change("PRAGMA user_version = 6");
	check_error("BadFile", "newer sonde", -EBADMSG);
	change("PRAGMA user_version = 0");
	check_error("BadFile", "no format version", -EBADMSG);
	change("PRAGMA user_version = 5");
	/* What somebody has added is passed over. */
	change("CREATE VIEW extra AS SELECT * FROM string; CREATE INDEX i ON stack(frame);"
	       "CREATE TABLE more(x)");
	check_recording(&rec);
	change("DROP VIEW extra; ALTER TABLE loss RENAME TO gone;"
	       "CREATE VIEW loss AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
	       " SELECT x AS rowid, x AS window, x AS kind, x AS count FROM n");
	check_error("BadFile", "'loss' is missing", -EBADMSG);
	end(&rec);
}

Test(bad_file, rows_that_make_no_sense)
{
	static const struct {
		const char *table, *sql;
	} cases[] = {
		{"stack", "UPDATE stack SET parent = id WHERE id = 2"},
		{"stack", "UPDATE stack SET parent = 3 WHERE id = 2"},
		{"stack", "UPDATE stack SET frame = 100000 WHERE id = 2"},
		{"stack", "UPDATE stack SET frame = 0 WHERE id = 2"},
		{"stack", "UPDATE stack SET id = 0 WHERE id = 1"},
		{"path", "UPDATE path SET parent = id WHERE id = 3"},
		{"path", "UPDATE path SET parent = -1 WHERE id = 3"},
		{"path", "UPDATE path SET probe = 5000000000 WHERE id = 3"},
		{"string", "DELETE FROM string WHERE id = 2"},
		{"string", "UPDATE string SET value = '[kernel]' WHERE id = 2"},
		{"string", "UPDATE string SET value = 'a' || char(0) || 'b' WHERE id = 2"},
		{"file", "UPDATE file SET path = 99999 WHERE id = 2"},
		{"file", "UPDATE file SET build_id = x'01' WHERE id = 2"},
		{"process", "UPDATE process SET pid = -1 WHERE id = 1"},
		{"process", "UPDATE process SET comm = 99999 WHERE id = 1"},
		{"process", "UPDATE process SET exit_status = 1 << 40 WHERE id = 1"},
		{"frame", "UPDATE frame SET file = 99999 WHERE id = 1"},
		{"frame", "UPDATE frame SET function = 99999 WHERE id = 1"},
		{"frame", "INSERT INTO frame SELECT max(id) + 1, 1, 77, 0 FROM frame;"
			  "INSERT INTO frame SELECT max(id) + 1, 1, 77, 0 FROM frame"},
		{"frame_line", "UPDATE frame_line SET frame = 0"},
		{"frame_line", "UPDATE frame_line SET frame = 99999"},
		{"frame_line",
		 "UPDATE frame_line SET frame = (SELECT id FROM frame WHERE file = 1)"},
		{"frame_line", "UPDATE frame_line SET level = 1"},
		{"frame_line", "UPDATE frame_line SET level = -1"},
		{"frame_line", "UPDATE frame_line SET level = 1 << 32"},
		{"frame_line", "DELETE FROM frame_line WHERE level = 0"},
		{"frame_line", "INSERT INTO frame_line SELECT frame, 0, function, source, line"
			       " FROM frame_line WHERE level = 0 LIMIT 1"},
		{"frame_line", "DELETE FROM frame_line; WITH RECURSIVE n(x) AS"
			       " (SELECT 0 UNION ALL SELECT x + 1 FROM n LIMIT 65)"
			       " INSERT INTO frame_line SELECT f.id, x, 1, 1, 1 FROM n,"
			       " (SELECT frame.id FROM frame, file ON file = file.id"
			       " WHERE NOT file.flags AND build_id NOTNULL LIMIT 1) AS f"},
		{"frame_line", "UPDATE frame_line SET function = 99999"},
		{"frame_line", "UPDATE frame_line SET source = 99999"},
		{"frame_line", "UPDATE frame_line SET source = -1"},
		{"frame_line", "UPDATE frame_line SET line = 1 << 32"},
		{"probe", "UPDATE probe SET spec = 99999 WHERE id = 1"},
		{"probe", "UPDATE probe SET signature = 99999 WHERE id = 1"},
		{"window", "UPDATE window SET start_ns = -1 WHERE id = 1"},
		{"window", "UPDATE window SET end_ns = 0 WHERE id = 1"},
		{"window", "UPDATE window SET session = 2 WHERE id = 1"},
		{"sample_chunk", "UPDATE sample_chunk SET window = 9"},
		{"sample_chunk", "UPDATE sample_chunk SET kind = 2"},
		{"sample_chunk", "UPDATE sample_chunk SET kind = 1 - kind"},
		{"sample_chunk", "UPDATE sample_chunk SET count = count + 1"},
		{"sample_chunk", "UPDATE sample_chunk SET count = -1"},
		{"sample_chunk", "UPDATE sample_chunk SET samples = samples + 1"},
		{"sample_chunk", "UPDATE sample_chunk SET data = x''"},
		{"sample_chunk", "UPDATE sample_chunk SET data = randomblob(1000)"},
		{"sample_chunk", "UPDATE sample_chunk SET data = zeroblob(9000000)"},
		{"span_stat", "UPDATE span_stat SET path = 0"},
		{"span_stat", "UPDATE span_stat SET calls = -1"},
		{"span_stat", "UPDATE span_stat SET histogram = x'ffff'"},
		{"span_stat", "UPDATE span_stat SET histogram = x'ffffffffffffffffff0101'"},
		{"span_stat", "UPDATE span_stat SET histogram = x'ff0901'"},
		{"span_chunk", "UPDATE span_chunk SET count = 1000000"},
		{"loss", "INSERT INTO loss VALUES(99, 0, 0)"},
		{"session", "DELETE FROM session"},
		{"session", "INSERT INTO session SELECT 2, name, targets, frequency, started_us,"
			    " ended_us, flags, monotonic_to_epoch_ns, NULL, NULL FROM session"},
		{"session", "UPDATE session SET where_text = 'a' || char(0)"},
		{"session_spec", "UPDATE session_spec SET session = 4"},
	};
	struct recorded rec;
	char command[512];

	record(&rec, 3);
	snprintf(command, sizeof(command), "cp %s %s.good", file, file);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "cp %s.good %s", file, file);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char part[64];

		change(cases[i].sql);
		snprintf(part, sizeof(part), "table '%s' makes no sense", cases[i].table);
		check_error("BadFile", part, -EBADMSG);
		cr_assert_eq(system(command), 0);
	}
	check_recording(&rec);
	end(&rec);
}

/* STRICT tables take no value of a wrong type: they are made to forget for a moment that they are.
 */
static void change_type(const char *sql)
{
	change("PRAGMA writable_schema = ON; UPDATE sqlite_schema"
	       " SET sql = replace(sql, ') STRICT', ')') WHERE sql LIKE '%) STRICT'");
	change(sql);
	change("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql || ' STRICT'"
	       " WHERE type = 'table' AND sql NOT LIKE '%STRICT%'");
}

Test(bad_file, values_of_a_wrong_type)
{
	static const struct {
		const char *table, *sql;
	} cases[] = {
		{"string", "UPDATE string SET value = x'00ff' WHERE id = 2"},
		{"process", "UPDATE process SET pid = 1.5"},
		{"stack", "UPDATE stack SET frame = 'main'"},
		{"file", "UPDATE file SET build_id = 'text' WHERE id = 2"},
		{"frame_line", "UPDATE frame_line SET function = 'main'"},
		{"sample_chunk", "UPDATE sample_chunk SET count = 'many'"},
		{"sample_chunk", "UPDATE sample_chunk SET data = 'text'"},
		{"span_stat", "UPDATE span_stat SET histogram = 'text'"},
		{"span_chunk", "UPDATE span_chunk SET first_ns = x'01'"},
		{"session", "UPDATE session SET name = x'01'"},
	};
	struct recorded rec;
	char command[512];

	record(&rec, 2);
	change_type("SELECT 1");
	check_recording(&rec);
	snprintf(command, sizeof(command), "cp %s %s.good", file, file);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "cp %s.good %s", file, file);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char part[64];

		change_type(cases[i].sql);
		snprintf(part, sizeof(part), "table '%s' makes no sense", cases[i].table);
		check_error("BadFile", part, -EBADMSG);
		cr_assert_eq(system(command), 0);
	}
	end(&rec);
}

static int put_hex(void *arg, const struct sample_chunk *chunk)
{
	FILE *out = arg;

	fputs("UPDATE sample_chunk SET count = 1, samples = 1, kind = 0, data = x'", out);
	for (size_t i = 0; i < chunk->size; i++)
		fprintf(out, "%02x", chunk->data[i]);
	fputs("'", out);
	return 0;
}

Test(bad_file, samples_of_what_is_not_there)
{
	static const struct sample_row cases[] = {
		{.process = 1, .thread = 1, .stack = 1, .count = 1}, /* all is there */
		{.process = 0, .count = 1},
		{.process = 99999, .count = 1},
		{.process = 1, .thread = 99999, .count = 1},
		{.process = 1, .stack = 99999, .count = 1},
	};
	struct recorded rec;

	record(&rec, 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *sql = NULL;
		struct sample_row row = cases[i];
		size_t size;
		FILE *out = open_memstream(&sql, &size);

		cr_assert_eq(sample_chunk_encode(&row, 1, SAMPLE_CHUNK_QUICK, put_hex, out), 0);
		fclose(out);
		change(sql);
		if (i > 0) {
			check_error("BadFile", "table 'sample_chunk' makes no sense", -EBADMSG);
		} else {
			struct store_reader *r = NULL;
			struct model *m = NULL;
			struct error e = {};

			cr_assert_eq(model_new(&m), 0);
			cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
			store_reader_free(r);
			model_free(m);
		}
	}
	end(&rec);
}

Test(bad_file, chunks_of_nonsense)
{
	static const char *const cases[] = {
		"UPDATE span_chunk SET data = x''",
		"UPDATE span_chunk SET data = x'0102030405'",
		"UPDATE span_chunk SET data = randomblob(1000)",
		"UPDATE span_chunk SET count = count + 1",
		"UPDATE span_chunk SET data = zeroblob(9000000)",
		"UPDATE span_chunk SET data = (SELECT data FROM span_chunk WHERE id = 2)"
		" WHERE id = 1",
	};
	struct recorded rec;

	record(&rec, 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_reader *r = NULL;
		struct model *m = NULL;
		struct error e = {};

		change(cases[i]);
		cr_assert_eq(model_new(&m), 0);
		cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
		if (store_each_chunk(r, try_unpack, r, &e) == 0)
			cr_assert_eq(i, ARRAY_SIZE(cases) - 1);
		store_reader_free(r);
		model_free(m);
	}
	end(&rec);
}

/* Opens whatever the file is now: an error with a message, or something to read to the end. */
static int try_open(void)
{
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct error e = {};
	int code;

	cr_assert_eq(model_new(&m), 0);
	code = store_open(file, m, &e, &r);
	cr_assert(code == 0 || (e.name[0] && e.message[0] && e.fix[0]), "%d: %s", code, e.message);
	if (code == 0)
		store_each_chunk(r, try_unpack, r, &e);
	store_reader_free(r);
	model_free(m);
	return code;
}

static void save(const char *text, size_t size)
{
	FILE *f = fopen(file, "w");

	cr_assert_eq(fwrite(text, 1, size, f), size);
	fclose(f);
}

Test(bad_file, truncated_and_damaged_files)
{
	_cleanup_(freep) char *good = NULL;
	struct recorded rec;
	size_t size;

	record(&rec, 4);
	cr_assert_eq(read_file(file, 1 << 24, &good, &size), 0);
	for (int i = 0; i < 60; i++) {
		save(good, i < 20 ? size * i / 20 : below(size));
		cr_assert_neq(try_open(), 0, "a finished file that is cut is an error");
	}
	for (int i = 0; i < 150; i++) {
		_cleanup_(freep) char *bad = malloc(size);

		memcpy(bad, good, size);
		for (uint64_t k = 0; k <= below(20); k++)
			bad[below(below(3) ? size : 4096)] = next_random();
		save(bad, size);
		try_open();
	}
	end(&rec);
}
