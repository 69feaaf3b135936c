/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From addresses to functions, inlined ones included, with file and line: what DWARF says. Many
 * addresses at once, as a unit's functions are looked through once for all of them.
 */
#ifndef SONDE_SYMBOL_LINES_H
#define SONDE_SYMBOL_LINES_H

#include "symbol/dwarf_file.h"
#include "symbol/line_image.h"

/*
 * Writes a line image of n file offsets (at most LINE_ADDRESSES_MAX) of image at the position of
 * fd; dwarf is its debug information. What is not known of an address is left out of the answer.
 * -E2BIG: the debug information leads in circles; -ENOMEM. A hostile one may take for ever.
 */
int lines_write(const struct elf_image *image, const struct dwarf_file *dwarf,
		const uint64_t *offsets, size_t n, int fd, struct error *error);
/*
 * The same in this process, with what dwarf_file_open() finds: its errors too.
 */
int lines_new(struct elf_image *image, const char *path, const char *debug_dir,
	      const uint64_t *offsets, size_t n, struct error *error, struct line_image **ret);

#endif
