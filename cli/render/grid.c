/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "grid.h"

#include "sonde/base/format.h"
#include "text.h"

struct cell {
	size_t start; /* in text; each cell ends with a NUL */
	enum style style;
	size_t name_len; /* of a function: its name, without the binary; else 0 */
};

struct grid {
	const struct grid_column *columns;
	size_t n_columns;
	struct strbuf text;
	struct cell *cells;
	size_t n_cells, cap_cells;
	bool failed;
};

struct grid *grid_new(const struct grid_column *columns, size_t n)
{
	struct grid *g = calloc(1, sizeof(*g));

	if (g) {
		g->columns = columns;
		g->n_columns = n;
	}
	return g;
}

struct grid *grid_free(struct grid *g)
{
	if (!g)
		return NULL;
	strbuf_release(&g->text);
	free(g->cells);
	free(g);
	return NULL;
}

void grid_text(struct grid *g, const char *text)
{
	if (array_reserve(&g->cells, &g->cap_cells, g->n_cells + 1, sizeof(*g->cells)) < 0) {
		g->failed = true;
		return;
	}
	g->cells[g->n_cells++] = (struct cell){.start = g->text.len};
	text_append_safe(&g->text, text);
	strbuf_putc(&g->text, '\0');
}

void grid_printf(struct grid *g, const char *fmt, ...)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	grid_text(g, b.data);
}

void grid_count(struct grid *g, uint64_t n)
{
	char buf[FORMAT_MAX];

	grid_text(g, format_count(buf, n));
}

void grid_duration(struct grid *g, uint64_t ns)
{
	char buf[FORMAT_MAX];

	grid_text(g, format_duration(buf, ns));
}

void grid_style(struct grid *g, enum style style)
{
	if (g->n_cells)
		g->cells[g->n_cells - 1].style = style;
}

enum style grid_share_style(double percent)
{
	return percent >= 20   ? STYLE_HOT
	       : percent >= 5  ? STYLE_WARM
	       : percent < 0.5 ? STYLE_DIM
			       : STYLE_NONE;
}

void grid_percent(struct grid *g, double percent)
{
	grid_printf(g, "%.1f", percent);
	grid_style(g, grid_share_style(percent));
}

static const char *cell_text(const struct grid *g, size_t i)
{
	return g->text.data + g->cells[i].start;
}

enum { LAST_LEAST = 24, NOT_SHOWN = SIZE_MAX };

static size_t taken(const struct grid *g, const size_t *width)
{
	size_t sum = 0;

	for (size_t c = 0; c + 1 < g->n_columns; c++)
		if (width[c] != NOT_SHOWN)
			sum += width[c] + 2;
	return sum;
}

/* The widths of the columns, NOT_SHOWN of those that there is no room for. room 0: there is. */
static void measure(const struct grid *g, size_t room, size_t *width)
{
	size_t least;

	for (size_t c = 0; c < g->n_columns; c++)
		width[c] = g->columns[c].title ? text_width(g->columns[c].title) : NOT_SHOWN;
	for (size_t i = 0; i < g->n_cells; i++) {
		size_t *w = &width[i % g->n_columns];

		if (*w != NOT_SHOWN)
			*w = MAX(*w, text_width(cell_text(g, i)));
	}
	/* The last column is cut before others go, but something of it is to be seen. */
	least = MIN(width[g->n_columns - 1], (size_t)LAST_LEAST);
	while (room && taken(g, width) + least > room) {
		size_t worst = 0;

		for (size_t c = 1; c < g->n_columns; c++)
			if (width[c] != NOT_SHOWN && (width[worst] == NOT_SHOWN ||
						      g->columns[c].drop > g->columns[worst].drop))
				worst = c;
		if (!g->columns[worst].drop)
			break;
		width[worst] = NOT_SHOWN;
	}
}

/* The end of a function's name tells as much as its beginning, and more than its binary does. */
static void print_cut(struct strbuf *out, const char *text, const struct cell *cell, size_t room)
{
	_cleanup_(freep) char *name = cell->name_len ? strndup(text, cell->name_len) : NULL;

	if (name && text_width(name) > room)
		text_append_cut_inside(out, name, room);
	else
		text_append_cut(out, text, room);
}

static void print_cell(const struct grid *g, struct output *o, size_t column, const char *text,
		       const struct cell *cell, const size_t *width, size_t room)
{
	struct strbuf *out = output_data(o);
	bool last = column + 1 == g->n_columns;
	size_t w, pad;

	if (width[column] == NOT_SHOWN)
		return;
	w = text_width(text);
	pad = width[column] > w ? width[column] - w : 0;
	if (g->columns[column].right)
		text_spaces(out, pad);
	strbuf_puts(out, output_style(o, cell->style));
	if (last && room)
		print_cut(out, text, cell, room);
	else
		strbuf_puts(out, text);
	strbuf_puts(out, output_style_end(o, cell->style));
	if (last)
		strbuf_putc(out, '\n');
	else
		text_spaces(out, (g->columns[column].right ? 0 : pad) + 2);
}

void grid_print(struct grid *g, struct output *o)
{
	_cleanup_(freep) size_t *width = calloc(g->n_columns + 1, sizeof(*width));
	bool scrolls;
	const struct cell head = {.style = STYLE_HEAD};
	size_t used, room = 0, limit = output_room(o, g->n_cells / g->n_columns + 1, &scrolls);

	if (!width || g->failed || strbuf_error(&g->text) < 0) {
		output_data(o)->failed = true;
		return;
	}
	if (!g->n_cells)
		return;
	measure(g, limit, width);
	used = taken(g, width);
	/* On a very narrow terminal wrapping is better than nothing at all. */
	if (!scrolls && limit > used + 10)
		room = limit - used;
	for (size_t c = 0; c < g->n_columns; c++)
		print_cell(g, o, c, g->columns[c].title, &head, width, room);
	for (size_t i = 0; i < g->n_cells; i++)
		print_cell(g, o, i % g->n_columns, cell_text(g, i), &g->cells[i], width, room);
}

void grid_function(struct grid *g, const char *prefix, const char *func, bool inlined,
		   const char *binary)
{
	_cleanup_(strbuf_release) struct strbuf name = {0}, safe = {0};

	strbuf_printf(&name, "%s%s%s", prefix, func, inlined ? " (inlined)" : "");
	text_append_safe(&safe, name.data);
	if (!*binary || streq(func, binary))
		grid_text(g, name.data);
	else
		grid_printf(g, *binary == '[' ? "%s %s" : "%s [%s]", name.data, binary);
	if (strbuf_error(&name) < 0 || strbuf_error(&safe) < 0)
		g->failed = true;
	if (!g->failed)
		g->cells[g->n_cells - 1].name_len = safe.len;
}
