/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table raw_span: what chunks hold, unpacked one after another. What is asked of time, session,
 * window and function decides which chunks need not be unpacked; SQLite then compares again, so
 * that leaving out too few is slow but never wrong.
 */
#include "sql_spans.h"

static const char declaration[] =
	"CREATE TABLE raw_span(time_us INTEGER, duration_ns INTEGER, self_ns INTEGER,"
	" offcpu_ns INTEGER, session INTEGER, window INTEGER, process INTEGER, pid INTEGER,"
	" tid INTEGER, comm TEXT, path INTEGER, function TEXT, binary TEXT, depth INTEGER,"
	" ret INTEGER, result TEXT, error INTEGER, unwound INTEGER, instant INTEGER, args TEXT,"
	" exception TEXT, message TEXT, stack INTEGER, cat TEXT, counter INTEGER,"
	" value REAL, arg0 INTEGER, arg1 INTEGER, arg2 INTEGER, arg3 INTEGER, arg4 INTEGER,"
	" arg5 INTEGER)";

/* Beside those of a range: letters of a plan, one for each argument of filter(). */
enum {
	IS_FUNCTION = '=',
	GLOB_FUNCTION = 'g',
	LIKE_FUNCTION = 'l',
};

/* The letter of a constraint; 0: it does not help. */
static char plan_of(sqlite3_index_info *info, int i)
{
	static const struct sql_range_columns columns = {TIME_US, SESSION, WINDOW};
	int op = info->aConstraint[i].op;
	bool equal = op == SQLITE_INDEX_CONSTRAINT_EQ;

	switch (info->aConstraint[i].iColumn) {
	case FUNCTION:
		if (equal && strcasecmp(sqlite3_vtab_collation(info, i), "BINARY") == 0)
			return IS_FUNCTION;
		return op == SQLITE_INDEX_CONSTRAINT_GLOB   ? GLOB_FUNCTION
		       : op == SQLITE_INDEX_CONSTRAINT_LIKE ? LIKE_FUNCTION
							    : 0;
	default:
		return sql_range_letter(&info->aConstraint[i], &columns);
	}
}

static int on_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct sql *q = ((struct sql_table *)table)->q;
	double rows = 1e6;

	if (sql_read_span_chunks(q) == SQLITE_OK)
		rows = (double)q->names.spans.n * CHUNK_MAX_SPANS / 4;
	return sql_range_plan(info, plan_of, rows);
}

static int on_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct sql_spans_cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct sql_spans_cursor){.q = ((struct sql_table *)table)->q};
	*ret = &c->base;
	return SQLITE_OK;
}

static void begin_again(struct sql_spans_cursor *c)
{
	span_set_release(&c->set);
	table_release(&c->windows);
	free(c->is_wanted);
	c->is_wanted = NULL;
	c->windows = (struct table){};
	sql_range_begin(&c->range);
	c->chunk = c->i = 0;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
	struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;

	begin_again(c);
	sqlite3_finalize(c->data);
	sqlite3_finalize(c->seen);
	sqlite3_free(c);
	return SQLITE_OK;
}

/* Functions are told apart once for each path, not for each span. */
static int narrow_function(struct sql_spans_cursor *c, sqlite3_value *v, char letter)
{
	const char *text = (const char *)sqlite3_value_text(v);
	struct sql_names *n = &c->q->names;
	int code = sql_read_paths(c->q);

	if (sqlite3_value_type(v) == SQLITE_NULL)
		c->range.nothing = true;
	/* SQLite has a limit for patterns, too, and will complain. */
	if (code != SQLITE_OK || !text || (letter != IS_FUNCTION && strlen(text) > 256))
		return code;
	if (!c->is_wanted) {
		c->is_wanted = malloc(MAX(n->n_paths, 1U));
		if (!c->is_wanted)
			return SQLITE_NOMEM;
		memset(c->is_wanted, true, MAX(n->n_paths, 1U));
	}
	for (size_t i = 0; i < n->n_paths && !sql_is_over(c->q); i++) {
		const char *name = n->paths[i].function;

		c->is_wanted[i] &= letter == IS_FUNCTION     ? streq(text, name)
				   : letter == GLOB_FUNCTION ? sqlite3_strglob(text, name) == 0
							     : sqlite3_strlike(text, name, 0) == 0;
	}
	return SQLITE_OK;
}

static bool path_is_wanted(const struct sql_spans_cursor *c, int64_t id)
{
	const uint32_t *path = table_get(&c->q->names.path_index, id);

	return path && c->is_wanted[*path];
}

/* Statistics say in which windows calls of a function have ended. */
static int find_windows(struct sql_spans_cursor *c)
{
	struct sql_names *n = &c->q->names;
	int code = sql_read_seen(c->q);

	for (size_t i = 0; i < n->n_seen && code == SQLITE_OK; i++) {
		uint32_t *slot;
		bool is_new;

		slot = table_put(&c->windows, n->seen[i].window, &is_new);
		if (!slot)
			return SQLITE_NOMEM;
		*slot |= path_is_wanted(c, n->seen[i].path) ? 3 : 1;
	}
	return code;
}

