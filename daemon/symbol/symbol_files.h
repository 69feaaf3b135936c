/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files a symbolizer knows: their descriptors and symbol tables, each within a bound. Not
 * locked: the symbolizer does that.
 */
#ifndef SONDE_SYMBOL_SYMBOL_FILES_H
#define SONDE_SYMBOL_SYMBOL_FILES_H

#include "sonde/base/table.h"
#include "symbol/symbol_load.h"

struct symbol_file {
	uint8_t build_id[BUILD_ID_SIZE]; /* zeros: unknown, then the path is the identity */
	char *path;
	int fd; /* negative: none */
	struct symtab *symtab;
	char *failure;		/* why there is no symtab, NULL when it was not tried */
	bool loading;		/* somebody is about to keep its symtab or the failure */
	uint64_t fd_used, used; /* ticks of last use */
	uint32_t next;		/* the next of the same hash, as index + 1; 0 at the end */
};

struct symbol_files {
	struct symbol_file *items;
	size_t len, cap;
	struct table index; /* hash to index + 1 of the first */
	uint64_t seed, tick;
	size_t max_files, max_fds, max_bytes;
	size_t n_fds, n_tables, bytes;
	uint64_t loads, evictions;
};

void symbol_files_init(struct symbol_files *files);
void symbol_files_release(struct symbol_files *files);
/* Forgets all files, closing and freeing what was kept of them; the bounds stay. */
void symbol_files_clear(struct symbol_files *files);

/* NULL when it is not known. Pointers are good until the next symbol_files_add(). */
struct symbol_file *symbol_files_find(struct symbol_files *files,
				      const uint8_t build_id[static BUILD_ID_SIZE],
				      const char *path);
/* Finds or adds; takes fd (negative: none) also on failure. */
int symbol_files_add(struct symbol_files *files, const uint8_t build_id[static BUILD_ID_SIZE],
		     const char *path, int fd, struct symbol_file **ret);
/*
 * Keeps the file's table, and drops those of others to stay within the bounds; takes it. NULL:
 * there is none to be had, for that reason.
 */
void symbol_files_keep(struct symbol_files *files, struct symbol_file *file, struct symtab *st,
		       const char *failure);
/* Drops the file's table, or the reason why there is none: it is to be read again. */
void symbol_files_drop(struct symbol_files *files, struct symbol_file *file);

#endif
