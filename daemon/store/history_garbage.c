/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no window names any more. What has been sent by the daemon that writes stays, as its next
 * window may name it again without sending it.
 */
#include "history_private.h"

enum kind { STRINGS, FILES, PROCESSES, SYMBOLS, FRAMES, STACKS, PROBES, PATHS, KINDS };

static const char *const table_of[KINDS] = {"string", "file",  "process", "symbol",
					    "frame",  "stack", "probe",	  "path"};

struct marks {
	sqlite3 *db;
	uint8_t *used[KINDS]; /* by row id */
	size_t cap[KINDS];
	bool failed;
};

static void marks_release(struct marks *m)
{
	for (size_t i = 0; i < KINDS; i++)
		free(m->used[i]);
}

static void mark(struct marks *m, enum kind kind, int64_t id)
{
	if (id <= 0 || id > UINT32_MAX)
		return;
	if (array_reserve(&m->used[kind], &m->cap[kind], (size_t)id + 1, 1) < 0)
		m->failed = true;
	else
		m->used[kind][id] = 1;
}

static bool is_used(const struct marks *m, enum kind kind, int64_t id)
{
	return id > 0 && (size_t)id < m->cap[kind] && m->used[kind][id];
}

/*
 * Marks what the columns of rows name: kinds has one for each column, KINDS for one that names
 * nothing. Of rows of `of` (column 0 is their id) only those that are used count.
 */
static void mark_rows(struct marks *m, const char *sql, enum kind of, const enum kind *kinds, int n)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int code = SQLITE_ERROR;

	if (m->failed) /* the code in db says why */
		return;
	if (sqlite3_prepare_v2(m->db, sql, -1, &s, NULL) == SQLITE_OK)
		while ((code = sqlite3_step(s)) == SQLITE_ROW) {
			if (of != KINDS && !is_used(m, of, sqlite3_column_int64(s, 0)))
				continue;
			for (int i = 0; i < n; i++)
				if (kinds[i] != KINDS)
					mark(m, kinds[i], sqlite3_column_int64(s, i));
		}
	m->failed |= code != SQLITE_DONE;
}

#define MARK_ROWS(m, sql, of, ...)                                                                 \
	mark_rows((m), (sql), (of), (const enum kind[]){__VA_ARGS__},                              \
		  sizeof((const enum kind[]){__VA_ARGS__}) / sizeof(enum kind))

/* One that is damaged names nothing that anybody could ask for; r is what decoding it returned. */
static bool is_readable(struct marks *m, int r)
{
	if (r == -ENOMEM)
		m->failed = true;
	return r >= 0;
}

static void mark_samples(struct marks *m)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int code = SQLITE_ERROR;

	if (m->failed)
		return;
	if (sqlite3_prepare_v2(m->db, "SELECT kind, data FROM sample_chunk", -1, &s, NULL) ==
	    SQLITE_OK)
		while ((code = sqlite3_step(s)) == SQLITE_ROW) {
			_cleanup_(sample_set_release) struct sample_set set = {};

			int r = sample_chunk_decode(
				sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1),
				(enum sample_kind)sqlite3_column_int(s, 0), &set);

			if (!is_readable(m, r))
				continue;
			for (size_t i = 0; i < set.n; i++) {
				mark(m, PROCESSES, set.rows[i].process);
				mark(m, STRINGS, set.rows[i].thread);
				mark(m, STACKS, set.rows[i].stack);
			}
		}
	m->failed |= code != SQLITE_DONE;
}

static void mark_chunks(struct marks *m)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int code = SQLITE_ERROR;

	if (m->failed)
		return;
	if (sqlite3_prepare_v2(m->db, "SELECT data FROM span_chunk", -1, &s, NULL) == SQLITE_OK)
		while ((code = sqlite3_step(s)) == SQLITE_ROW) {
			_cleanup_(span_set_release) struct span_set set = {};
			int r = chunk_decode(sqlite3_column_blob(s, 0),
					     (size_t)sqlite3_column_bytes(s, 0), &set);

			if (!is_readable(m, r))
				continue;
			for (size_t i = 0; i < set.n; i++) {
				struct span_more more = more_pool_get(&set.more, i);

				mark(m, PROCESSES, set.spans[i].process);
				mark(m, PATHS, set.spans[i].path);
				mark(m, STACKS, more.stack);
				mark(m, STRINGS, more.exception_type);
				mark(m, STRINGS, more.exception_message);
			}
		}
	m->failed |= code != SQLITE_DONE;
}

