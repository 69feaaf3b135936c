/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of Python code from co_linetable, as CPython 3.11 and later lay it out (InternalDocs, or
 * before Objects/locations.md): entries one after the other, each for 1 to 8 code units.
 */
#ifndef SONDE_SYMBOL_PYTHON_LINES_H
#define SONDE_SYMBOL_PYTHON_LINES_H

#include "sonde/base/util.h"

/*
 * The line of the instruction at that offset, in bytes. Instructions without a line have that of
 * what is before them; one before the first has the first. -ENOENT: the table ends before it;
 * -EBADMSG: it is damaged.
 */
int python_lines_find(const uint8_t *table, size_t size, uint32_t first_line, int32_t offset,
		      uint32_t *ret_line);

#endif
