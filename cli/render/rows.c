/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rows.h"

#include <cjson/cJSON.h>

#include "grid.h"
#include "text.h"

struct column {
	char *name; /* unique, as a member of an object must be */
	char *title;
	bool has_number, has_text;
};

struct rows {
	struct output *output;
	struct json_writer *json; /* NULL: no JSON */
	enum rows_form form;
	struct column *columns;
	size_t n_columns;
	/* A table: rows come before it is known which columns are numbers. */
	struct grid_column *grid_columns;
	struct grid *grid;
	uint64_t n;
};

struct rows *rows_new(struct output *o, enum rows_form form)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->output = o;
	r->form = form;
	return r;
}

struct rows *rows_free(struct rows *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_columns; i++) {
		free(r->columns[i].name);
		free(r->columns[i].title);
	}
	grid_free(r->grid);
	free(r->grid_columns);
	free(r->columns);
	free(r);
	return NULL;
}

static bool is_taken(const struct rows *r, const char *name)
{
	for (size_t i = 0; i < r->n_columns; i++)
		if (streq(r->columns[i].name, name))
			return true;
	return false;
}

/* "calls", and of others of that name "calls_2", "calls_3". */
static char *unique_name(const struct rows *r, const char *name)
{
	char *text = strdup(name);

	for (unsigned int i = 2; text && is_taken(r, text); i++) {
		free(text);
		if (asprintf(&text, "%s_%u", name, i) < 0)
			return NULL;
	}
	return text;
}

static int add_columns(struct rows *r, reply_t *reply)
{
	size_t n = reply_count(reply, "columns");

	r->columns = calloc(n + 1, sizeof(*r->columns));
	r->grid_columns = calloc(n + 1, sizeof(*r->grid_columns));
	if (!r->columns || !r->grid_columns)
		return -ENOMEM;
	reply_foreach(c, reply, "columns")
	{
		_cleanup_(strbuf_release) struct strbuf title = {0};
		char *name = unique_name(r, reply_text(c));

		text_append_safe(&title, reply_text(c));
		strbuf_append(&title, "", 0); /* so that there is one, if an empty one */
		if (!name || strbuf_error(&title) < 0) {
			free(name);
			return -ENOMEM;
		}
		r->columns[r->n_columns].name = name;
		r->columns[r->n_columns].title = TAKE_PTR(title.data);
		r->grid_columns[r->n_columns].title = r->columns[r->n_columns].title;
		r->n_columns++;
	}
	return 0;
}

/* Integers that a JSON number cannot carry, and blobs, are objects; NULL: it is neither. */
static const char *wrapped(const cJSON *cell, const char *key)
{
	return cJSON_IsObject(cell)
		       ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cell, key))
		       : NULL;
}

/* Whole numbers as such: the shortest form of others may have an exponent. */
static void put_number(struct json_writer *w, const char *key, double value)
{
	if (value >= -9007199254740992.0 && value <= 9007199254740992.0 && value == (int64_t)value)
		json_i64(w, key, (int64_t)value);
	else
		json_double(w, key, value);
}

/* A cell as text: NULL is the empty one. */
static void cell_text(const cJSON *cell, struct strbuf *out)
{
	struct json_writer w;

	if (cJSON_IsString(cell)) {
		strbuf_puts(out, cell->valuestring);
	} else if (cJSON_IsNumber(cell)) {
		json_begin(&w, out);
		put_number(&w, NULL, cell->valuedouble);
	} else {
		const char *integer = wrapped(cell, "int"), *blob = wrapped(cell, "blob");

		strbuf_puts(out, integer ? integer : blob ? blob : "");
	}
}

static void json_cell(struct json_writer *w, const char *key, const cJSON *cell)
{
	const char *integer = wrapped(cell, "int"), *blob = wrapped(cell, "blob");

	if (cJSON_IsNumber(cell))
		put_number(w, key, cell->valuedouble);
	else if (cJSON_IsString(cell))
		json_string(w, key, cell->valuestring);
	else
		json_string(w, key, integer ? integer : blob);
}

static int begin(struct rows *r, reply_t *reply)
{
	struct strbuf *out = output_data(r->output);
	int code = add_columns(r, reply);

	if (code < 0)
		return code;
	r->json = output_document(r->output);
	if (r->json) {
		json_array_begin(r->json, "columns");
		for (size_t i = 0; i < r->n_columns; i++)
			json_string(r->json, NULL, r->columns[i].name);
		json_array_end(r->json);
		json_array_begin(r->json, "rows");
	} else if (r->form != ROWS_TABLE) {
		reply_foreach(c, reply, "columns")
		{
			if (c != reply_first(reply, "columns"))
				strbuf_putc(out, ',');
			text_append_csv(out, reply_text(c));
		}
		strbuf_puts(out, "\r\n");
	} else {
		r->grid = grid_new(r->grid_columns, r->n_columns);
		if (!r->grid)
			return -ENOMEM;
	}
	return 0;
}

static void table_cell(struct rows *r, size_t i, const cJSON *cell)
{
	_cleanup_(strbuf_release) struct strbuf text = {0};

	cell_text(cell, &text);
	grid_text(r->grid, text.data ? text.data : "");
	if (cJSON_IsNumber(cell) || wrapped(cell, "int"))
		r->columns[i].has_number = true;
	else if (!cJSON_IsNull(cell))
		r->columns[i].has_text = true;
}

static void csv_cell(struct rows *r, size_t i, const cJSON *cell)
{
	_cleanup_(strbuf_release) struct strbuf text = {0}, safe = {0};
	struct strbuf *out = output_data(r->output);

	cell_text(cell, &text);
	if (r->form == ROWS_CSV_TO_TERMINAL)
		text_append_safe(&safe, text.data);
	if (i)
		strbuf_putc(out, ',');
	/* A line without anything is no row of one empty cell. */
	if (r->n_columns == 1 && !text.len)
		strbuf_puts(out, "\"\"");
	else if (r->form == ROWS_CSV_TO_TERMINAL)
		text_append_csv(out, safe.data ? safe.data : "");
	else
		text_append_csv(out, text.data ? text.data : "");
}

static void add_row(struct rows *r, const cJSON *row)
{
	const cJSON *cell = row->child, none = {.type = cJSON_NULL};

	if (r->json)
		json_object_begin(r->json, NULL);
	for (size_t i = 0; i < r->n_columns; i++) {
		const cJSON *c = cell ? cell : &none;

		if (r->json)
			json_cell(r->json, r->columns[i].name, c);
		else if (r->form != ROWS_TABLE)
			csv_cell(r, i, c);
		else
			table_cell(r, i, c);
		cell = cell ? cell->next : NULL;
	}
	if (r->json)
		json_object_end(r->json);
	else if (r->form != ROWS_TABLE)
		strbuf_puts(output_data(r->output), "\r\n");
	r->n++;
}

int rows_add(struct rows *r, reply_t *reply)
{
	int code = r->columns ? 0 : begin(r, reply);

	if (code < 0)
		return code;
	reply_foreach(row, reply, "rows") add_row(r, row);
	return 0;
}

void rows_end(struct rows *r, const char *truncated)
{
	if (r->json) {
		json_array_end(r->json);
		if (*truncated)
			json_string(r->json, "truncated", truncated);
		output_document_end(r->output);
	} else if (r->grid) {
		for (size_t i = 0; i < r->n_columns; i++)
			r->grid_columns[i].right =
				r->columns[i].has_number && !r->columns[i].has_text;
		grid_print(r->grid, r->output);
	}
}

uint64_t rows_count(const struct rows *r)
{
	return r->n;
}
