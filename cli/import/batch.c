/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

#include "sonde/base/json.h"

static const struct {
	const char *table, *name;
	bool optional;
} columns[] = {
#define TABLE(name)
#define COLUMN(table, name, optional) {#table, #name, optional},
#include "columns.def"
#undef TABLE
#undef COLUMN
};

void import_batch_string(struct import_batch *b, const char *text, size_t len)
{
	struct json_writer w;
	size_t before = b->strings.len;

	if (b->strings.len)
		strbuf_putc(&b->strings, ',');
	json_begin(&w, &b->strings);
	json_stringn(&w, NULL, text, len);
	b->size += b->strings.len - before;
}

void import_batch_add(struct import_batch *b, enum import_column_id column, int64_t value)
{
	struct strbuf *text = &b->columns[column].text;
	size_t before = text->len;

	if (text->len)
		strbuf_putc(text, ',');
	if (value < 0)
		strbuf_putc(text, '-');
	strbuf_u64(text, value < 0 ? -(uint64_t)value : (uint64_t)value);
	b->columns[column].any |= value != 0;
	b->size += text->len - before;
}

static void write_array(struct strbuf *out, const char *name, const struct strbuf *text,
			bool *first)
{
	if (!*first)
		strbuf_putc(out, ',');
	*first = false;
	strbuf_printf(out, "\"%s\":[", name);
	strbuf_append(out, text->data, text->len);
	strbuf_putc(out, ']');
}

/* A table is sent when it has rows: its first column is not optional. */
static size_t write_table(const struct import_batch *b, size_t at, struct strbuf *out, bool *first)
{
	const char *table = columns[at].table;
	bool has_rows = b->columns[at].text.len > 0, first_column = true;

	if (has_rows) {
		strbuf_printf(out, "%s\"%s\":{", *first ? "" : ",", table);
		*first = false;
	}
	for (; at < IMPORT_COLUMNS && streq(columns[at].table, table); at++)
		if (has_rows && (b->columns[at].any || !columns[at].optional))
			write_array(out, columns[at].name, &b->columns[at].text, &first_column);
	if (has_rows)
		strbuf_putc(out, '}');
	return at;
}

int import_batch_write(const struct import_batch *b, struct strbuf *out)
{
	bool first = true;

	strbuf_putc(out, '{');
	if (b->strings.len)
		write_array(out, "strings", &b->strings, &first);
	for (size_t i = 0; i < IMPORT_COLUMNS;)
		i = write_table(b, i, out, &first);
	strbuf_putc(out, '}');
	for (size_t i = 0; i < IMPORT_COLUMNS; i++)
		if (strbuf_error(&b->columns[i].text) < 0)
			return -ENOMEM;
	return strbuf_error(&b->strings) < 0 ? -ENOMEM : strbuf_error(out);
}

void import_batch_clear(struct import_batch *b)
{
	strbuf_reset(&b->strings);
	for (size_t i = 0; i < IMPORT_COLUMNS; i++) {
		strbuf_reset(&b->columns[i].text);
		b->columns[i].any = false;
	}
	b->size = 0;
}

void import_batch_release(struct import_batch *b)
{
	strbuf_release(&b->strings);
	for (size_t i = 0; i < IMPORT_COLUMNS; i++)
		strbuf_release(&b->columns[i].text);
}
