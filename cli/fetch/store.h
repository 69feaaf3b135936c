/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory in which the daemon looks for debug files that were fetched, by build-id:
 * DIR/.build-id/xx/yyyy.debug. A file is there complete or not at all. One command at a time
 * writes to it.
 */
#ifndef SONDE_FETCH_STORE_H
#define SONDE_FETCH_STORE_H

#include "sonde/base/error.h"

struct fetch_store;

/*
 * Makes what is missing of the directory, and checks that it belongs to this user and nobody else
 * can write to it. wait: for a command that uses it now, else -EBUSY.
 */
int fetch_store_open(const char *dir, bool wait, struct fetch_store **ret, struct error *e);
struct fetch_store *fetch_store_free(struct fetch_store *s);
DEFINE_CLEANUP(struct fetch_store *, fetch_store_free)

/* Where files may be written before they are put in their place: on the same file system. */
const char *fetch_store_workspace(const struct fetch_store *s);
/* Empties it: what stays there are notes of libdebuginfod, also of what no server had. */
void fetch_store_clear_workspace(struct fetch_store *s);

bool fetch_store_has(const struct fetch_store *s, const char *build_id);
/*
 * Moves a file of the workspace to its place; fd is the same file. It must be an ELF file of that
 * build-id (lower-case hexadecimal): else -EBADMSG, and it is removed. The build-id of its
 * supplement, or "", as from elf_id_read(), which says how large the last one must be.
 */
int fetch_store_put(struct fetch_store *s, const char *build_id, int fd, const char *path,
		    char *ret_supplement, struct error *e);
/* Removes the oldest files until those that are left have at most that many bytes. */
int fetch_store_trim(struct fetch_store *s, uint64_t bytes, size_t *ret_removed);

#endif
