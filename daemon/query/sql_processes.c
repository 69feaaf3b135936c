/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes a query is about. Rows of others are left out by the views and the table of raw
 * spans; the function that says so has a name that nobody can write.
 */
#include "sql_private.h"

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

static int read_wanted(struct sql *q)
{
	static const char all[] =
		"SELECT p.id, p.pid, p.uid, c.value, g.value, n.value FROM {process} p"
		" LEFT JOIN main.string c ON c.id = p.comm"
		" LEFT JOIN main.string g ON g.id = p.cgroup"
		" LEFT JOIN main.string n ON n.id = p.container";
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	_cleanup_(freep) char *sql = sql_for_version(q, all);
	int code = sql ? sqlite3_prepare_v2(q->db, sql, -1, &row, NULL) : SQLITE_NOMEM;

	if (code != SQLITE_OK)
		return code;
	while ((code = sqlite3_step(row)) == SQLITE_ROW) {
		const struct selectors_process p = {
			.pid = (uint32_t)sqlite3_column_int64(row, 1),
			.uid = (uint32_t)sqlite3_column_int64(row, 2),
			.comm = text_of(row, 3),
			.cgroup = text_of(row, 4),
			.container = text_of(row, 5),
		};

		if (selectors_match_process(q->options.selectors, &p) &&
		    !table_put(&q->wanted, (uint64_t)sqlite3_column_int64(row, 0), NULL))
			return SQLITE_NOMEM;
	}
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

bool sql_process_is_wanted(const struct sql *q, int64_t id)
{
	return !q->options.selectors || table_get(&q->wanted, (uint64_t)id);
}

static void wanted(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sql *q = sqlite3_user_data(context);

	(void)n;
	sqlite3_result_int(context, sqlite3_value_type(args[0]) == SQLITE_INTEGER &&
					    sql_process_is_wanted(q, sqlite3_value_int64(args[0])));
}

int sql_choose_processes(struct sql *q)
{
	char name[sizeof(SQL_WANTED) + sizeof(q->secret)];
	int code;

	if (!q->options.selectors)
		return SQLITE_OK;
	code = read_wanted(q);
	snprintf(name, sizeof(name), SQL_WANTED "%s", q->secret);
	return code != SQLITE_OK
		       ? code
		       : sqlite3_create_function(q->db, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
						 q, wanted, NULL, NULL);
}
