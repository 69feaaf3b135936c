/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The oldest windows are dropped, and what nobody names any more goes with them. */
#include "history_private.h"

#define MINUTE_US  (60 * 1000000LL)
#define COLLECT_US (60 * MINUTE_US)

enum {
	FULL_PERCENT = 95, /* of the file's bound: the oldest windows go, */
	EASE_PERCENT = 85, /* down to this */
};

/* Drops windows, with their rows, that the query in temp.part's place names. */
static bool drop_parts(struct history *h)
{
	return history_exec(h, "DELETE FROM sample_chunk WHERE window IN temp.part;"
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

static void note_collected(struct history *h, int64_t now_us)
{
	h->n_replaced = 0;
	h->collected_us = now_us;
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
	if (dropped > 0)
		note_collected(h, now_us);
	return dropped > 0;
}

/* Processes that programs stand for: not at once, as it takes reading all that names anything. */
static int collect_replaced(struct history *h, int64_t now_us)
{
	if (!h->n_replaced || now_us - h->collected_us < COLLECT_US)
		return 0;
	note_collected(h, now_us);
	return history_collect_garbage(h) ? 0 : -1;
}

int history_maintain(struct history *h, uint64_t now_us, struct error *error)
{
	int64_t now = (int64_t)now_us;
	int fine, medium = 0, r = -1;

	if (!history_exec(h, "CREATE TEMP TABLE IF NOT EXISTS part(id INTEGER PRIMARY KEY)") ||
	    !history_make_program_tables(h))
		return schema_write_error(h->db, h->path, error);
	fine = history_merge_windows(h, now - (int64_t)h->limits.fine_us, MINUTE_US, false);
	if (fine >= 0)
		medium = history_merge_windows(h, now - (int64_t)h->limits.medium_us,
					       10 * MINUTE_US, true);
	if (fine >= 0 && medium >= 0)
		r = drop_old(h, now);
	if (r == 0)
		r = collect_replaced(h, now);
	if (fine == HISTORY_NO_MEMORY || medium == HISTORY_NO_MEMORY) {
		history_rollback(h);
		return error_set(error, ENOMEM, "WriteFailed", "cannot write %s: out of memory",
				 h->path);
	}
	if (r < 0) {
		r = schema_write_error(h->db, h->path, error);
		history_rollback(h);
		return r;
	}
	return fine == HISTORY_GROUPS_AT_ONCE || medium == HISTORY_GROUPS_AT_ONCE;
}
