/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "grid.h"

#include "sonde/base/format.h"
#include "text.h"

struct cell {
	size_t start; /* in text; each cell ends with a NUL */
	enum style style;
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

void grid_percent(struct grid *g, double percent)
{
	grid_printf(g, "%.1f", percent);
	grid_style(g, percent >= 20   ? STYLE_HOT
		      : percent >= 5  ? STYLE_WARM
		      : percent < 0.5 ? STYLE_DIM
				      : STYLE_NONE);
}

static const char *cell_text(const struct grid *g, size_t i)
{
	return g->text.data + g->cells[i].start;
}

static void print_cell(const struct grid *g, struct output *o, size_t column, const char *text,
		       enum style style, size_t width, size_t room)
{
	struct strbuf *out = output_data(o);
	bool last = column + 1 == g->n_columns;
	size_t w = text_width(text), pad = width > w ? width - w : 0;

	if (g->columns[column].right)
		text_spaces(out, pad);
	strbuf_puts(out, output_style(o, style));
	if (last && room)
		text_append_cut(out, text, room);
	else
		strbuf_puts(out, text);
	strbuf_puts(out, output_style_end(o, style));
	if (last)
		strbuf_putc(out, '\n');
	else
		text_spaces(out, (g->columns[column].right ? 0 : pad) + 2);
}

void grid_print(struct grid *g, struct output *o)
{
	_cleanup_(freep) size_t *width = calloc(g->n_columns + 1, sizeof(*width));
	size_t taken = 0, room = 0, terminal = output_width(o);

	if (!width || g->failed || strbuf_error(&g->text) < 0) {
		output_data(o)->failed = true;
		return;
	}
	if (!g->n_cells)
		return;
	for (size_t c = 0; c < g->n_columns; c++)
		width[c] = text_width(g->columns[c].title);
	for (size_t i = 0; i < g->n_cells; i++) {
		size_t *w = &width[i % g->n_columns];

		*w = MAX(*w, text_width(cell_text(g, i)));
	}
	for (size_t c = 0; c + 1 < g->n_columns; c++)
		taken += width[c] + 2;
	/* On a very narrow terminal wrapping is better than nothing at all. */
	if (terminal > taken + 10)
		room = terminal - taken;
	for (size_t c = 0; c < g->n_columns; c++)
		print_cell(g, o, c, g->columns[c].title, STYLE_HEAD, width[c], room);
	for (size_t i = 0; i < g->n_cells; i++)
		print_cell(g, o, i % g->n_columns, cell_text(g, i), g->cells[i].style,
			   width[i % g->n_columns], room);
}

void grid_function(struct grid *g, const char *prefix, const char *func, bool inlined,
		   const char *binary)
{
	const char *mark = inlined ? " (inlined)" : "";

	if (!*binary || streq(func, binary))
		grid_printf(g, "%s%s%s", prefix, func, mark);
	else
		grid_printf(g, *binary == '[' ? "%s%s%s %s" : "%s%s%s [%s]", prefix, func, mark,
			    binary);
}
