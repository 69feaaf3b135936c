/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How to unwind through the code of one ELF file: its .eh_frame as a table sorted by address. */
#ifndef SONDE_SYMBOL_UNWIND_TABLE_H
#define SONDE_SYMBOL_UNWIND_TABLE_H

#include "sonde/unwind.h"
#include "symbol/elf_image.h"

struct unwind_table {
	uint64_t base; /* the address of pc 0: the lowest of the file's executable segments */
	struct unwind_row *rows;
	size_t len;
	size_t functions; /* entries (FDEs) that were read */
	size_t bad;	  /* entries left out: damaged, or of addresses outside the code */
	size_t unsaid;	  /* rows of UNWIND_NONE inside functions: rules that cannot be said */
};

enum { UNWIND_MAX_ROWS = 16 << 20 };

/*
 * Reads the .eh_frame of an image, which is not needed afterwards. Between functions there are
 * rows of UNWIND_NONE; neighbours that say the same are one row; of overlapping entries the one
 * that begins later wins. The file's bytes are not trusted: what is damaged is counted and left
 * out. -ENODATA: the file has no .eh_frame, or nothing in it; -ENOTSUP: not an x86-64 file;
 * -EFBIG: more than UNWIND_MAX_ROWS; -ENOMEM, or that of reading the section.
 */
int unwind_table_new(struct elf_image *image, struct error *error, struct unwind_table **ret);
struct unwind_table *unwind_table_free(struct unwind_table *t);
DEFINE_CLEANUP(struct unwind_table *, unwind_table_free)

/* The row that covers an address of the file; NULL outside the table. */
const struct unwind_row *unwind_table_find(const struct unwind_table *t, uint64_t vaddr);

#endif
