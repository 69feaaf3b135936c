/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta.h"

#include "schema.h"

bool meta_put(sqlite3 *db, const char *key, const char *value)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta VALUES(?, ?)", -1, &s, NULL) !=
	    SQLITE_OK)
		return false;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
	return sqlite3_step(s) == SQLITE_DONE;
}

int meta_get(sqlite3 *db, const char *key, size_t max, char **ret)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	const char *value;
	int code;

	if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?", -1, &s, NULL) !=
	    SQLITE_OK)
		return -EBADMSG;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	code = sqlite3_step(s);
	if (code == SQLITE_DONE)
		return 0;
	value = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (!value || (size_t)sqlite3_column_bytes(s, 0) > max || strlen(value) > max)
		return -EBADMSG;
	*ret = strdup(value);
	return *ret ? 1 : -ENOMEM;
}
