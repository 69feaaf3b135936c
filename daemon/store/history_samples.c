/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed samples of the rolling store: written, and added up when windows are merged. */
#include "history_private.h"

struct target {
	struct history *h;
	int64_t window;
};

static int put_chunk(void *arg, const struct sample_chunk *chunk)
{
	const struct target *to = arg;
	sqlite3_stmt *s = to->h->statements[H_ADD_SAMPLES];
	const int64_t row[] = {to->window, chunk->kind, chunk->count, (int64_t)chunk->samples};

	history_bind(s, row, ARRAY_SIZE(row));
	sqlite3_bind_blob(s, 5, chunk->data, (int)chunk->size, SQLITE_STATIC);
	return history_run(s);
}

int history_put_samples(struct history *h, int64_t window, struct sample_row *rows, size_t n,
			int level)
{
	int r = sample_chunk_encode(rows, n, level, put_chunk, &(struct target){h, window});

	return r == -ENOMEM ? HISTORY_NO_MEMORY : r;
}

static int add_chunk(struct window *sum, sqlite3_stmt *s)
{
	_cleanup_(sample_set_release) struct sample_set set = {};
	int r = sample_chunk_decode(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1),
				    (enum sample_kind)sqlite3_column_int(s, 0), &set);

	/* What is damaged can be asked by nobody: it goes. */
	if (r == -EBADMSG)
		return 0;
	for (size_t i = 0; i < set.n && r >= 0; i++)
		r = window_add_row(sum, &set.rows[i]);
	return r < 0 ? HISTORY_NO_MEMORY : 0;
}

int history_merge_samples(struct history *h, int64_t window)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	_cleanup_(window_release) struct window sum = {};
	int r = 0, code = SQLITE_ERROR;

	if (sqlite3_prepare_v2(h->db,
			       "SELECT kind, data FROM sample_chunk WHERE window IN temp.part", -1,
			       &s, NULL) != SQLITE_OK)
		return -1;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
		r = add_chunk(&sum, s);
	if (r == 0 && code != SQLITE_DONE)
		return -1;
	return r < 0 ? r
		     : history_put_samples(h, window, sum.samples, sum.n_samples,
					   SAMPLE_CHUNK_SMALL);
}
