/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of raw_span. What the file does not have is NULL. */
#include "sql_spans.h"

static void put_text(sqlite3_context *context, const char *text)
{
	if (text)
		sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

static void put_string(sqlite3_context *context, struct sql *q, uint32_t id)
{
	char *text = id ? sql_string(q, id) : NULL;

	if (text)
		sqlite3_result_text(context, text, -1, free);
}

static void *signature_of(const struct sql_texts *texts, struct sql_path *path)
{
	if (!path->opened) {
		path->opened = true;
		path->signature =
			path->signature_text[0] ? texts->open(path->signature_text) : NULL;
	}
	return path->signature;
}

static void put_category(sqlite3_context *context, const struct sql_spans_cursor *c)
{
	struct sql_path *path = sql_path(c->q, c->set.spans[c->i].path);
	const struct sql_texts *texts = &c->q->options.texts;
	void *signature = path && texts->open ? signature_of(texts, path) : NULL;

	put_text(context, signature ? texts->category(signature) : NULL);
}

/* NULL where nothing was kept, or there is nothing to say: no result is known. */
static void put_values(sqlite3_context *context, const struct sql_spans_cursor *c,
		       struct sql_path *path, const struct span_more *more, bool args)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	const struct sql_texts *texts = &c->q->options.texts;
	const struct raw_span *span = &c->set.spans[c->i];

	if (!path || !texts->open || (args && !more->args && !more->values_len))
		return;
	(void)signature_of(texts, path);
	if (args)
		texts->args(path->signature, span, more, &out);
	else if (path->signature)
		texts->result(path->signature, span, more, &out);
	if (strbuf_error(&out) < 0)
		sqlite3_result_error_nomem(context);
	else if (out.len)
		sqlite3_result_text64(context, out.data, out.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void put_more(sqlite3_context *context, const struct sql_spans_cursor *c, int column)
{
	struct span_more more = more_pool_get(&c->set.more, c->i);
	struct sql *q = c->q;
	double value;

	switch (column) {
	case OFFCPU_NS:
		if (c->set.more.kinds & MORE_OFFCPU)
			sqlite3_result_int64(context, more.offcpu_ns);
		break;
	case RESULT:
	case ARGS:
		put_values(context, c, sql_path(q, c->set.spans[c->i].path), &more, column == ARGS);
		break;
	case CAT:
		put_category(context, c);
		break;
	case VALUE:
		if (c->set.spans[c->i].flags & SPAN_COUNTER && span_more_value(&more, &value))
			sqlite3_result_double(context, value);
		break;
	case EXCEPTION:
		put_string(context, q, more.exception_type);
		break;
	case MESSAGE:
		put_string(context, q, more.exception_message);
		break;
	case STACK:
		if (more.stack)
			sqlite3_result_int64(context, more.stack);
		break;
	default:
		if (more.args)
			sqlite3_result_int64(context, more.args[column - ARG0]);
		break;
	}
}

static void put_named(sqlite3_context *context, const struct sql_spans_cursor *c, int column)
{
	const struct raw_span *span = &c->set.spans[c->i];
	const struct sql_process *process = NULL;
	const struct sql_path *path = NULL;

	if (column == FUNCTION || column == BINARY)
		path = sql_path(c->q, span->path);
	else
		process = sql_process(c->q, span->process);
	if (path)
		put_text(context, column == FUNCTION ? path->function : path->binary);
	else if (process && column == COMM)
		put_text(context, process->comm);
	else if (process)
		sqlite3_result_int64(context, process->pid);
}

int sql_spans_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct sql_spans_cursor *c = (struct sql_spans_cursor *)cursor;
	const struct sql_chunk *chunk = &c->q->names.spans.items[c->chunk - 1];
	const struct raw_span *s = &c->set.spans[c->i];
	int64_t numbers[ARG0] = {
		[DURATION_NS] = s->duration_ns,
		[SELF_NS] = s->self_ns,
		[SESSION] = chunk->session,
		[WINDOW] = chunk->window,
		[PROCESS] = s->process,
		[TID] = s->tid,
		[PATH] = s->path,
		[DEPTH] = s->depth,
		[RET] = s->ret,
		[ERROR] = !!(s->flags & SPAN_ERROR),
		[UNWOUND] = !!(s->flags & SPAN_UNWOUND),
		[INSTANT] = !!(s->flags & SPAN_INSTANT),
		[COUNTER] = !!(s->flags & SPAN_COUNTER),
	};

	switch (column) {
	case TIME_US:
		sqlite3_result_int64(context, ((__int128)s->start_ns + chunk->offset_ns) / 1000);
		break;
	case PID:
	case COMM:
	case FUNCTION:
	case BINARY:
		put_named(context, c, column);
		break;
	case DURATION_NS:
	case SELF_NS:
	case SESSION:
	case WINDOW:
	case PROCESS:
	case TID:
	case PATH:
	case DEPTH:
	case ERROR:
	case UNWOUND:
	case INSTANT:
	case COUNTER:
		sqlite3_result_int64(context, numbers[column]);
		break;
	case RET:
		if (!(s->flags & (SPAN_UNWOUND | SPAN_TAIL | SPAN_INSTANT)))
			sqlite3_result_int64(context, numbers[column]);
		break;
	default:
		put_more(context, c, column);
		break;
	}
	return SQLITE_OK;
}
