/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbol tables on disk, by build-id: one symbol image a file, named by the build-id in
 * hexadecimal. Files are complete or not there, are checked like everything that is mapped, and
 * removed when they are not valid. Beyond a bound the ones unused for longest go. The directory is
 * used only when nobody but the daemon's user can write to it: what it holds is believed.
 *
 * Any thread may call any function, and several daemons may share a directory.
 */
#ifndef SONDE_SYMBOL_SYMBOL_CACHE_H
#define SONDE_SYMBOL_SYMBOL_CACHE_H

#include "symbol/symtab.h"

#define SYMBOL_CACHE_DIR   "/var/cache/sonde"
#define SYMBOL_CACHE_BYTES (256ULL << 20)

struct symbol_cache;

/*
 * Uses a directory, made with mode 0700 when it is not there; bytes bounds its content, but the
 * latest table may be larger. -EPERM when others can write to it, -ENOTDIR, or that of opening it.
 */
int symbol_cache_new(const char *dir, uint64_t bytes, struct symbol_cache **ret);
struct symbol_cache *symbol_cache_free(struct symbol_cache *c);
DEFINE_CLEANUP(struct symbol_cache *, symbol_cache_free)

/*
 * The table of a build-id, zero padded: -ENOENT when it is not kept, -EBADMSG when what was kept is
 * not valid and has been removed.
 */
int symbol_cache_load(struct symbol_cache *c, const uint8_t build_id[static BUILD_ID_SIZE],
		      struct symtab **ret);
/*
 * Keeps a table that the reader has made, in place of the one before. -EINVAL when it is of a file
 * without a build-id or was read in this process; or that of writing.
 */
int symbol_cache_store(struct symbol_cache *c, const struct symtab *st);
/* Drops what is kept of a build-id. */
void symbol_cache_remove(struct symbol_cache *c, const uint8_t build_id[static BUILD_ID_SIZE]);

#endif
