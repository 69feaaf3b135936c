/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of SQL share: files made of kept recordings, and answers as text. */
#ifndef SONDE_TESTS_QUERY_SQL_HELP_H
#define SONDE_TESTS_QUERY_SQL_HELP_H

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "query/sql.h"

static char sql_dir[32], sql_file[64];

static inline void sql_setup(void)
{
	strcpy(sql_dir, "/tmp/sonde-test-XXXXXX");
	cr_assert_not_null(mkdtemp(sql_dir));
	snprintf(sql_file, sizeof(sql_file), "%s/r.sonde", sql_dir);
}

static inline void sql_teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%s'", sql_dir);
	cr_assert_eq(system(command), 0);
}

/* Runs SQL on the file as anyone may. */
static inline void sql_change(const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(sql_file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s", why ? why : "");
	sqlite3_close(db);
}

/* The file is the kept recording of that format. */
static inline void sql_make(int format)
{
	_cleanup_(freep) char *sql = NULL;
	char path[512];

	unlink(sql_file);
	snprintf(path, sizeof(path), "%s/tests/unit/recording-%d.sql", SONDE_SOURCE_ROOT, format);
	cr_assert_eq(read_file(path, 1 << 20, &sql, NULL), 0);
	sql_change(sql);
}

static inline struct sql *sql_opened(const struct sql_options *options)
{
	struct error e = {};
	struct sql *q = NULL;

	cr_assert_eq(sql_open(sql_file, options, &e, &q), 0, "%s: %s", e.name, e.message);
	return q;
}

static inline void sql_put(struct strbuf *out, const struct sql_value *v)
{
	switch (v->type) {
	case SQL_NULL:
		strbuf_puts(out, "-");
		break;
	case SQL_INTEGER:
		strbuf_printf(out, "%lld", (long long)v->integer);
		break;
	case SQL_REAL:
		strbuf_printf(out, "%.6g", v->real);
		break;
	case SQL_TEXT:
		strbuf_append(out, v->data, v->len);
		break;
	case SQL_BLOB:
		strbuf_printf(out, "<%zu>", v->len);
		break;
	}
}

/* Rows as "a|b\n"; what it ended with. */
static inline int sql_answer(const char *text, const struct sql_options *options,
			     struct strbuf *out, struct error *e, uint64_t *ret_unpacked)
{
	_cleanup_(sql_freep) struct sql *q = sql_opened(options);
	int r = sql_prepare(q, text, e);

	if (r < 0)
		return r;
	while ((r = sql_step(q, e)) > 0)
		for (size_t i = 0; i < sql_columns(q); i++) {
			struct sql_value v = sql_value(q, i);

			sql_put(out, &v);
			strbuf_putc(out, i + 1 < sql_columns(q) ? '|' : '\n');
		}
	if (ret_unpacked)
		*ret_unpacked = sql_chunks_unpacked(q);
	return r < 0 ? r : (int)sql_cut(q);
}

/* Answers that; returns how many chunks were unpacked for it. */
static inline uint64_t sql_expect(const char *text, const char *want)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	uint64_t unpacked = 0;
	struct error e = {};
	int r = sql_answer(text, NULL, &out, &e, &unpacked);

	cr_expect_eq(r, 0, "%s: %s", text, e.message);
	cr_expect_str_eq(out.data ? out.data : "", want, "%s:\n%s", text, out.data);
	return unpacked;
}

/* Fails with an error of that name that has these words. */
static inline void sql_expect_error(const char *text, const struct sql_options *options,
				    const char *name, const char *words)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error e = {};
	int r = sql_answer(text, options, &out, &e, NULL);

	cr_expect_lt(r, 0, "%s: answers %s", text, out.data);
	cr_expect_str_eq(e.name, name, "%s: %s: %s", text, e.name, e.message);
	cr_expect(strstr(e.message, words), "%s: no \"%s\" in: %s", text, words, e.message);
	cr_expect(e.fix[0] || streq(name, "Internal"), "%s: no fix", text);
}

#endif
