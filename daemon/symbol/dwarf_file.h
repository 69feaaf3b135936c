/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DWARF of a file, opened: its own or that of its separate debug file, with the supplementary
 * file that dwz made of what several files share. Split DWARF (.dwo) is not read: libdw would open
 * whatever file a hostile one names.
 */
#ifndef SONDE_SYMBOL_DWARF_FILE_H
#define SONDE_SYMBOL_DWARF_FILE_H

#include <elfutils/libdw.h>

#include "symbol/elf_image.h"

struct dwarf_file;

/* path and debug_dir as in debug_file_open(). -ENODATA when there is none that can be read. */
int dwarf_file_open(struct elf_image *image, const char *path, const char *debug_dir,
		    struct error *e, struct dwarf_file **ret);
/*
 * As above, of what is in the image itself and without opening any file: for the reader process.
 * supplement: the supplementary file where there is one, else negative; it stays the caller's.
 * Whoever cuts the files short kills this process.
 */
int dwarf_file_open_confined(const struct elf_image *image, int supplement, struct error *e,
			     struct dwarf_file **ret);
/* Whether the image itself has debug information. */
bool dwarf_file_is_in(const struct elf_image *image);
struct dwarf_file *dwarf_file_free(struct dwarf_file *f);
DEFINE_CLEANUP(struct dwarf_file *, dwarf_file_free)

Dwarf *dwarf_file_dwarf(const struct dwarf_file *f);
Dwarf *dwarf_file_supplement(const struct dwarf_file *f);  /* NULL when there is none */
uint64_t dwarf_file_info_size(const struct dwarf_file *f); /* bytes of .debug_info, both files */

/*
 * Attributes of one DIE, without going to where the DIE refers to. Strings belong to the file, ""
 * for what is not there, is longer than 4 KiB or has no end.
 */
const char *dwarf_file_string(const struct dwarf_file *f, Dwarf_Die *die, unsigned attribute);
bool dwarf_number(Dwarf_Die *die, unsigned attribute, uint64_t *ret);
bool dwarf_flag(Dwarf_Die *die, unsigned attribute);
bool dwarf_reference(Dwarf_Die *die, unsigned attribute, Dwarf_Die *ret);

#endif
