/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the address where a function begins to its DIE. A unit is found by .debug_aranges, and only
 * where that does not know, by a walk over all units, made once; the functions of a unit are
 * indexed when one of them is first asked for.
 */
#ifndef SONDE_SYMBOL_DWARF_INDEX_H
#define SONDE_SYMBOL_DWARF_INDEX_H

#include "symbol/dwarf_file.h"

struct dwarf_index;

int dwarf_index_new(const struct dwarf_file *file, struct dwarf_index **ret);
struct dwarf_index *dwarf_index_free(struct dwarf_index *x);
DEFINE_CLEANUP(struct dwarf_index *, dwarf_index_free)

/* -ENOENT when no function begins there, -E2BIG when the file is beyond all bounds, -ENOMEM. */
int dwarf_index_find(struct dwarf_index *x, uint64_t vaddr, Dwarf_Die *ret);

#endif