static void mark_sent(struct marks *m, enum kind kind, const struct history_ids *ids)
{
	for (size_t i = 0; i < ids->cap; i++)
		mark(m, kind, ids->ids[i]);
}

/* From windows to what they name, and on: a parent's id is below its children's. */
static void mark_all(struct marks *m, const struct history *h)
{
	mark_sent(m, STRINGS, &h->strings);
	mark_sent(m, FILES, &h->files);
	mark_sent(m, PROCESSES, &h->processes);
	mark_sent(m, FRAMES, &h->frames);
	mark_sent(m, STACKS, &h->stacks);
	mark_sent(m, PROBES, &h->probes);
	mark_sent(m, PATHS, &h->paths);
	for (size_t i = 0; h->live.slots && i <= h->live.mask; i++)
		if (h->live.slots[i].used)
			mark(m, PROCESSES, h->live.slots[i].value);
	mark_samples(m);
	MARK_ROWS(m, "SELECT DISTINCT process, path FROM span_stat", KINDS, PROCESSES, PATHS);
	MARK_ROWS(m, "SELECT DISTINCT process FROM event", KINDS, PROCESSES);
	mark_chunks(m);
	MARK_ROWS(m, "SELECT id, parent, frame FROM stack ORDER BY id DESC", STACKS, KINDS, STACKS,
		  FRAMES);
	MARK_ROWS(m, "SELECT id, parent, probe FROM path ORDER BY id DESC", PATHS, KINDS, PATHS,
		  PROBES);
	MARK_ROWS(m, "SELECT id, file, function FROM frame", FRAMES, KINDS, FILES, SYMBOLS);
	MARK_ROWS(m, "SELECT frame, function, source FROM frame_line", FRAMES, KINDS, SYMBOLS,
		  SYMBOLS);
	MARK_ROWS(m, "SELECT id, spec, symbol, name, strategy, signature, file FROM probe", PROBES,
		  KINDS, STRINGS, STRINGS, STRINGS, STRINGS, STRINGS, FILES);
	MARK_ROWS(m, "SELECT id, comm, exe, cmdline, cgroup, container FROM process", PROCESSES,
		  KINDS, STRINGS, STRINGS, STRINGS, STRINGS, STRINGS);
	MARK_ROWS(m, "SELECT id, path FROM file", FILES, KINDS, STRINGS);
}

static bool sweep(const struct marks *m, enum kind kind)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *all = NULL, *gone = NULL;
	char sql[128];
	int code;

	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE id = ?", table_of[kind]);
	if (sqlite3_prepare_v2(m->db, sql, -1, &gone, NULL) != SQLITE_OK)
		return false;
	snprintf(sql, sizeof(sql), "SELECT id FROM %s", table_of[kind]);
	if (sqlite3_prepare_v2(m->db, sql, -1, &all, NULL) != SQLITE_OK)
		return false;
	while ((code = sqlite3_step(all)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(all, 0);

		if (is_used(m, kind, id))
			continue;
		sqlite3_bind_int64(gone, 1, id);
		code = sqlite3_step(gone);
		sqlite3_reset(gone);
		if (code != SQLITE_DONE)
			return false;
	}
	return code == SQLITE_DONE;
}

bool history_collect_garbage(struct history *h)
{
	_cleanup_(marks_release) struct marks m = {.db = h->db};
	bool good = history_exec(h, "BEGIN IMMEDIATE");

	if (good) {
		mark_all(&m, h);
		good = !m.failed;
	}
	for (size_t i = 0; i < KINDS && good; i++)
		good = sweep(&m, (enum kind)i);
	good = good && history_exec(h, "DELETE FROM frame_line WHERE frame NOT IN"
				       " (SELECT id FROM frame);"
				       "DELETE FROM session WHERE ended_us > 0 AND id NOT IN"
				       " (SELECT session FROM window) AND id NOT IN"
				       " (SELECT session FROM event) AND id NOT IN"
				       " (SELECT session FROM process);"
				       "DELETE FROM session_spec WHERE session NOT IN"
				       " (SELECT id FROM session);"
				       "COMMIT");
	return good;
}
