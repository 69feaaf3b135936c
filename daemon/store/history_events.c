/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_load.h"
#include "slice.h"

static const char *text_of(sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);

	return text ? text : "";
}

static void event_is_wanted(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct history_events *which = sqlite3_user_data(context);
	const struct history_event_row row = {
		.pid = (uint32_t)sqlite3_value_int64(args[0]),
		.uid = (uint32_t)sqlite3_value_int64(args[1]),
		.comm = text_of(args[2]),
		.cgroup = text_of(args[3]),
		.container = text_of(args[4]),
	};

	(void)n;
	sqlite3_result_int(context, !which->wanted || which->wanted(which->arg, &row));
}

/* The newest of those that are wanted, in order of time. */
static int prepare_events(struct slice *s, const struct history_events *which, sqlite3_stmt **ret)
{
	static const char sql[] =
		"SELECT * FROM (SELECT (e.time_ns + s.monotonic_to_epoch_ns) / 1000 AS t,"
		" ifnull(p.pid, 0), ifnull(c.value, ''), s.name, e.kind, e.text, e.detail"
		" FROM event e JOIN session s ON s.id = e.session"
		" LEFT JOIN process p ON p.id = e.process LEFT JOIN string c ON c.id = p.comm"
		" LEFT JOIN string g ON g.id = p.cgroup LEFT JOIN string n ON n.id = p.container"
		" WHERE (?1 = 0 OR t >= ?1) AND (?2 = 0 OR t < ?2)"
		" AND (?4 IS NULL OR s.name = ?4)"
		" AND event_is_wanted(p.pid, p.uid, c.value, g.value, n.value)"
		" ORDER BY t DESC LIMIT ?3) ORDER BY t";
	uint64_t limit = MIN(which->limit, (uint64_t)INT64_MAX);

	if (sqlite3_create_function(s->db, "event_is_wanted", 5, SQLITE_UTF8, (void *)which,
				    event_is_wanted, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) != SQLITE_OK)
		return schema_read_error(s->db, s->path, s->error);
	sqlite3_bind_int64(*ret, 1, (int64_t)MIN(which->since_us, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(*ret, 2, (int64_t)MIN(which->until_us, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(*ret, 3, limit ? (int64_t)limit : -1);
	sqlite3_bind_text(*ret, 4, which->session, -1, SQLITE_STATIC);
	return 0;
}

int history_each_event(const char *path, const struct history_events *which,
		       int (*each)(void *arg, const struct history_event_row *row), void *arg,
		       struct error *error)
{
	_cleanup_(slice_release) struct slice s = {.path = path, .error = error};
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	int r = slice_open(&s), code = SQLITE_DONE;

	if (r < 0)
		return r;
	if (r < 3) {
		error_set(error, ENOTSUP, "NotSupported", "%s is of a format without events", path);
		return -ENOTSUP;
	}
	r = prepare_events(&s, which, &row);
	while (r == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
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
