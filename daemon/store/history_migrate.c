/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rolling store of an older format becomes one of this sonde's: all of it, or nothing. */
#include "history_private.h"

enum { SAMPLES_PACKED = 4 /* the format that has them so */ };

struct migration {
	struct history *h;
	sqlite3_stmt *read, *add, *drop;
	int64_t window;
};

static void migration_release(struct migration *m)
{
	sqlite3_finalize(m->read);
	sqlite3_finalize(m->add);
	sqlite3_finalize(m->drop);
}

static bool prepare(struct migration *m)
{
	sqlite3 *db = m->h->db;

	return sqlite3_prepare_v2(db,
				  "SELECT process, thread, kind, stack, count, total_ns FROM sample"
				  " WHERE window = ?",
				  -1, &m->read, NULL) == SQLITE_OK &&
	       sqlite3_prepare_v2(db,
				  "INSERT INTO sample_chunk(window, kind, count, samples, data)"
				  " VALUES(?, ?, ?, ?, ?)",
				  -1, &m->add, NULL) == SQLITE_OK &&
	       sqlite3_prepare_v2(db, "DELETE FROM sample WHERE window = ?", -1, &m->drop, NULL) ==
		       SQLITE_OK;
}

static int put_chunk(void *arg, const struct sample_chunk *chunk)
{
	struct migration *m = arg;
	const int64_t row[] = {m->window, chunk->kind, chunk->count, (int64_t)chunk->samples};

	history_bind(m->add, row, ARRAY_SIZE(row));
	sqlite3_bind_blob(m->add, 5, chunk->data, (int)chunk->size, SQLITE_STATIC);
	return history_run(m->add);
}

/* False for what no reader would have taken. */
static bool get_row(sqlite3_stmt *s, struct sample_row *ret)
{
	int64_t v[6];

	for (int i = 0; i < 6; i++) {
		v[i] = sqlite3_column_int64(s, i);
		if (v[i] < 0 || (i < 4 && v[i] > UINT32_MAX))
			return false;
	}
	*ret = (struct sample_row){.process = (uint32_t)v[0],
				   .thread = (uint32_t)v[1],
				   .kind = (uint32_t)v[2],
				   .stack = (uint32_t)v[3],
				   .count = (uint64_t)v[4],
				   .total_ns = (uint64_t)v[5]};
	return ret->process && ret->kind < SAMPLE_KINDS;
}

/* What was packed is dropped at once, so that its room is used again. */
static int pack_window(struct migration *m)
{
	_cleanup_(freep) struct sample_row *rows = NULL;
	size_t n = 0, cap = 0;
	int code, r;

	sqlite3_bind_int64(m->read, 1, m->window);
	while ((code = sqlite3_step(m->read)) == SQLITE_ROW) {
		if (array_reserve(&rows, &cap, n + 1, sizeof(*rows)) < 0)
			return HISTORY_NO_MEMORY;
		n += get_row(m->read, &rows[n]);
	}
	sqlite3_reset(m->read);
	if (code != SQLITE_DONE)
		return -1;
	r = sample_chunk_encode(rows, n, SAMPLE_CHUNK_SMALL, put_chunk, m);
	if (r < 0)
		return r == -ENOMEM ? HISTORY_NO_MEMORY : r;
	sqlite3_bind_int64(m->drop, 1, m->window);
	return history_run(m->drop);
}

static int pack_all(struct history *h)
{
	_cleanup_(migration_release) struct migration m = {.h = h};
	_cleanup_(schema_finalizep) sqlite3_stmt *all = NULL;
	int r = 0, code = SQLITE_ERROR;

	if (!prepare(&m) ||
	    sqlite3_prepare_v2(h->db, "SELECT id FROM window", -1, &all, NULL) != SQLITE_OK)
		return -1;
	while (r == 0 && (code = sqlite3_step(all)) == SQLITE_ROW) {
		m.window = sqlite3_column_int64(all, 0);
		r = pack_window(&m);
	}
	return r == 0 && code != SQLITE_DONE ? -1 : r;
}

int history_migrate(struct history *h, int version)
{
	char mark[64];
	int r;

	snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", STORE_VERSION);
	if (!history_exec(h, "BEGIN IMMEDIATE") ||
	    !schema_create_since(h->db, version, STORE_VERSION))
		return -1;
	r = version < SAMPLES_PACKED ? pack_all(h) : 0;
	if (r == 0 && version < SAMPLES_PACKED && !history_exec(h, "DROP TABLE sample"))
		r = -1;
	if (r == 0 && (!history_exec(h, mark) || !history_exec(h, "COMMIT")))
		r = -1;
	if (r == 0)
		history_exec(h, "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)");
	return r;
}
