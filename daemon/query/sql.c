/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql_private.h"

#include <inttypes.h>
#include <sys/random.h>

#include "sonde/base/format.h"

enum { STEPS_AT_ONCE = 1000 };

bool sql_is_over(struct sql *q)
{
	if (q->stop != SQL_RUNNING)
		return true;
	if (q->options.cancelled && q->options.cancelled(q->options.arg))
		q->stop = SQL_CANCELLED;
	else if (now_monotonic_ns() > q->deadline_ns)
		q->stop = SQL_OUT_OF_TIME;
	else if (sqlite3_memory_used() - q->memory_before > (int64_t)q->options.memory)
		q->stop = SQL_OUT_OF_MEMORY;
	return q->stop != SQL_RUNNING;
}

static int on_progress(void *arg)
{
	return sql_is_over(arg);
}

/* SQLite counts the memory of the whole process: what others take meanwhile is little. */
static void start_clock(struct sql *q)
{
	q->deadline_ns = now_monotonic_ns() + q->options.timeout_ms * NSEC_PER_MSEC;
	q->memory_before = sqlite3_memory_used();
}

/* Before the authorizer is there. What the file holds is seen as it is now, whoever writes to it.
 */
static int begin(struct sql *q, struct error *error)
{
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	if (sqlite3_exec(q->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return schema_read_error(q->db, q->path, error);
	return schema_check(q->db, q->path, error);
}

/* Temporary things are made though nothing may be written: the file itself is open read-only. */
static int make_tables(struct sql *q)
{
	static const char indexes[] =
		"SELECT count(*) FROM main.sqlite_schema WHERE type = 'index' AND rootpage > 0 AND"
		" name IN ('sample_window', 'sample_chunk_window', 'span_stat_window', "
		"'loss_window')";
	int64_t theirs = 1, n_indexes, none;
	int code;

	if (schema_number(q->db, indexes, &n_indexes) < 0)
		return SQLITE_CORRUPT;
	q->indexed = n_indexes == 3 && q->version >= 3;
	code = sqlite3_exec(q->db, "PRAGMA query_only = OFF", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sql_make_functions(q);
	if (code == SQLITE_OK)
		code = sql_make_spans(q);
	if (code == SQLITE_OK)
		code = sql_make_raw_samples(q);
	if (code == SQLITE_OK)
		code = sql_make_samples(q);
	if (code == SQLITE_OK)
		code = sql_choose_processes(q);
	if (code == SQLITE_OK)
		code = sql_make_views(q);
	if (code == SQLITE_OK)
		code = sqlite3_exec(q->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
	if (schema_number(q->db,
			  "SELECT count(*) FROM main.sqlite_schema"
			  " WHERE lower(name) IN ('json_each', 'json_tree')",
			  &theirs) < 0)
		return SQLITE_CORRUPT;
	q->json_tables = theirs == 0;
	/* SQLite makes its own tables when they are first named, and then asks as if for a CREATE.
	 */
	if (q->json_tables)
		(void)schema_number(q->db, "SELECT count(*) FROM json_each('[]'), json_tree('[]')",
				    &none);
	return code;
}

/* Texts and blobs stay small, so that no single step takes long; chunks are read apart. */
static void limit(struct sql *q)
{
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, SQL_MAX_VALUE);
	sqlite3_limit(q->db, SQLITE_LIMIT_SQL_LENGTH, SQL_MAX_TEXT);
	sqlite3_limit(q->db, SQLITE_LIMIT_EXPR_DEPTH, 200);
	sqlite3_limit(q->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256);
	sqlite3_limit(q->db, SQLITE_LIMIT_COMPOUND_SELECT, 100);
	sqlite3_limit(q->db, SQLITE_LIMIT_VDBE_OP, 500000);
}

static void set_options(struct sql *q, const struct sql_options *options)
{
	struct sql_options *o = &q->options;

	if (options)
		*o = *options;
	o->timeout_ms = o->timeout_ms ? o->timeout_ms : SQL_DEFAULT_TIMEOUT_MS;
	o->rows = o->rows ? o->rows : SQL_DEFAULT_ROWS;
	o->bytes = o->bytes ? o->bytes : SQL_MAX_BYTES;
	o->memory = o->memory ? o->memory : SQL_MAX_MEMORY;
}

int sql_open(const char *path, const struct sql_options *options, struct error *error,
	     struct sql **ret)
{
	_cleanup_(sql_freep) struct sql *q = calloc(1, sizeof(*q));
	uint64_t secret;
	int r;

	if (!q || !(q->path = strdup(path)))
		return -ENOMEM;
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	snprintf(q->secret, sizeof(q->secret), "#%016" PRIx64, secret);
	set_options(q, options);
	start_clock(q);
	r = schema_open_reader(path, error, &q->db, &q->copy);
	if (r < 0)
		return r;
	sqlite3_progress_handler(q->db, STEPS_AT_ONCE, on_progress, q);
	r = begin(q, error);
	if (r < 0)
		return r;
	q->version = r;
	r = make_tables(q);
	if (r == SQLITE_NOMEM)
		return -ENOMEM;
	if (r != SQLITE_OK)
		return schema_read_error(q->db, q->path, error);
	limit(q);
	sql_guard(q);
	*ret = TAKE_PTR(q);
	return 0;
}

struct sql *sql_free(struct sql *q)
{
	if (!q)
		return NULL;
	sqlite3_finalize(q->statement);
	sql_names_release(q);
	table_release(&q->wanted);
	sqlite3_close(q->db);
	schema_remove_copy(q->copy);
	free(q->copy);
	free(q->path);
	free(q);
	return NULL;
}

static void say_where(const char *text, int offset, struct strbuf *out)
{
	unsigned int line = 1, column = 1;
	bool lines = strchr(text, '\n');

	if (offset < 0)
		return;
	for (int i = 0; i < offset && text[i]; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	if (lines)
		strbuf_printf(out, "line %u, ", line);
	strbuf_printf(out, "column %u: ", column);
}

static void list_views(struct strbuf *out)
{
	for (size_t i = 0; sql_view_name(i); i++)
		strbuf_printf(out, "%s%s", i ? ", " : "", sql_view_name(i));
}

static int bad_query(struct sql *q, const char *text, struct error *error)
{
	_cleanup_(strbuf_release) struct strbuf message = {}, views = {};
	const char *why = sqlite3_errmsg(q->db);

	if (text)
		say_where(text, sqlite3_error_offset(q->db), &message);
	strbuf_puts(&message, q->refused[0] ? q->refused : why);
	list_views(&views);
	if (strbuf_error(&message) < 0 || strbuf_error(&views) < 0)
		return -ENOMEM;
	error_set(error, EINVAL, "BadQuery", "%s", message.data);
	if (startswith(why, "no such table"))
		error_fix(error, "the tables are %s: see sonde-sql(1)", views.data);
	else if (q->refused[0])
		error_fix(error, "ask one SELECT over %s: see sonde-sql(1)", views.data);
	else
		error_fix(error, "see sonde-sql(1) for the tables and their columns");
	return -EINVAL;
}

static int stopped(const struct sql *q, struct error *error)
{
	if (q->stop == SQL_CANCELLED)
		return error_set(error, ECANCELED, "Internal", "nobody waits for the answer");
	if (q->stop == SQL_OUT_OF_MEMORY) {
		error_set(error, ENOBUFS, "TooMany", "the query needs more than %" PRIu64 " MiB",
			  q->options.memory >> 20);
		error_fix(error, "sort, group or join fewer rows: choose a time, a process or a "
				 "function in WHERE");
		return -ENOBUFS;
	}
	error_set(error, ETIMEDOUT, "TooMany", "the query was ended after %.3g s",
		  (double)q->options.timeout_ms / 1000);
	error_fix(error, "give it more time (--timeout), or choose a time, a process or a function "
			 "in WHERE");
	return -ETIMEDOUT;
}

/* What a SQLite code means for who asks. text: the query where it was not understood, else NULL. */
static int failed(struct sql *q, const char *text, int code, struct error *error)
{
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return stopped(q, error);
	case SQLITE_TOOBIG:
		error_set(error, EFBIG, "TooMany", "a text, a blob or the query is too long: %s",
			  sqlite3_errmsg(q->db));
		error_fix(error, "a value has at most 1 MiB, a query 64 KiB");
		return -EFBIG;
	case SQLITE_ERROR:
	case SQLITE_AUTH:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
	case SQLITE_CONSTRAINT:
	case SQLITE_READONLY:
		return bad_query(q, text, error);
	default:
		return schema_read_error(q->db, q->path, error);
	}
}

/* Blanks and comments: SQLite makes no statement of them. */
static bool is_empty(struct sql *q, const char *text)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

	while (*text == ';' || *text == ' ' || *text == '\n' || *text == '\t' || *text == '\r')
		text++;
	return !*text || (sqlite3_prepare_v2(q->db, text, -1, &s, NULL) == SQLITE_OK && s == NULL);
}

static int refuse(struct sql *q, struct error *error, const char *why)
{
	snprintf(q->refused, sizeof(q->refused), "%s", why);
	return bad_query(q, NULL, error);
}

int sql_prepare(struct sql *q, const char *text, struct error *error)
{
	const char *tail = NULL;
	int code;

	if (strlen(text) > SQL_MAX_TEXT) {
		error_set(error, EFBIG, "BadQuery", "the query is longer than 64 KiB");
		error_fix(error, "ask in several queries");
		return -EFBIG;
	}
	start_clock(q);
	code = sqlite3_prepare_v2(q->db, text, -1, &q->statement, &tail);
	if (code != SQLITE_OK)
		return failed(q, text, code, error);
	if (!q->statement)
		return refuse(q, error, "there is no query");
	if (!is_empty(q, tail))
		return refuse(q, error, "there is more than one statement");
	if (sqlite3_stmt_isexplain(q->statement) || !sqlite3_stmt_readonly(q->statement) ||
	    sqlite3_column_count(q->statement) == 0)
		return refuse(q, error, "this is not a SELECT");
	return 0;
}

size_t sql_columns(const struct sql *q)
{
	return sqlite3_column_count(q->statement);
}

const char *sql_column_name(const struct sql *q, size_t column)
{
	const char *name = sqlite3_column_name(q->statement, column);

	return name ? name : "";
}

static size_t row_bytes(const struct sql *q)
{
	size_t bytes = 0;

	for (int i = 0; i < sqlite3_column_count(q->statement); i++) {
		int type = sqlite3_column_type(q->statement, i);

		bytes += 16;
		if (type == SQLITE_TEXT || type == SQLITE_BLOB)
			bytes += sqlite3_column_bytes(q->statement, i);
	}
	return bytes;
}

int sql_step(struct sql *q, struct error *error)
{
	int code;

	if (q->cut != SQL_WHOLE)
		return 0;
	code = sqlite3_step(q->statement);
	if (q->own_code)
		return failed(q, NULL, q->own_code, error);
	if (code == SQLITE_DONE)
		return 0;
	if (code != SQLITE_ROW)
		return failed(q, NULL, code, error);
	q->bytes += row_bytes(q);
	if (q->rows == q->options.rows)
		q->cut = SQL_CUT_ROWS;
	else if (q->bytes > q->options.bytes)
		q->cut = SQL_CUT_BYTES;
	q->rows++;
	return q->cut == SQL_WHOLE;
}

struct sql_value sql_value(const struct sql *q, size_t column)
{
	sqlite3_stmt *s = q->statement;
	struct sql_value v = {};

	switch (sqlite3_column_type(s, column)) {
	case SQLITE_INTEGER:
		v.type = SQL_INTEGER;
		v.integer = sqlite3_column_int64(s, column);
		break;
	case SQLITE_FLOAT:
		v.type = SQL_REAL;
		v.real = sqlite3_column_double(s, column);
		break;
	case SQLITE_TEXT:
		v.type = SQL_TEXT;
		v.data = (const char *)sqlite3_column_text(s, column);
		v.len = sqlite3_column_bytes(s, column);
		break;
	case SQLITE_BLOB:
		v.type = SQL_BLOB;
		v.data = sqlite3_column_blob(s, column);
		v.len = sqlite3_column_bytes(s, column);
		break;
	default:
		break;
	}
	if (!v.data)
		v.data = "";
	return v;
}

enum sql_cut sql_cut(const struct sql *q)
{
	return q->cut;
}

uint64_t sql_chunks_unpacked(const struct sql *q)
{
	return q->chunks_unpacked;
}
