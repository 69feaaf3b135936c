/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table raw_sample: samples and waits one by one, what chunks hold, unpacked one after another.
 * What is asked of time, session, window and kind decides which chunks need not be unpacked.
 */
#include "sql_private.h"
#include "store/raw_sample_chunk.h"

static const char declaration[] =
	"CREATE TABLE raw_sample(time_us INTEGER, duration_ns INTEGER, session INTEGER,"
	" window INTEGER, process INTEGER, pid INTEGER, tid INTEGER, comm TEXT, thread TEXT,"
	" kind TEXT, stack INTEGER, function TEXT, binary TEXT, count INTEGER, total_ns INTEGER)";
enum column {
	TIME_US,
	DURATION_NS,
	SESSION,
	WINDOW,
	PROCESS,
	PID,
	TID,
	COMM,
	THREAD,
	KIND,
	STACK,
	FUNCTION,
	BINARY,
	COUNT,
	TOTAL_NS,
};

static const char *const kind_names[SAMPLE_KINDS] = {"cpu", "offcpu"};

struct raw_samples_cursor {
	sqlite3_vtab_cursor base;
	struct sql *q;
	sqlite3_stmt *data;
	struct sql_range range;
	int64_t kind; /* -1: any */
	size_t chunk; /* the one after the one that is unpacked */
	struct raw_sample_set set;
	size_t i; /* the row is sample i of it */
};

/* The letter of a constraint; 0: it does not help. */
static char plan_of(sqlite3_index_info *info, int i)
{
	static const struct sql_range_columns columns = {TIME_US, SESSION, WINDOW};
	const struct sqlite3_index_constraint *c = &info->aConstraint[i];

	if (c->iColumn == KIND)
		return c->op == SQLITE_INDEX_CONSTRAINT_EQ &&
				       strcasecmp(sqlite3_vtab_collation(info, i), "BINARY") == 0
			       ? SQL_OF_KIND
			       : 0;
	return sql_range_letter(c, &columns);
}

static int on_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct sql *q = ((struct sql_table *)table)->q;
	double rows = 1e6;

	if (sql_read_sample_chunks(q) == SQLITE_OK)
		rows = (double)q->names.samples.n * RAW_SAMPLE_CHUNK_MAX / 16;
	return sql_range_plan(info, plan_of, rows);
}

static int on_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct raw_samples_cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct raw_samples_cursor){.q = ((struct sql_table *)table)->q};
	*ret = &c->base;
	return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
	struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;

	raw_sample_set_release(&c->set);
	sqlite3_finalize(c->data);
	sqlite3_free(c);
	return SQLITE_OK;
}

static void narrow_kind(struct raw_samples_cursor *c, sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);
	int64_t kind = -1;

	for (int k = 0; text && k < SAMPLE_KINDS; k++)
		if (streq(text, kind_names[k]))
			kind = k;
	if (kind < 0 || (c->kind >= 0 && c->kind != kind))
		c->range.nothing = true;
	c->kind = kind;
}

static int unpack(struct raw_samples_cursor *c, const struct sql_chunk *chunk)
{
	struct sql *q = c->q;
	int code = sql_step_chunk(q, &c->data,
				  "SELECT data FROM main.raw_sample_chunk WHERE id = ?", chunk->id);
	int r = -EBADMSG;

	if (code == SQLITE_ROW && sqlite3_column_type(c->data, 0) == SQLITE_BLOB) {
		if (chunk->kind >= 0 && chunk->kind < SAMPLE_KINDS)
			r = raw_sample_chunk_decode(sqlite3_column_blob(c->data, 0),
						    (size_t)sqlite3_column_bytes(c->data, 0),
						    (enum sample_kind)chunk->kind, &c->set);
		code = r == -ENOMEM ? SQLITE_NOMEM : r < 0 ? SQLITE_CORRUPT_VTAB : SQLITE_OK;
	}
	sqlite3_reset(c->data);
	return sql_note(q, code == SQLITE_DONE ? SQLITE_CORRUPT_VTAB : code);
}

