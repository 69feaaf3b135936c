/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples as rows, for the view `sample`: what chunks hold, unpacked one after another. Asked for
 * those of a window, or of a kind, it unpacks no others.
 */
#include "sql_private.h"
#include "store/sample_chunk.h"

/* As the table had it that the formats before the fourth have. */
static const char declaration[] = "CREATE TABLE sample(window INTEGER, process INTEGER,"
				  " thread INTEGER, kind INTEGER, stack INTEGER, count INTEGER,"
				  " total_ns INTEGER)";
enum column { WINDOW, PROCESS, THREAD, KIND, STACK, COUNT, TOTAL_NS };

enum { BY_WINDOW = 1, BY_KIND = 2 }; /* plans; arguments come in this order */

struct samples_cursor {
	sqlite3_vtab_cursor base;
	struct sql *q;
	sqlite3_stmt *chunks;
	int64_t chunk, window; /* of the rows in set */
	struct sample_set set;
	size_t i;
};

static int on_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	static const int columns[] = {WINDOW, KIND}, bits[] = {BY_WINDOW, BY_KIND};
	double rows = 1e6;
	int n = 0;

	(void)table;
	for (size_t k = 0; k < ARRAY_SIZE(columns); k++)
		for (int i = 0; i < info->nConstraint; i++) {
			const struct sqlite3_index_constraint *c = &info->aConstraint[i];

			if (!c->usable || c->iColumn != columns[k] ||
			    c->op != SQLITE_INDEX_CONSTRAINT_EQ)
				continue;
			info->aConstraintUsage[i].argvIndex = ++n;
			info->idxNum |= bits[k];
			rows /= bits[k] == BY_WINDOW ? 100 : 2;
			break;
		}
	info->estimatedRows = (sqlite3_int64)rows;
	info->estimatedCost = rows;
	return SQLITE_OK;
}

static int on_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct samples_cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct samples_cursor){.q = ((struct sql_table *)table)->q};
	*ret = &c->base;
	return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
	struct samples_cursor *c = (struct samples_cursor *)cursor;

	sample_set_release(&c->set);
	sqlite3_finalize(c->chunks);
	sqlite3_free(c);
	return SQLITE_OK;
}

/* The next chunk's rows; none when there is no other. Chunks may be larger than a query's values.
 */
static int next_chunk(struct samples_cursor *c)
{
	struct sql *q = c->q;
	int code, r;

	sample_set_release(&c->set);
	c->i = 0;
	if (sql_is_over(q))
		return SQLITE_INTERRUPT;
	q->inside++;
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, 16 << 20);
	code = sqlite3_step(c->chunks);
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, SQL_MAX_VALUE);
	q->inside--;
	if (code == SQLITE_ROW) {
		int64_t kind = sqlite3_column_int64(c->chunks, 2);

		c->chunk = sqlite3_column_int64(c->chunks, 0);
		c->window = sqlite3_column_int64(c->chunks, 1);
		r = kind < 0 || kind >= SAMPLE_KINDS
			    ? -EBADMSG
			    : sample_chunk_decode(sqlite3_column_blob(c->chunks, 3),
						  (size_t)sqlite3_column_bytes(c->chunks, 3),
						  (enum sample_kind)kind, &c->set);
		code = r == -ENOMEM ? SQLITE_NOMEM : r < 0 ? SQLITE_CORRUPT_VTAB : SQLITE_OK;
	}
	return sql_note(q, code);
}

static int on_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int n,
		     sqlite3_value **args)
{
	static const char *const queries[] = {
		[0] = "SELECT id, window, kind, data FROM main.sample_chunk",
		[BY_WINDOW] = "SELECT id, window, kind, data FROM main.sample_chunk"
			      " WHERE window = ?",
		[BY_KIND] = "SELECT id, window, kind, data FROM main.sample_chunk WHERE kind = ?",
		[BY_WINDOW | BY_KIND] = "SELECT id, window, kind, data FROM main.sample_chunk"
					" WHERE window = ? AND kind = ?",
	};
	struct samples_cursor *c = (struct samples_cursor *)cursor;
	int code = SQLITE_OK;

	(void)text;
	/* A cursor stays with its plan while it is used again and again. */
	c->q->inside++;
	if (c->chunks && !streq(sqlite3_sql(c->chunks), queries[plan])) {
		sqlite3_finalize(c->chunks);
		c->chunks = NULL;
	}
	if (!c->chunks)
		code = sqlite3_prepare_v2(c->q->db, queries[plan], -1, &c->chunks, NULL);
	c->q->inside--;
	if (code != SQLITE_OK)
		return sql_note(c->q, code);
	sqlite3_reset(c->chunks);
	for (int i = 0; i < n; i++)
		sqlite3_bind_value(c->chunks, i + 1, args[i]);
	return next_chunk(c);
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
	struct samples_cursor *c = (struct samples_cursor *)cursor;

	/* Chunks have at least a row. */
	return ++c->i < c->set.n ? SQLITE_OK : next_chunk(c);
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
	const struct samples_cursor *c = (struct samples_cursor *)cursor;

	return c->i >= c->set.n;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct samples_cursor *c = (struct samples_cursor *)cursor;
	const struct sample_row *row = &c->set.rows[c->i];
	const int64_t values[] = {
		[WINDOW] = c->window,
		[PROCESS] = row->process,
		[THREAD] = row->thread,
		[KIND] = row->kind,
		[STACK] = row->stack,
		[COUNT] = (int64_t)row->count,
		[TOTAL_NS] = (int64_t)row->total_ns,
	};

	sqlite3_result_int64(context, values[column]);
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	const struct samples_cursor *c = (struct samples_cursor *)cursor;

	/* Unsigned, as a file may have any number as an id. */
	*ret = (int64_t)((uint64_t)c->chunk * SAMPLE_CHUNK_MAX + c->i);
	return SQLITE_OK;
}

int sql_make_samples(struct sql *q)
{
	static const sqlite3_module methods = {
		.xBestIndex = on_best_index,
		.xOpen = on_open,
		.xClose = on_close,
		.xFilter = on_filter,
		.xNext = on_next,
		.xEof = on_eof,
		.xColumn = on_column,
		.xRowid = on_rowid,
	};
	char name[64];

	if (q->version < 4)
		return SQLITE_OK;
	/* Read by views only: its name has the secret. */
	snprintf(name, sizeof(name), "sample_row%s", q->secret);
	return sql_make_table(q, "sample", name, declaration, methods);
}
