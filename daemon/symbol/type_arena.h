/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for types read from a file: given out piece by piece, freed as a whole, bounded, as files
 * are hostile. Shared by the readers of DWARF and BTF, with what both say about types.
 */
#ifndef SONDE_SYMBOL_TYPE_ARENA_H
#define SONDE_SYMBOL_TYPE_ARENA_H

#include "symbol/function_type.h"

struct type_block;

struct type_arena {
	struct type_block *blocks;
	size_t total;
};

enum { TYPE_NAME_MAX = 512 };

/* Zeroed, aligned for anything. NULL: out of memory, or more than 256 MiB. */
void *type_arena_alloc(struct type_arena *a, size_t size);
/* Formatted, cut to TYPE_NAME_MAX - 1 bytes; "" when out of memory. */
const char *type_arena_name(struct type_arena *a, const char *fmt, ...) _printf_(2, 3);
void type_arena_release(struct type_arena *a);

/* "char" → "char *", "char *" → "char **", "int (int)" → "int (*)(int)". */
const char *ctype_pointer_name(struct type_arena *a, const struct ctype *target, const char *mark);
/* "char" → "const char", "char *" → "char *const". */
const char *ctype_qualified_name(struct type_arena *a, const struct ctype *t, const char *word);
/* "int" and 4 → "int [4]", "int [3]" → "int [4][3]"; a count of 0 is left out. */
const char *ctype_array_name(struct type_arena *a, const struct ctype *element, uint64_t count);
/*
 * Whether values of an enum are meant to be combined: single bits and perhaps zero, two bits at
 * least; 0, 1, 2 are three names that are counted up, not two flags.
 */
bool ctype_values_are_flags(const struct ctype_value *values, size_t n);

extern const struct ctype ctype_void, ctype_unknown;

/*
 * Makes a bit field of a member, whose type is known: the place of its first bit in the struct. In
 * a unit aligned as the type is, or byte by byte where that does not hold it. False: neither does.
 */
bool ctype_place_bits(struct ctype_member *m, uint64_t first, uint64_t bits);

#endif
