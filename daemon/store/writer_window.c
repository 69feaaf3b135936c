/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a batch's window. */
#include "writer.h"

#include "hist_pack.h"
#include "sample_chunk.h"

struct sample_target {
	struct store_writer *w;
	int64_t window;
};

static int put_sample_chunk(void *arg, const struct sample_chunk *chunk)
{
	struct sample_target *to = arg;
	sqlite3_stmt *s = to->w->statements[INSERT_SAMPLES];

	BIND(to->w, INSERT_SAMPLES, to->window, chunk->kind, chunk->count,
	     writer_number(chunk->samples));
	sqlite3_bind_blob(s, 5, chunk->data, (int)chunk->size, SQLITE_STATIC);
	return writer_run(to->w, INSERT_SAMPLES);
}

static int put_samples(struct store_writer *w, int64_t id, const struct window *win)
{
	_cleanup_(freep) struct sample_row *rows = calloc(win->n_samples + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	if (win->n_samples)
		memcpy(rows, win->samples, win->n_samples * sizeof(*rows));
	return sample_chunk_encode(rows, win->n_samples, SAMPLE_CHUNK_QUICK, put_sample_chunk,
				   &(struct sample_target){w, id});
}

static int put_stats(struct store_writer *w, int64_t id, const struct window *win)
{
	uint8_t packed[HIST_PACKED_MAX];
	int r = 0;

	for (size_t i = 0; i < win->n_stats && r == 0; i++) {
		const struct span_stat *s = &win->stats[i];

		BIND(w, INSERT_SPAN_STAT, id, s->process, s->path, writer_number(s->calls),
		     writer_number(s->errors), writer_number(s->unwound),
		     writer_number(s->total_ns), writer_number(s->self_ns),
		     writer_number(s->min_ns), writer_number(s->max_ns));
		sqlite3_bind_blob(w->statements[INSERT_SPAN_STAT], 11, packed,
				  hist_pack(&s->hist, packed), SQLITE_STATIC);
		r = writer_run(w, INSERT_SPAN_STAT);
	}
	return r;
}

static int put_spans(struct store_writer *w, int64_t id, const struct window *win)
{
	int r = 0;

	for (size_t i = 0; i < win->n_spans && r == 0; i += CHUNK_MAX_SPANS) {
		_cleanup_(chunk_release) struct span_chunk chunk = {};

		r = chunk_encode(win->spans, &win->more, i,
				 MIN(win->n_spans - i, (size_t)CHUNK_MAX_SPANS), &chunk);
		if (r < 0)
			return r;
		BIND(w, INSERT_SPAN_CHUNK, id, writer_number(chunk.first_ns),
		     writer_number(chunk.last_ns), chunk.count);
		sqlite3_bind_blob(w->statements[INSERT_SPAN_CHUNK], 5, chunk.data, chunk.size,
				  SQLITE_STATIC);
		r = writer_run(w, INSERT_SPAN_CHUNK);
	}
	return r;
}

static int put_raw_chunk(void *arg, struct raw_sample_chunk *chunk)
{
	struct sample_target *to = arg;
	sqlite3_stmt *s = to->w->statements[INSERT_RAW_SAMPLES];

	BIND(to->w, INSERT_RAW_SAMPLES, to->window, chunk->kind, writer_number(chunk->first_ns),
	     writer_number(chunk->last_ns), chunk->count);
	sqlite3_bind_blob(s, 6, chunk->data, (int)chunk->size, SQLITE_STATIC);
	return writer_run(to->w, INSERT_RAW_SAMPLES);
}

int writer_put_window(struct store_writer *w, struct window *win)
{
	int64_t id = w->n_windows + 1;
	int r;

	BIND(w, INSERT_WINDOW, id, 1, writer_number(win->start_ns),
	     writer_number(MAX(win->start_ns, win->end_ns)));
	r = writer_run(w, INSERT_WINDOW);
	if (r == 0)
		r = put_samples(w, id, win);
	if (r == 0)
		r = put_stats(w, id, win);
	if (r == 0)
		r = put_spans(w, id, win);
	if (r == 0)
		r = raw_sample_chunk_encode(win->raw, win->n_raw, put_raw_chunk,
					    &(struct sample_target){w, id});
	for (int kind = 0; kind < LOSS_COUNTERS && r == 0; kind++) {
		if (!win->losses[kind])
			continue;
		BIND(w, INSERT_LOSS, id, kind, writer_number(win->losses[kind]));
		r = writer_run(w, INSERT_LOSS);
	}
	return r;
}
