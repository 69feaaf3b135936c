/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file says of itself as a whole, by key: the table meta. */
#ifndef SONDE_STORE_META_H
#define SONDE_STORE_META_H

#include <sqlite3.h>
#include <stdbool.h>

#include "sonde/base/util.h"

#define META_HOST "host" /* the name of the machine that the file is of */
#define META_BOOT "boot" /* the id of the machine's run */

/* Replaces; false: the code is in db. */
bool meta_put(sqlite3 *db, const char *key, const char *value);
/* 1 and a malloc'd text, 0 when there is none, -EBADMSG when it is longer than max. */
int meta_get(sqlite3 *db, const char *key, size_t max, char **ret);

#endif
