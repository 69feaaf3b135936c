/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Older windows are merged into longer ones. */
#include "hist_pack.h"
#include "history_private.h"

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

int history_run_steps(struct history *h, const char *const *steps, size_t n, int64_t session,
		      int64_t from_us, int64_t to_us)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

		if (sqlite3_prepare_v2(h->db, steps[i], -1, &s, NULL) != SQLITE_OK)
			return -1;
		sqlite3_bind_int64(s, 1, session);
		sqlite3_bind_int64(s, 2, from_us);
		sqlite3_bind_int64(s, 3, to_us);
		if (sqlite3_step(s) != SQLITE_DONE)
			return -1;
	}
	return 0;
}

static int merge_samples(struct history *h, int64_t session, int64_t from_us, int64_t to_us,
			 bool for_good)
{
	_cleanup_(window_release) struct window sum = {};
	_cleanup_(table_release) struct table programs = {};
	int64_t window;
	int r = history_sum_samples(h, &sum);

	if (r == 0 && for_good)
		r = history_find_programs(h, &sum, session, from_us, to_us, &programs);
	if (r == 0 && for_good)
		r = history_replace_processes(&sum, &programs);
	if (r == 0 && schema_number(h->db, "SELECT -min(id) FROM temp.part", &window) < 0)
		r = -1;
	return r < 0 ? r
		     : history_put_samples(h, window, sum.samples, sum.n_samples,
					   SAMPLE_CHUNK_SMALL);
}

/*
 * One group: windows of one session that begin in the same span of `length`. Their rows are summed
 * up in a new window, as rows are found by their window. 0, -1, HISTORY_NO_MEMORY.
 */
static int merge_group(struct history *h, int64_t session, int64_t from_us, int64_t to_us,
		       bool for_good)
{
	static const char *const begin[] = {
		/* The parts, in a table of this connection. */
		"DELETE FROM temp.part",
		("INSERT INTO temp.part SELECT w.id FROM window w JOIN session s ON s.id = "
		 "w.session"
		 " WHERE w.session = ?1 AND (w.start_ns + s.monotonic_to_epoch_ns) / 1000 >= ?2"
		 " AND (w.start_ns + s.monotonic_to_epoch_ns) / 1000 < ?3"),
		("INSERT INTO window(session, start_ns, end_ns)"
		 " SELECT ?1, min(start_ns), max(end_ns) FROM window WHERE id IN temp.part"),
		"INSERT INTO temp.part VALUES(-last_insert_rowid())",
	};
	static const char *const end[] = {
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
		"DELETE FROM sample_chunk WHERE window IN temp.part",
		"DELETE FROM span_stat WHERE window IN temp.part",
		"DELETE FROM loss WHERE window IN temp.part",
		"DELETE FROM window WHERE id IN temp.part",
	};
	int r = history_run_steps(h, begin, ARRAY_SIZE(begin), session, from_us, to_us);

	if (r == 0)
		r = merge_samples(h, session, from_us, to_us, for_good);
	return r == 0 ? history_run_steps(h, end, ARRAY_SIZE(end), session, from_us, to_us) : r;
}

int history_merge_windows(struct history *h, int64_t before_us, int64_t length_us, bool for_good)
{
	static const char sql[] =
		"SELECT w.session, (w.start_ns + s.monotonic_to_epoch_ns) / 1000 / ?1 AS part"
		" FROM window w JOIN session s ON s.id = w.session"
		" WHERE (w.end_ns + s.monotonic_to_epoch_ns) / 1000 < ?2"
		" GROUP BY w.session, part"
		" HAVING count(*) > 1 AND (part + 1) * ?1 <= ?2 ORDER BY part LIMIT ?3";
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int64_t groups[HISTORY_GROUPS_AT_ONCE][2];
	int n = 0, r = 0;

	if (sqlite3_prepare_v2(h->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, length_us);
	sqlite3_bind_int64(s, 2, before_us);
	sqlite3_bind_int(s, 3, HISTORY_GROUPS_AT_ONCE);
	while (n < HISTORY_GROUPS_AT_ONCE && sqlite3_step(s) == SQLITE_ROW) {
		groups[n][0] = sqlite3_column_int64(s, 0);
		groups[n++][1] = sqlite3_column_int64(s, 1) * length_us;
	}
	sqlite3_reset(s);
	for (int i = 0; i < n && r == 0; i++) {
		if (!history_exec(h, "BEGIN IMMEDIATE"))
			return -1;
		r = merge_group(h, groups[i][0], groups[i][1], groups[i][1] + length_us, for_good);
		if (r == 0 && !history_exec(h, "COMMIT"))
			r = -1;
	}
	return r < 0 ? r : n;
}
