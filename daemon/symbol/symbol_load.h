/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the symbol table of a file is had. Keeps nothing, so that it needs no lock. */
#ifndef SONDE_SYMBOL_SYMBOL_LOAD_H
#define SONDE_SYMBOL_SYMBOL_LOAD_H

#include "symbol/reader.h"
#include "symbol/symbol_cache.h"

/* All are borrowed. */
struct symbol_sources {
	struct reader *reader;	    /* NULL: files are read in this process */
	struct symbol_cache *cache; /* of what the reader made; NULL: none */
	const char *debug_dir;	    /* NULL: /usr/lib/debug */
};

/* Zeros: the build-id is not known. */
bool symbol_is_unknown(const uint8_t *build_id);

/*
 * The table of a file known by its build-id, of zeros when it has none: of fd, else of path, which
 * for a file without a build-id is not tried. What the cache has is taken without a look at the
 * file; it gets tables of files that belong to root or to the daemon's own user, as others could
 * give theirs the build-id of a file that everybody uses. -ESTALE when what is there has another
 * build-id; otherwise errors of reading. Always with a message.
 */
int symbol_load(const struct symbol_sources *from, const uint8_t build_id[static BUILD_ID_SIZE],
		const char *path, int fd, struct error *error, struct symtab **ret);

/* As above, for how to unwind through it; nothing is cached. -ENODATA, -ENOTSUP: it cannot be said.
 */
int symbol_load_unwind(const struct symbol_sources *from,
		       const uint8_t build_id[static BUILD_ID_SIZE], const char *path, int fd,
		       struct error *error, struct unwind_image **ret);

#endif
