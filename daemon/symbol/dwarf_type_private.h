/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dwarf_type*.c share. */
#ifndef SONDE_SYMBOL_DWARF_TYPE_PRIVATE_H
#define SONDE_SYMBOL_DWARF_TYPE_PRIVATE_H

#include "sonde/base/table.h"
#include "symbol/dwarf_type.h"

enum { MEMBERS_MAX = TYPE_MEMBERS_MAX, VALUES_MAX = TYPE_VALUES_MAX, POINTER_SIZE = 8 };

struct dwarf_ctype {
	struct ctype c; /* first: complete() goes back from it */
	struct dwarf_types *owner;
	Dwarf_Die die;		  /* of a struct */
	struct dwarf_ctype *base; /* the same struct under its own name, if it was incomplete */
};

struct dwarf_types {
	const struct dwarf_file *file;
	struct type_arena *arena;
	struct table by_die; /* address of the DIE in memory to index in list */
	const struct ctype **list;
	size_t n, cap;
	uint64_t budget; /* bytes of the file that may still be walked over */
};

/* For loops over the children of a DIE, as the results of libdw: 0 for one more. */
int dwarf_first_child(struct dwarf_types *t, Dwarf_Die *parent, Dwarf_Die *ret);
int dwarf_next_child(struct dwarf_types *t, Dwarf_Die *die);

const struct ctype *dwarf_types_of_depth(struct dwarf_types *t, Dwarf_Die *die, int depth);
/* Kinds of their own file: struct, class, union; enum. */
const struct ctype *dwarf_struct(struct dwarf_types *t, Dwarf_Die *die);
const struct ctype *dwarf_enum(struct dwarf_types *t, Dwarf_Die *die, int depth);
/* A copy under another name; ctype_unknown when out of memory. */
const struct ctype *dwarf_renamed(struct dwarf_types *t, const struct ctype *base,
				  const char *name);

#endif
