/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where separate debug files are looked for by build-id: directories, separated by colons. The
 * first one is the system's, /usr/lib/debug; what comes behind it was put there by somebody's
 * `sonde debuginfo --fetch` and is used only where nobody but root and this process's own user can
 * have done that.
 */
#ifndef SONDE_SYMBOL_DEBUG_DIRS_H
#define SONDE_SYMBOL_DEBUG_DIRS_H

#include <sys/stat.h>

#include "sonde/base/util.h"

#define DEBUG_DIR "/usr/lib/debug"

enum { DEBUG_ID_MAX = 64 };

/*
 * DIR/.build-id/xx/yyyy.debug of the first directory that has such a file, open for reading; dirs
 * NULL: DEBUG_DIR alone. Behind the first one no part of the path from DIR on may be a symbolic
 * link, belong to another user or be writable by others. -ENOENT when there is none.
 */
int debug_dirs_open(const char *dirs, const uint8_t *build_id, size_t len, int *ret);
/* The first of them: the one that .gnu_debuglink is looked for in as well. */
int debug_dirs_first(const char *dirs, char *ret, size_t size);
/* Whether it is of that type (S_IFDIR...), and nobody but root and this process's user can have put
 * it there, or can put another in its place or in it. */
bool debug_dirs_is_ours(int fd, mode_t type);

#endif
