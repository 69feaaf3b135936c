/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of one ELF file, sorted by address: from .symtab, .dynsym, .gnu_debugdata and
 * separate debug files. Addresses are those of the file itself (no load bias). A symtab is
 * immutable once loaded, so any number of threads may read it.
 */
#ifndef SONDE_SYMBOL_SYMTAB_H
#define SONDE_SYMBOL_SYMTAB_H

#include "symbol/elf_image.h"

enum symbol_flags {
	SYMBOL_LOCAL = 1 << 0,
	SYMBOL_GLOBAL = 1 << 1,
	SYMBOL_WEAK = 1 << 2,
	SYMBOL_IFUNC = 1 << 3, /* the address is that of a resolver, not of the function called */
	SYMBOL_PLT = 1 << 4,   /* a stub of the procedure linkage table, for lookups only */
};

struct symbol {
	const char *name; /* as in the file (mangled), without a version; owned by the symtab */
	uint64_t vaddr, file_offset;
	uint32_t
		size; /* bytes; up to the next function or the section's end where the file has 0 */
	uint8_t flags;
};

struct symtab;

/*
 * Collects the functions of an image, which is not needed afterwards. The path (may be NULL) is
 * where .gnu_debuglink is looked for beside; debug_dir is the root of separate debug files, NULL
 * for /usr/lib/debug. Damaged tables count as absent: a file without readable symbols gives an
 * empty symtab. Errors: -EFBIG, -ENOMEM.
 */
int symtab_load(struct elf_image *image, const char *path, const char *debug_dir,
		struct error *error, struct symtab **ret);
/*
 * The same with a separate debug file that was found already (NULL: none), which is used when the
 * image is stripped. It must be the image's: see debug_file_use().
 */
int symtab_load_with(struct elf_image *image, struct elf_image *debug, struct error *error,
		     struct symtab **ret);
struct symtab *symtab_free(struct symtab *st);
DEFINE_CLEANUP(struct symtab *, symtab_free)

/* Number of functions, stubs of the PLT included, and the memory they take in bytes. */
size_t symtab_len(const struct symtab *st);
size_t symtab_memory(const struct symtab *st);
/* True when neither the file nor a debug file or .gnu_debugdata had a full symbol table. */
bool symtab_is_stripped(const struct symtab *st);

/*
 * The function that covers an address; -ENOENT when none does. Of aliases the best known name is
 * given: exported before local, fewer leading underscores first, then global before weak, then
 * the shorter name; so the answer does not change when debug symbols get installed.
 */
int symtab_lookup(const struct symtab *st, uint64_t vaddr, const char **ret_name,
		  uint64_t *ret_start);
/* As symtab_lookup(), for an offset in the file. */
int symtab_lookup_offset(const struct symtab *st, uint64_t file_offset, const char **ret_name,
			 uint64_t *ret_offset_in_function);

/*
 * Calls fn for each function and each of its aliases in order of address, without PLT stubs. A
 * result other than 0 ends the walk and is returned.
 */
int symtab_each(const struct symtab *st, int (*fn)(const struct symbol *symbol, void *data),
		void *data);

/*
 * Names that somebody who wrote this pattern (a name or glob that matched nothing) may have meant,
 * best first; returns how many of at most max were found. The names are owned by the symtab.
 */
size_t symtab_find_near(const struct symtab *st, const char *pattern, const char *ret_names[],
			size_t max);

#endif
