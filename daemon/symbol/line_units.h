/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk through the DWARF of a file that lines.c makes. */
#ifndef SONDE_SYMBOL_LINE_UNITS_H
#define SONDE_SYMBOL_LINE_UNITS_H

#include "symbol/line_builder.h"

/* Finds the units of all addresses, and sorts these by unit and address. */
int line_units_find(struct line_builder *b);
/* Finds the functions and lines of the addresses from first to before end, all of that unit. */
int line_units_add(struct line_builder *b, Dwarf_Off unit, size_t first, size_t end);

#endif
