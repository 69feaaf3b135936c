/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where exceptions land: the addresses in a file's code that an unwinder jumps to, by the code they
 * belong to. From .eh_frame, which describes functions and the parts of them that the compiler
 * moved away one by one, and .gcc_except_table.
 */
#ifndef SONDE_SYMBOL_LANDING_H
#define SONDE_SYMBOL_LANDING_H

#include "symbol/elf_image.h"

struct landing_table;

/* Code that is described as one: a function, or a part that was moved away (foo.cold). */
struct landing_part {
	uint64_t vaddr, size;
	const uint64_t *landings; /* ascending; the table's; they may lie in another part */
	size_t n;
};

/*
 * Nothing of the image is kept. A file without these sections, or whose .eh_frame is damaged, has
 * an empty table; where only a function's own entry is damaged or of an unknown encoding, that
 * function has no landings. -ENOMEM.
 */
int landing_table_new(struct elf_image *image, struct landing_table **ret);
struct landing_table *landing_table_free(struct landing_table *t);
DEFINE_CLEANUP(struct landing_table *, landing_table_free)

/* Landings of all parts that begin inside the range, part by part; NULL and 0: there are none. */
const uint64_t *landing_table_find(const struct landing_table *t, uint64_t vaddr, uint64_t size,
				   size_t *ret_n);
/* The part that covers an address; false when none does. */
bool landing_table_part(const struct landing_table *t, uint64_t vaddr, struct landing_part *ret);

#endif
