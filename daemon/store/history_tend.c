/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Older windows are merged, the oldest dropped, and what nobody names any more goes with them. */
#include "hist_pack.h"
#include "history_private.h"

#define MINUTE_US (60 * 1000000LL)

enum {
	GROUPS_AT_ONCE = 20, /* merged in one call, so that writing never waits for long */
	FULL_PERCENT = 95,   /* of the file's bound: the oldest windows go, */
	EASE_PERCENT = 85,   /* down to this */
};

/* hist_merge(BLOB): the sum of packed histograms. */

static void merge_step(sqlite3_context *context, int n, sqlite3_value **values)
{
	struct hist *h = sqlite3_aggregate_context(context, sizeof(*h));

	(void)n;
	if (!h ||
	    !hist_unpack(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]), h))
		sqlite3_result_error(context, "a histogram makes no sense", -1);
}

static void merge_final(sqlite3_context *context)
{
	struct hist *h = sqlite3_aggregate_context(context, 0);
	uint8_t packed[HIST_PACKED_MAX];

	if (!h) {
		sqlite3_result_zeroblob(context, 0);
		return;
	}
	sqlite3_result_blob(context, packed, (int)hist_pack(h, packed), SQLITE_TRANSIENT);
	hist_release(h);
}

bool history_functions(sqlite3 *db)
{
	return sqlite3_create_function_v2(db, "hist_merge", 1,
					  SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
					  NULL, NULL, merge_step, merge_final, NULL) == SQLITE_OK;
}

/*
 * One group: windows of one session that begin in the same span of `length`. Their rows are summed
 * up in a new window, as rows are found by their window.
 */
static bool merge_group(struct history *h, int64_t session, int64_t from_us, int64_t to_us)
{
	static const char *const steps[] = {
		/* The parts, in a table of this connection. */
		"DELETE FROM temp.part",
		("INSERT INTO temp.part SELECT w.id FROM window w JOIN session s ON s.id = "
		 "w.session"
		 " WHERE w.session = ?1 AND (w.start_ns + s.monotonic_to_epoch_ns) / 1000 >= ?2"
		 " AND (w.start_ns + s.monotonic_to_epoch_ns) / 1000 < ?3"),
		("INSERT INTO window(session, start_ns, end_ns)"
		 " SELECT ?1, min(start_ns), max(end_ns) FROM window WHERE id IN temp.part"),
		"INSERT INTO temp.part VALUES(-last_insert_rowid())",
		("INSERT INTO sample(window, process, thread, kind, stack, count, total_ns)"
		 " SELECT (SELECT -min(id) FROM temp.part), process, thread, kind, stack,"
		 " sum(count), sum(total_ns) FROM sample WHERE window IN temp.part"
		 " GROUP BY process, thread, kind, stack"),
		("INSERT INTO span_stat(window, process, path, calls, errors, unwound, total_ns,"
		 " self_ns, min_ns, max_ns, histogram)"
		 " SELECT (SELECT -min(id) FROM temp.part), process, path, sum(calls), sum(errors),"
		 " sum(unwound), sum(total_ns), sum(self_ns), min(min_ns), max(max_ns),"
		 " hist_merge(histogram) FROM span_stat WHERE window IN temp.part"
		 " GROUP BY process, path"),
		("INSERT INTO loss(window, kind, count)"
		 " SELECT (SELECT -min(id) FROM temp.part), kind, sum(count) FROM loss"
		 " WHERE window IN temp.part GROUP BY kind"),
		("UPDATE span_chunk SET window = (SELECT -min(id) FROM temp.part)"
		 " WHERE window IN temp.part"),
		"DELETE FROM sample WHERE window IN temp.part",
		"DELETE FROM span_stat WHERE window IN temp.part",
		"DELETE FROM loss WHERE window IN temp.part",
		"DELETE FROM window WHERE id IN temp.part",
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

		if (sqlite3_prepare_v2(h->db, steps[i], -1, &s, NULL) != SQLITE_OK)
			return false;
		sqlite3_bind_int64(s, 1, session);
		sqlite3_bind_int64(s, 2, from_us);
		sqlite3_bind_int64(s, 3, to_us);
		if (sqlite3_step(s) != SQLITE_DONE)
			return false;
	}
	return true;
}

/*
 * Windows that ended before `before_us`, merged by spans of `length_us`: at most GROUPS_AT_ONCE of
 * them. How many there were; -1.
 */
