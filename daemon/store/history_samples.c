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
	if (r >= 0)
		r = window_add_rows(sum, set.rows, set.n);
	return r < 0 ? HISTORY_NO_MEMORY : 0;
}

int history_sum_samples(struct history *h, struct window *sum)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int r = 0, code = SQLITE_ERROR;

	if (sqlite3_prepare_v2(h->db,
			       "SELECT kind, data FROM sample_chunk WHERE window IN temp.part", -1,
			       &s, NULL) != SQLITE_OK)
		return -1;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
		r = add_chunk(sum, s);
	return r == 0 && code != SQLITE_DONE ? -1 : r;
}

int history_replace_processes(struct window *sum, const struct table *programs)
{
	_cleanup_(window_release) struct window old = {};

	window_move(&old, sum);
	for (size_t i = 0; i < old.n_samples; i++) {
		const uint32_t *program = table_get(programs, old.samples[i].process);

		if (program)
			old.samples[i].process = *program;
	}
	return window_add_rows(sum, old.samples, old.n_samples) < 0 ? HISTORY_NO_MEMORY : 0;
}