/* From sample i of the chunk on, the next one that may be wanted. */
static int find_row(struct raw_samples_cursor *c)
{
	const struct sql_chunks *chunks = &c->q->names.samples;

	for (;;) {
		const struct sql_chunk *chunk;
		int code;

		for (; c->i < c->set.n; c->i++)
			if (sql_process_is_wanted(c->q, c->set.samples[c->i].process))
				return SQLITE_OK;
		raw_sample_set_release(&c->set);
		c->i = 0;
		if (c->chunk >= chunks->n || c->range.nothing)
			return SQLITE_OK;
		if (sql_is_over(c->q))
			return SQLITE_INTERRUPT;
		chunk = &chunks->items[c->chunk++];
		if (!sql_range_has(&c->range, chunk) || (c->kind >= 0 && c->kind != chunk->kind))
			continue;
		code = unpack(c, chunk);
		if (code != SQLITE_OK)
			return code;
	}
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int n,
		     sqlite3_value **args)
{
	struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;
	int code = sql_read_sample_chunks(c->q);

	(void)number;
	raw_sample_set_release(&c->set);
	sql_range_begin(&c->range);
	c->kind = -1;
	c->chunk = c->i = 0;
	for (int i = 0; i < n; i++)
		if (plan[i] == SQL_OF_KIND)
			narrow_kind(c, args[i]);
		else
			sql_range_narrow(&c->range, plan[i], args[i]);
	return code == SQLITE_OK ? find_row(c) : code;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
	struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;

	c->i++;
	return find_row(c);
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
	const struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;

	return c->i >= c->set.n;
}

static void put_text(sqlite3_context *context, const char *text)
{
	if (text)
		sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

static void put_process(sqlite3_context *context, struct sql *q, uint32_t id, bool comm)
{
	const struct sql_process *process = sql_process(q, id);

	if (process && comm)
		put_text(context, process->comm);
	else if (process)
		sqlite3_result_int64(context, process->pid);
}

/* Of the leaf. */
static void put_frame(sqlite3_context *context, struct sql *q, uint32_t stack, bool binary)
{
	const struct sql_frame *frame = NULL;
	int64_t parent, id;

	if (stack && sql_stack(q, stack, &parent, &id))
		frame = sql_frame(q, id);
	if (frame)
		put_text(context, binary ? frame->binary : frame->function);
}

static void put_named(sqlite3_context *context, struct sql *q, const struct raw_sample *s,
		      int column)
{
	char *thread;

	switch (column) {
	case PID:
	case COMM:
		put_process(context, q, s->process, column == COMM);
		break;
	case THREAD:
		thread = s->thread ? sql_string(q, s->thread) : NULL;
		if (thread)
			sqlite3_result_text(context, thread, -1, free);
		break;
	default:
		put_frame(context, q, s->stack, column == BINARY);
		break;
	}
}

/* What a CPU sample stands for is a matter of its session, as in the table sample. */
static int64_t total_of(const struct raw_sample *s, const struct sql_chunk *chunk)
{
	if (s->kind != SAMPLE_CPU)
		return (int64_t)s->total_ns;
	return chunk->frequency > 0
		       ? (int64_t)(s->count * NSEC_PER_SEC / (uint64_t)chunk->frequency)
		       : -1;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;
	const struct sql_chunk *chunk = &c->q->names.samples.items[c->chunk - 1];
	const struct raw_sample *s = &c->set.samples[c->i];
	const int64_t numbers[] = {
		[DURATION_NS] = s->ns ? (int64_t)s->ns : -1,
		[TIME_US] = (int64_t)(((__int128)s->time_ns + chunk->offset_ns) / 1000),
		[SESSION] = chunk->session,
		[WINDOW] = chunk->window,
		[PROCESS] = s->process,
		[TID] = s->tid,
		[STACK] = s->stack ? (int64_t)s->stack : -1,
		[COUNT] = s->count,
		[TOTAL_NS] = total_of(s, chunk),
	};

	switch (column) {
	case PID:
	case COMM:
	case THREAD:
	case FUNCTION:
	case BINARY:
		put_named(context, c->q, s, column);
		break;
	case KIND:
		put_text(context, kind_names[s->kind]);
		break;
	case TIME_US:
		sqlite3_result_int64(context, numbers[column]);
		break;
	default:
		/* Else NULL: it is not known, or there is none. */
		if (numbers[column] >= 0)
			sqlite3_result_int64(context, numbers[column]);
		break;
	}
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	const struct raw_samples_cursor *c = (struct raw_samples_cursor *)cursor;
	uint64_t id = (uint64_t)c->q->names.samples.items[c->chunk - 1].id;

	/* Unsigned, as a file may have any number as an id. */
	*ret = (int64_t)(id * RAW_SAMPLE_CHUNK_MAX + c->i);
	return SQLITE_OK;
}

int sql_make_raw_samples(struct sql *q)
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

	return sql_make_table(q, "raw_sample", "raw_sample", declaration, methods);
}
