/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comma-separated values (RFC 4180), with a line of names first. */
#include "../render/span.h"
#include "../render/text.h"
#include "answer.h"
#include "formats.h"

struct csv {
	bool has_head;
};

static int csv_begin(struct export *x)
{
	x->state = calloc(1, sizeof(struct csv));
	return x->state ? 0 : -ENOMEM;
}

static void put_cell(void *arg, size_t i, const char *text)
{
	struct strbuf *out = arg;

	if (i)
		strbuf_putc(out, ',');
	text_append_csv(out, text);
}

static void put_head(struct export *x, const struct answer_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_cell(x->out, i, answer_title(x->options, &columns[i]));
	strbuf_puts(x->out, "\r\n");
}

/* Behind what all tables of spans have comes the value of counters. */
static void put_span_head(struct export *x)
{
	size_t n;
	const struct answer_column *columns = answer_span_columns(&n);

	for (size_t i = 0; i < n; i++)
		put_cell(x->out, i, columns[i].name);
	put_cell(x->out, n, "value");
	strbuf_puts(x->out, "\r\n");
}

static int csv_span(struct export *x, const struct exported_span *span)
{
	struct csv *c = x->state;

	if (!c->has_head)
		put_span_head(x);
	c->has_head = true;
	answer_span_cells(x->source, span, put_cell, x->out);
	strbuf_putc(x->out, ',');
	if (span->flags & EXPORTED_COUNTER)
		span_value(x->out, span->details);
	strbuf_puts(x->out, "\r\n");
	return 0;
}

static int csv_answer(struct export *x, reply_t *reply)
{
	struct csv *c = x->state;
	size_t n;
	const struct answer_column *columns = answer_columns(reply, &n);

	put_head(x, columns, n);
	c->has_head = true;
	reply_foreach(row, reply, "rows")
	{
		for (size_t i = 0; i < n; i++) {
			if (i)
				strbuf_putc(x->out, ',');
			if (columns[i].kind == COLUMN_TEXT)
				text_append_csv(x->out, reply_str(row, columns[i].name));
			else
				strbuf_u64(x->out, reply_u64(row, columns[i].name));
		}
		strbuf_puts(x->out, "\r\n");
	}
	return 0;
}

/* A table of nothing has its names, too. */
static int csv_end(struct export *x)
{
	struct csv *c = x->state;

	if (!c->has_head)
		put_span_head(x);
	return 0;
}

const struct export_format export_csv = {
	.name = "csv",
	.extensions = ".csv",
	.summary = "a table for spreadsheets, of --answer report (default), graph or spans",
	.carries = EXPORT_SPANS | EXPORT_ANSWER,
	.order = ORDER_START,
	.begin = csv_begin,
	.span = csv_span,
	.answer = csv_answer,
	.end = csv_end,
	.free = export_free_state,
};