static int merge_windows(struct history *h, int64_t before_us, int64_t length_us)
{
	static const char sql[] =
		"SELECT w.session, (w.start_ns + s.monotonic_to_epoch_ns) / 1000 / ?1 AS part"
		" FROM window w JOIN session s ON s.id = w.session"
		" WHERE (w.end_ns + s.monotonic_to_epoch_ns) / 1000 < ?2"
		" GROUP BY w.session, part"
		" HAVING count(*) > 1 AND (part + 1) * ?1 <= ?2 ORDER BY part LIMIT ?3";
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int64_t groups[GROUPS_AT_ONCE][2];
	int n = 0;

	if (sqlite3_prepare_v2(h->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, length_us);
	sqlite3_bind_int64(s, 2, before_us);
	sqlite3_bind_int(s, 3, GROUPS_AT_ONCE);
	while (n < GROUPS_AT_ONCE && sqlite3_step(s) == SQLITE_ROW) {
		groups[n][0] = sqlite3_column_int64(s, 0);
		groups[n++][1] = sqlite3_column_int64(s, 1) * length_us;
	}
	sqlite3_reset(s);
	for (int i = 0; i < n; i++) {
		if (!history_exec(h, "BEGIN IMMEDIATE") ||
		    !merge_group(h, groups[i][0], groups[i][1], groups[i][1] + length_us) ||
		    !history_exec(h, "COMMIT"))
			return -1;
	}
	return n;
}

/* Drops windows, with their rows, that the query in temp.part's place names. */
static bool drop_parts(struct history *h)
{
	return history_exec(h, "DELETE FROM sample WHERE window IN temp.part;"
			       "DELETE FROM span_stat WHERE window IN temp.part;"
			       "DELETE FROM span_chunk WHERE window IN temp.part;"
			       "DELETE FROM loss WHERE window IN temp.part;"
			       "DELETE FROM window WHERE id IN temp.part;");
}

static bool drop_windows(struct history *h, const char *which, int64_t value, int *ret_n)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	bool good = history_exec(h, "BEGIN IMMEDIATE; DELETE FROM temp.part") &&
		    sqlite3_prepare_v2(h->db, which, -1, &s, NULL) == SQLITE_OK;

	if (good) {
		sqlite3_bind_int64(s, 1, value);
		good = sqlite3_step(s) == SQLITE_DONE;
		*ret_n = sqlite3_changes(h->db);
		sqlite3_reset(s);
	}
	return good && drop_parts(h) && history_exec(h, "COMMIT");
}

static int64_t number(struct history *h, const char *sql)
{
	int64_t n = 0;

	return schema_number(h->db, sql, &n) < 0 ? 0 : n;
}

static bool over(struct history *h, int percent)
{
	int64_t used = (number(h, "PRAGMA page_count") - number(h, "PRAGMA freelist_count")) *
		       number(h, "PRAGMA page_size");

	return used > (int64_t)(h->limits.max_bytes / 100 * (uint64_t)percent);
}

/* Events and runs of sessions that no window is left of. */
static bool drop_old_events(struct history *h, int64_t before_us)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "DELETE FROM event WHERE (session, time_ns, process, kind) IN"
		 " (SELECT e.session, e.time_ns, e.process, e.kind FROM event e JOIN session s"
		 " ON s.id = e.session WHERE (e.time_ns + s.monotonic_to_epoch_ns) / 1000 < %lld);",
		 (long long)before_us);
	return history_exec(h, sql);
}

/* Bounds of time and size; 1 when something was dropped, 0, -1. */
static int drop_old(struct history *h, int64_t now_us)
{
	static const char aged[] =
		"INSERT INTO temp.part SELECT w.id FROM window w JOIN session s ON s.id = w.session"
		" WHERE (w.end_ns + s.monotonic_to_epoch_ns) / 1000 < ?1";
	static const char oldest[] =
		"INSERT INTO temp.part SELECT w.id FROM window w JOIN session s ON s.id = w.session"
		" ORDER BY w.end_ns + s.monotonic_to_epoch_ns LIMIT max(1, ?1)";
	int64_t before_us = now_us - (int64_t)h->limits.max_age_us;
	int n = 0, dropped = 0;

	if (!drop_windows(h, aged, before_us, &dropped))
		return -1;
	if (dropped > 0 && !drop_old_events(h, before_us))
		return -1;
	if (over(h, FULL_PERCENT)) {
		/* What is left behind counts as well: collected in between. */
		for (int i = 0; i < 50 && over(h, EASE_PERCENT); i++) {
			if (!drop_windows(h, oldest, number(h, "SELECT count(*) FROM window") / 20,
					  &n) ||
			    !history_collect_garbage(h))
				return -1;
			dropped += n;
			if (n == 0)
				break;
		}
		before_us = number(h, "SELECT ifnull(min((w.start_ns + s.monotonic_to_epoch_ns)"
				      " / 1000), 0) FROM window w JOIN session s"
				      " ON s.id = w.session");
		if (!drop_old_events(h, before_us))
			return -1;
	} else if (dropped > 0 && !history_collect_garbage(h)) {
		return -1;
	}
	if (dropped > 0)
		history_exec(h, "PRAGMA incremental_vacuum(2000)");
	return dropped > 0;
}

int history_maintain(struct history *h, uint64_t now_us, struct error *error)
{
	int64_t now = (int64_t)now_us;
	int fine, medium = 0, r = -1;

	if (!history_exec(h, "CREATE TEMP TABLE IF NOT EXISTS part(id INTEGER PRIMARY KEY)"))
		return schema_write_error(h->db, h->path, error);
	fine = merge_windows(h, now - (int64_t)h->limits.fine_us, MINUTE_US);
	if (fine >= 0)
		medium = merge_windows(h, now - (int64_t)h->limits.medium_us, 10 * MINUTE_US);
	if (fine >= 0 && medium >= 0)
		r = drop_old(h, now);
	if (r < 0) {
		r = schema_write_error(h->db, h->path, error);
		history_rollback(h);
		return r;
	}
	return fine == GROUPS_AT_ONCE || medium == GROUPS_AT_ONCE;
}
