/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files that were not installed but fetched by `sonde debuginfo --fetch`: the daemon has no
 * network. It tells the command where it looks for them, and looks there behind /usr/lib/debug.
 */
#ifndef SONDE_CONTROL_FETCHED_H
#define SONDE_CONTROL_FETCHED_H

#include "symbol/symbolizer.h"

/*
 * The directory, which need not exist: for root CACHE/debug, for anybody else sonde/debug in
 * $XDG_CACHE_HOME, or in .cache in $HOME. "" when there is none, or its name has a colon. The
 * caller frees it. 0 or -ENOMEM.
 */
int fetched_dir(const char *cache, char **ret);
/* Before the symbolizer is used first. 0 or -ENOMEM. */
int fetched_use(const char *dir, struct symbolizer *s);

#endif
