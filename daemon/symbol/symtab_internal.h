/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files that make up symtab: the finished table, whose entries and names are memory
 * of its own or lie in a symbol image that is mapped (see symbol_image.h), and the one under
 * construction whose names still point into the string sections of the images they come from.
 */
#ifndef SONDE_SYMBOL_SYMTAB_INTERNAL_H
#define SONDE_SYMBOL_SYMTAB_INTERNAL_H

#include "symbol/flat.h"
#include "symbol/symtab.h"

/* 16 bytes a function: user addresses have at most 56 bits, which leaves room for the flags. */
struct symtab_entry {
	uint64_t vaddr : 56;
	uint64_t flags : 8;
	uint32_t size, name;
};

struct symtab {
	struct symtab_entry *entries;
	size_t len;
	char *names;
	size_t names_size;
	struct elf_segment *segments;
	size_t n_segments;
	bool stripped;
	struct flat flat; /* the mapping; empty when there is none */
};

struct raw_symbol {
	uint64_t vaddr;
	const char *name;
	uint32_t name_len, size;
	uint8_t flags, underscores;
};

struct symtab_builder {
	struct elf_image *image; /* the file itself, whose segments are the measure */
	struct raw_symbol *symbols;
	size_t len, cap;
	uint64_t names_read; /* bytes, to bound the time that overlapping names take */
};

/* Adds a function unless it lies outside the code of the file or its name is unusable. */
int symtab_builder_add(struct symtab_builder *b, const struct raw_symbol *symbol);
/* Sorts by address and rank, drops what is there twice. */
void symtab_builder_sort(struct symtab_builder *b);
/* The best known symbol that begins at this address, or NULL; the builder must be sorted. */
const struct raw_symbol *symtab_builder_at(const struct symtab_builder *b, uint64_t vaddr);
/* Makes the final table. */
int symtab_builder_finish(struct symtab_builder *b, struct error *error, struct symtab **ret);
void symtab_builder_release(struct symtab_builder *b);

/* Names the stubs of .plt, .plt.sec and .plt.got (x86-64; elsewhere nothing is added). */
int symtab_add_plt(struct symtab_builder *b);

/* The number of leading underscores that are not part of a mangled name. */
uint8_t symbol_underscores(const char *name, size_t len);

/* One symbol of a .symtab or .dynsym, of either class. */
struct elf_symbol {
	uint64_t value, size;
	uint32_t name;
	uint16_t section;
	uint8_t type, binding;
};
size_t elf_symbol_size(const struct elf_image *image);
void elf_symbol_read(const struct elf_image *image, const uint8_t *data, size_t index,
		     struct elf_symbol *ret);
/*
 * The name at an offset of a string section, not terminated but without its version: length 0
 * when it lies outside, does not end or is too long. -EFBIG when all names are too much to read.
 */
int symtab_builder_name(struct symtab_builder *b, const uint8_t *strings, size_t size,
			uint32_t offset, const char **ret_name, uint32_t *ret_len);

#endif
