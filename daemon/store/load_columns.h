/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of a row: false unless the column has the type and the range. Column 0 is the row's id.
 */
#ifndef SONDE_STORE_LOAD_COLUMNS_H
#define SONDE_STORE_LOAD_COLUMNS_H

#include "schema.h"

static inline bool get_i64(sqlite3_stmt *s, int column, int64_t *ret)
{
	*ret = sqlite3_column_int64(s, column);
	return sqlite3_column_type(s, column) == SQLITE_INTEGER;
}

static inline bool get_number(sqlite3_stmt *s, int column, uint64_t max, uint64_t *ret)
{
	int64_t v;

	if (!get_i64(s, column, &v) || v < 0 || (uint64_t)v > max)
		return false;
	*ret = v;
	return true;
}

static inline bool get_id(sqlite3_stmt *s, int column, uint32_t max, uint32_t *ret)
{
	uint64_t v;

	if (!get_number(s, column, max, &v))
		return false;
	*ret = v;
	return true;
}

#endif
