/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of DWARF made into struct ctype, each DIE once. */
#ifndef SONDE_SYMBOL_DWARF_TYPE_H
#define SONDE_SYMBOL_DWARF_TYPE_H

#include "symbol/dwarf_file.h"
#include "symbol/type_image.h"

struct dwarf_types;

/* Both are borrowed; the arena must live as long as the types are used. */
int dwarf_types_new(const struct dwarf_file *file, struct type_arena *arena,
		    struct dwarf_types **ret);
struct dwarf_types *dwarf_types_free(struct dwarf_types *t);
DEFINE_CLEANUP(struct dwarf_types *, dwarf_types_free)

/* The type a DIE has by DW_AT_type; void when it has none, never NULL. */
const struct ctype *dwarf_types_of(struct dwarf_types *t, Dwarf_Die *die);
/*
 * Where a struct that came from here is in the debug information, and the struct of such a place
 * again, NULL when there is none.
 */
bool dwarf_types_key(const struct dwarf_types *t, const struct ctype *c, struct type_key *ret);
const struct ctype *dwarf_types_struct(struct dwarf_types *t, const struct type_key *key);
/* A pointer to a type, by which the calling convention passes it: keeps the type's name. */
const struct ctype *dwarf_types_by_reference(struct dwarf_types *t, const struct ctype *target);

#endif