/* The same of one window, when its chunk has its turn: for files with many, and an index. */
static int look_into_window(struct sql_spans_cursor *c, int64_t window)
{
	struct sql *q = c->q;
	uint32_t *slot, seen = 0;
	int code = SQLITE_OK;
	bool is_new;

	if (table_get(&c->windows, window))
		return SQLITE_OK;
	q->inside++;
	if (!c->seen)
		code = sqlite3_prepare_v2(q->db, "SELECT path FROM main.span_stat WHERE window = ?",
					  -1, &c->seen, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(c->seen, 1, window);
	while ((code == SQLITE_OK || code == SQLITE_ROW) && seen != 3 &&
	       (code = sqlite3_step(c->seen)) == SQLITE_ROW)
		seen = path_is_wanted(c, sqlite3_column_int64(c->seen, 0)) ? 3 : 1;
	sqlite3_reset(c->seen);
	q->inside--;
	code = sql_note(q, code);
	if (code != SQLITE_OK)
		return code;
	slot = table_put(&c->windows, window, &is_new);
	if (!slot)
		return SQLITE_NOMEM;
	/* Where nothing is known of a window anything may be in it. */
	*slot = seen ? seen : 2;
	return SQLITE_OK;
}

/* 1, 0, or a negative SQLite code. */
static int chunk_is_wanted(struct sql_spans_cursor *c, const struct sql_chunk *chunk)
{
	const uint32_t *window;
	int code;

	if (!sql_range_has(&c->range, chunk))
		return 0;
	if (!c->is_wanted)
		return 1;
	code = c->q->indexed ? look_into_window(c, chunk->window) : SQLITE_OK;
	if (code != SQLITE_OK)
		return -code;
	window = table_get(&c->windows, chunk->window);
	return !window || *window & 2;
}

static int unpack(struct sql_spans_cursor *c, const struct sql_chunk *chunk)
{
	struct sql *q = c->q;
	int code = sql_step_chunk(q, &c->data, "SELECT data FROM main.span_chunk WHERE id = ?",
				  chunk->id);
	int r = -EBADMSG;

	if (code == SQLITE_ROW && sqlite3_column_type(c->data, 0) == SQLITE_BLOB) {
		r = chunk_decode(sqlite3_column_blob(c->data, 0), sqlite3_column_bytes(c->data, 0),
				 &c->set);
		code = r == -ENOMEM ? SQLITE_NOMEM : r < 0 ? SQLITE_CORRUPT_VTAB : SQLITE_OK;
	}
	sqlite3_reset(c->data);
	return sql_note(q, code == SQLITE_DONE ? SQLITE_CORRUPT_VTAB : code);
}

static bool span_is_wanted(const struct sql_spans_cursor *c)
{
	return sql_process_is_wanted(c->q, c->set.spans[c->i].process) &&
	       (!c->is_wanted || path_is_wanted(c, c->set.spans[c->i].path));
}

/* From span i of the chunk on, the next one that may be wanted. */
static int find_row(struct sql_spans_cursor *c)
{
	struct sql_names *n = &c->q->names;
	int code;

	for (;;) {
		for (; c->i < c->set.n; c->i++)
			if (span_is_wanted(c))
				return SQLITE_OK;
		span_set_release(&c->set);
		c->i = 0;
		if (c->chunk >= n->spans.n)
			return SQLITE_OK;
		if (sql_is_over(c->q))
			return SQLITE_INTERRUPT;
		code = chunk_is_wanted(c, &n->spans.items[c->chunk++]);
		if (code < 0)
			return -code;
		if (code == 0)
			continue;
		code = unpack(c, &n->spans.items[c->chunk - 1]);
		if (code != SQLITE_OK)
			return code;
	}
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int n,
		     sqlite3_value **args)
{
	struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;
	int code;

	(void)number;
	begin_again(c);
	code = sql_read_span_chunks(c->q);
	for (int i = 0; i < n && code == SQLITE_OK; i++) {
		if (plan[i] == IS_FUNCTION || plan[i] == GLOB_FUNCTION || plan[i] == LIKE_FUNCTION)
			code = narrow_function(c, args[i], plan[i]);
		else
			sql_range_narrow(&c->range, plan[i], args[i]);
	}
	if (code == SQLITE_OK && c->is_wanted && !c->q->indexed)
		code = find_windows(c);
	if (c->range.nothing)
		c->chunk = c->q->names.spans.n;
	return code == SQLITE_OK ? find_row(c) : code;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
	struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;

	c->i++;
	return find_row(c);
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
	const struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;

	return c->i >= c->set.n;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	const struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;

	/* Unsigned, as a file may have any number as an id. */
	*ret = (int64_t)((uint64_t)c->q->names.spans.items[c->chunk - 1].id * CHUNK_MAX_SPANS +
			 c->i);
	return SQLITE_OK;
}

int sql_make_spans(struct sql *q)
{
	static const sqlite3_module methods = {
		.xBestIndex = on_best_index,
		.xOpen = on_open,
		.xClose = on_close,
		.xFilter = on_filter,
		.xNext = on_next,
		.xEof = on_eof,
		.xColumn = sql_spans_column,
		.xRowid = on_rowid,
	};

	return sql_make_table(q, "raw_span", "raw_span", declaration, methods);
}
