/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_load.h"
#include "slice.h"

int history_each_event(const char *path, uint64_t since_us, uint64_t until_us, uint64_t limit,
		       int (*each)(void *arg, const struct history_event_row *row), void *arg,
		       struct error *error)
{
	static const char sql[] =
		"SELECT * FROM (SELECT (e.time_ns + s.monotonic_to_epoch_ns) / 1000 AS t,"
		" ifnull(p.pid, 0), ifnull(c.value, ''), s.name, e.kind, e.text, e.detail"
		" FROM event e JOIN session s ON s.id = e.session"
		" LEFT JOIN process p ON p.id = e.process LEFT JOIN string c ON c.id = p.comm"
		" WHERE (?1 = 0 OR t >= ?1) AND (?2 = 0 OR t < ?2)"
		" ORDER BY t DESC LIMIT ?3) ORDER BY t";
	_cleanup_(slice_release) struct slice s = {.path = path, .error = error};
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	int r = slice_open(&s), code;

	if (r < 0)
		return r;
	if (r < 3) {
		error_set(error, ENOTSUP, "NotSupported", "%s is of a format without events", path);
		return -ENOTSUP;
	}
	if (sqlite3_prepare_v2(s.db, sql, -1, &row, NULL) != SQLITE_OK)
		return schema_read_error(s.db, path, error);
	sqlite3_bind_int64(row, 1, (int64_t)MIN(since_us, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(row, 2, (int64_t)MIN(until_us, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(row, 3, limit ? (int64_t)MIN(limit, (uint64_t)INT64_MAX) : -1);
	for (r = 0; r == 0 && (code = sqlite3_step(row)) == SQLITE_ROW;) {
		struct history_event_row e = {
			.time_us = (uint64_t)sqlite3_column_int64(row, 0),
			.pid = (uint32_t)sqlite3_column_int64(row, 1),
			.comm = (const char *)sqlite3_column_text(row, 2),
			.session = (const char *)sqlite3_column_text(row, 3),
			.kind = (const char *)sqlite3_column_text(row, 4),
			.text = (const char *)sqlite3_column_text(row, 5),
			.detail = sqlite3_column_int64(row, 6),
		};

		r = each(arg, &e);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = schema_read_error(s.db, path, error);
	return r;
}
