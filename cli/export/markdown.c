/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table in Markdown, for reports that people read. */
#include "../render/text.h"
#include "answer.h"
#include "formats.h"
#include "sonde/base/format.h"

struct markdown {
	bool has_head;
};

static int markdown_begin(struct export *x)
{
	x->state = calloc(1, sizeof(struct markdown));
	return x->state ? 0 : -ENOMEM;
}

/* A cell ends at a bar and at the end of its line; what Markdown or HTML would take is escaped. */
static void put_text(struct strbuf *out, const char *text)
{
	_cleanup_(strbuf_release) struct strbuf safe = {};

	text_append_safe(&safe, text);
	for (size_t i = 0; i < safe.len; i++) {
		if (strchr("\\|*_`<>&[]#~", safe.data[i]))
			strbuf_putc(out, '\\');
		strbuf_putc(out, safe.data[i]);
	}
	if (strbuf_error(&safe) < 0)
		out->failed = true;
}

static void put_cell(void *arg, size_t i, const char *text)
{
	struct strbuf *out = arg;

	strbuf_puts(out, i ? " | " : "| ");
	put_text(out, text);
}

static void put_head(struct export *x, const struct answer_column *columns, size_t n)
{
	struct markdown *m = x->state;

	m->has_head = true;
	for (size_t i = 0; i < n; i++) {
		const char *title = answer_title(x->options, &columns[i]);
		size_t len = strlen(title);

		/* Durations say their unit themselves. */
		if (columns[i].kind == COLUMN_NS && len > 3)
			len -= 3;
		strbuf_puts(x->out, i ? " | " : "| ");
		strbuf_append(x->out, title, len);
	}
	strbuf_puts(x->out, " |\n");
	for (size_t i = 0; i < n; i++)
		strbuf_puts(x->out, columns[i].kind == COLUMN_TEXT ? "|---" : "|--:");
	strbuf_puts(x->out, "|\n");
}

static void put_value(struct strbuf *out, const struct answer_column *c, reply_t *row)
{
	char buf[FORMAT_MAX];

	if (c->kind == COLUMN_TEXT)
		put_text(out, reply_str(row, c->name));
	else if (c->kind == COLUMN_NS)
		strbuf_puts(out, format_duration(buf, reply_u64(row, c->name)));
	else
		strbuf_puts(out, format_count(buf, reply_u64(row, c->name)));
}

static int markdown_answer(struct export *x, reply_t *reply)
{
	size_t n;
	const struct answer_column *columns = answer_columns(reply, &n);

	put_head(x, columns, n);
	reply_foreach(row, reply, "rows")
	{
		for (size_t i = 0; i < n; i++) {
			strbuf_puts(x->out, i ? " | " : "| ");
			put_value(x->out, &columns[i], row);
		}
		strbuf_puts(x->out, " |\n");
	}
	return 0;
}

struct cells {
	struct strbuf *out;
	const struct answer_column *columns;
};

static void put_span_cell(void *arg, size_t i, const char *text)
{
	const struct cells *c = arg;
	char buf[FORMAT_MAX];
	uint64_t ns;

	if (c->columns[i].kind == COLUMN_NS && parse_u64(text, &ns) == 0)
		text = format_duration(buf, ns);
	put_cell(c->out, i, text);
}

static int markdown_span(struct export *x, const struct exported_span *span)
{
	struct markdown *m = x->state;
	struct cells cells = {.out = x->out};
	size_t n;

	cells.columns = answer_span_columns(&n);
	if (!m->has_head)
		put_head(x, cells.columns, n);
	answer_span_cells(x->source, span, put_span_cell, &cells);
	strbuf_puts(x->out, " |\n");
	return 0;
}

static int markdown_end(struct export *x)
{
	struct markdown *m = x->state;
	size_t n;
	const struct answer_column *columns = answer_span_columns(&n);

	if (!m->has_head)
		put_head(x, columns, n);
	return 0;
}

const struct export_format export_markdown = {
	.name = "md",
	.extensions = ".md|.markdown",
	.summary = "a table to be read, of --answer report (default), graph or spans",
	.carries = EXPORT_SPANS | EXPORT_ANSWER,
	.order = ORDER_START,
	.begin = markdown_begin,
	.span = markdown_span,
	.answer = markdown_answer,
	.end = markdown_end,
	.free = export_free_state,
};
