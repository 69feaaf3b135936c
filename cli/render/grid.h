/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of text: columns as wide as their widest cell, numbers to the right, the last column as
 * it comes, or cut where the terminal ends. Cells are added row by row, left to right; what comes
 * from outside is made safe for terminals.
 */
#ifndef SONDE_RENDER_GRID_H
#define SONDE_RENDER_GRID_H

#include "output.h"

struct grid_column {
	const char *title; /* NULL: the column is not shown */
	bool right;	   /* aligned to the right */
	/* Where there is no room for all columns the one with the highest number goes first; 0: it
	 * stays. */
	unsigned int drop;
};

struct grid;

struct grid *grid_new(const struct grid_column *columns, size_t n); /* columns are borrowed */
struct grid *grid_free(struct grid *g);
DEFINE_CLEANUP(struct grid *, grid_free)

void grid_text(struct grid *g, const char *text);
/* "func [binary]" or "func (inlined) [binary]", behind a prefix; names in brackets, as of the
 * kernel, get no second pair. */
void grid_function(struct grid *g, const char *prefix, const char *func, bool inlined,
		   const char *binary);
void grid_printf(struct grid *g, const char *fmt, ...) _printf_(2, 3);
void grid_count(struct grid *g, uint64_t n);
void grid_duration(struct grid *g, uint64_t ns);
/* A share in percent, coloured by how large it is. */
void grid_percent(struct grid *g, double percent);
enum style grid_share_style(double percent);
/* How the cell that was added last is coloured. */
void grid_style(struct grid *g, enum style style);

/* Appends the table to the output; without any row not even its head. */
void grid_print(struct grid *g, struct output *o);

#endif
