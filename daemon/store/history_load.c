/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_load.h"

#include "hist_pack.h"
#include "history_load_raw.h"
#include "sample_chunk.h"

struct load_part {
	struct slice s;
	const struct history_range *range;
	struct history_part part;
};

static void load_release_part(struct load_part *l)
{
	slice_release(&l->s);
	history_part_release(&l->part);
}

static int load_open(struct load_part *l)
{
	int r = slice_open(&l->s);

	return r < 0 ? r : slice_prepare(&l->s);
}

/* What was loaded, unless that failed. */
static int load_end(struct load_part *l, int r, struct history_part *ret)
{
	if (r == -EBADMSG && !l->s.error->name[0])
		r = slice_damaged(&l->s, "sample", 0);
	if (r < 0)
		return r;
	*ret = l->part;
	l->part = (struct history_part){};
	return 0;
}

static bool is_number(int64_t v)
{
	return v >= 0 && (uint64_t)v <= STORE_MAX_NUMBER;
}

/* Ids of the store become the model's. row: where it is from, to name it. */
static int translate_sample(struct load_part *l, const char *table, int64_t row,
			    struct sample_row *s, uint32_t frequency)
{
	int r = slice_process(&l->s, s->process, &s->process);

	if (r >= 0)
		r = slice_string(&l->s, s->thread, &s->thread);
	if (r >= 0)
		r = slice_stack(&l->s, s->stack, &s->stack);
	if (r < 0)
		return r;
	if (!s->process)
		return slice_damaged(&l->s, table, row);
	if (s->kind == SAMPLE_CPU && frequency)
		s->total_ns = s->count * (NSEC_PER_SEC / frequency);
	l->part.samples += s->count;
	return 0;
}

/* Of formats before the fourth. */
static int add_plain_sample(struct load_part *l, sqlite3_stmt *row, uint32_t frequency)
{
	struct sample_row s;
	int64_t v[5];
	int r;

	for (int i = 0; i < 5; i++) {
		v[i] = sqlite3_column_int64(row, 1 + i);
		if (!is_number(v[i]) || (i < 3 && v[i] > UINT32_MAX))
			return slice_damaged(&l->s, "sample", sqlite3_column_int64(row, 0));
	}
	s = (struct sample_row){.process = (uint32_t)v[0],
				.thread = (uint32_t)v[1],
				.stack = (uint32_t)v[2],
				.kind = l->range->kind,
				.count = (uint64_t)v[3],
				.total_ns = (uint64_t)v[4]};
	r = translate_sample(l, "sample", sqlite3_column_int64(row, 0), &s, frequency);
	return r < 0 ? r : window_add_row(&l->part.total, &s);
}

static int add_samples(struct load_part *l, sqlite3_stmt *row, uint32_t frequency)
{
	_cleanup_(sample_set_release) struct sample_set set = {};
	int64_t id = sqlite3_column_int64(row, 0);
	int r = sample_chunk_decode(sqlite3_column_blob(row, 1),
				    (size_t)sqlite3_column_bytes(row, 1), l->range->kind, &set);

	if (r == -EBADMSG)
		return slice_damaged(&l->s, "sample_chunk", id);
	for (size_t i = 0; i < set.n && r >= 0; i++)
		r = translate_sample(l, "sample_chunk", id, &set.rows[i], frequency);
	return r < 0 ? r : window_add_rows(&l->part.total, set.rows, set.n);
}

static int add_stat(struct load_part *l, sqlite3_stmt *row)
{
	struct span_stat stat = {};
	uint64_t *const numbers[] = {&stat.calls,   &stat.errors, &stat.unwound, &stat.total_ns,
				     &stat.self_ns, &stat.min_ns, &stat.max_ns};
	int64_t id = sqlite3_column_int64(row, 0);
	int r;

	for (int i = 0; i < (int)ARRAY_SIZE(numbers); i++) {
		int64_t v = sqlite3_column_int64(row, 3 + i);

		if (!is_number(v))
			return slice_damaged(&l->s, "span_stat", id);
		*numbers[i] = (uint64_t)v;
	}
	r = slice_process(&l->s, sqlite3_column_int64(row, 1), &stat.process);
	if (r >= 0)
		r = slice_path(&l->s, sqlite3_column_int64(row, 2), &stat.path);
	if (r < 0)
		return r;
	if (!stat.process || !stat.path ||
	    !hist_unpack(sqlite3_column_blob(row, 10), (size_t)sqlite3_column_bytes(row, 10),
			 &stat.hist))
		r = slice_damaged(&l->s, "span_stat", id);
	else
		r = window_add_stat(&l->part.total, &stat);
	hist_release(&stat.hist);
	return r;
}

static int add_loss(struct load_part *l, sqlite3_stmt *row)
{
	int64_t kind = sqlite3_column_int64(row, 1), count = sqlite3_column_int64(row, 2);

	if (kind < 0 || !is_number(count))
		return slice_damaged(&l->s, "loss", sqlite3_column_int64(row, 0));
	if (kind < LOSS_COUNTERS)
		l->part.total.losses[kind] += (uint64_t)count;
	return 0;
}

struct found_window {
	int64_t id, start_ns, end_ns, offset_ns;
	uint32_t frequency;
};

enum row_kind { ROW_SAMPLE, ROW_SAMPLES, ROW_STAT, ROW_CHUNK, ROW_RAW_SAMPLES, ROW_LOSS };

static int add_row(struct load_part *l, enum row_kind kind, const struct found_window *w,
		   sqlite3_stmt *row)
{
	const int64_t shift_ns = w->offset_ns - l->part.monotonic_to_epoch_ns;

	switch (kind) {
	case ROW_SAMPLE:
		return add_plain_sample(l, row, w->frequency);
	case ROW_SAMPLES:
		return add_samples(l, row, w->frequency);
	case ROW_STAT:
		return add_stat(l, row);
	case ROW_CHUNK:
		return history_add_raw_spans(&l->s, &l->part, row, shift_ns);
	case ROW_RAW_SAMPLES:
		return history_add_raw_samples(&l->s, &l->part, l->range->kind, row, shift_ns,
					       w->frequency);
	case ROW_LOSS:
		return add_loss(l, row);
	}
	return -EINVAL;
}

static int add_rows(struct load_part *l, enum row_kind kind, const char *sql,
		    const struct found_window *windows, size_t n)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	int r = 0, code;

	if (sqlite3_prepare_v2(l->s.db, sql, -1, &row, NULL) != SQLITE_OK)
		return schema_read_error(l->s.db, l->s.path, l->s.error);
	for (size_t i = 0; i < n && r >= 0; i++) {
		sqlite3_reset(row);
		sqlite3_bind_int64(row, 1, windows[i].id);
		sqlite3_bind_int64(row, 2, l->range->kind);
		while (r >= 0 && (code = sqlite3_step(row)) == SQLITE_ROW)
			r = add_row(l, kind, &windows[i], row);
		if (r >= 0 && code != SQLITE_DONE)
			r = schema_read_error(l->s.db, l->s.path, l->s.error);
	}
	return r;
}

static void note_window(struct load_part *l, const struct found_window *w)
{
	struct history_part *p = &l->part;
	uint64_t first = (uint64_t)(w->start_ns + w->offset_ns) / 1000;
	uint64_t last = (uint64_t)(w->end_ns + w->offset_ns) / 1000;

	/* They come by their beginnings; a second or two are no gap. */
	if (p->windows && first > p->last_us + 2000000)
		p->missing_us += first - p->last_us;
	p->first_us = p->windows ? MIN(p->first_us, first) : first;
	p->last_us = MAX(p->last_us, last);
	p->frequency = MAX(p->frequency, w->frequency);
	p->monotonic_to_epoch_ns = l->s.base_ns = w->offset_ns;
	p->windows++;
}

static int find_windows(struct load_part *l, struct found_window **ret, size_t *ret_n)
{
	static const char sql[] =
		"SELECT w.id, w.start_ns, w.end_ns, s.monotonic_to_epoch_ns, s.frequency"
		" FROM window w JOIN session s ON s.id = w.session"
		" WHERE (?1 IS NULL OR s.name = ?1)"
		" AND (?2 = 0 OR (w.end_ns + s.monotonic_to_epoch_ns) / 1000 > ?2)"
		" AND (?3 = 0 OR (w.start_ns + s.monotonic_to_epoch_ns) / 1000 < ?3)"
		" ORDER BY w.start_ns + s.monotonic_to_epoch_ns";
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	_cleanup_(freep) struct found_window *found = NULL;
	size_t n = 0, cap = 0;
	int code;

	if (sqlite3_prepare_v2(l->s.db, sql, -1, &row, NULL) != SQLITE_OK)
		return schema_read_error(l->s.db, l->s.path, l->s.error);
	sqlite3_bind_text(row, 1, l->range->session, -1, SQLITE_STATIC);
	sqlite3_bind_int64(row, 2, (int64_t)MIN(l->range->since_us, (uint64_t)INT64_MAX));
	sqlite3_bind_int64(row, 3, (int64_t)MIN(l->range->until_us, (uint64_t)INT64_MAX));
	while ((code = sqlite3_step(row)) == SQLITE_ROW) {
		struct found_window w = {sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
					 sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3),
					 (uint32_t)sqlite3_column_int64(row, 4)};

		if (!is_number(w.start_ns) || !is_number(w.end_ns) || w.end_ns < w.start_ns)
			return slice_damaged(&l->s, "window", w.id);
		if (array_reserve(&found, &cap, n + 1, sizeof(*found)) < 0)
			return -ENOMEM;
		found[n++] = w;
		note_window(l, &w);
	}
	if (code != SQLITE_DONE)
		return schema_read_error(l->s.db, l->s.path, l->s.error);
	*ret = TAKE_PTR(found);
	*ret_n = n;
	return 0;
}

static int load_samples_of(struct load_part *l, const struct found_window *windows, size_t n)
{
	if (l->s.version >= 4)
		return add_rows(l, ROW_SAMPLES,
				"SELECT id, data FROM sample_chunk WHERE window = ?1 AND kind = ?2",
				windows, n);
	if (l->s.version == 3)
		return add_rows(l, ROW_SAMPLE,
				"SELECT rowid, process, thread, stack, count, total_ns FROM sample"
				" WHERE window = ?1 AND kind = ?2",
				windows, n);
	if (l->range->kind != SAMPLE_CPU)
		return 0;
	return add_rows(l, ROW_SAMPLE,
			"SELECT rowid, process, thread, stack, count, 0 FROM sample"
			" WHERE window = ?1",
			windows, n);
}

static int load_rows_of(struct load_part *l, const struct found_window *windows, size_t n,
			bool losses)
{
	int r = l->range->samples ? load_samples_of(l, windows, n) : 0;

	if (r >= 0 && l->range->spans)
		r = add_rows(
			l, ROW_STAT,
			"SELECT rowid, process, path, calls, errors, unwound, total_ns, self_ns,"
			" min_ns, max_ns, histogram FROM span_stat WHERE window = ?1",
			windows, n);
	if (r >= 0 && l->range->raw)
		r = add_rows(l, ROW_CHUNK, "SELECT id, data FROM span_chunk WHERE window = ?1",
			     windows, n);
	if (r >= 0 && l->range->raw_samples && l->s.version >= 5)
		r = add_rows(l, ROW_RAW_SAMPLES,
			     "SELECT id, data FROM raw_sample_chunk WHERE window = ?1 AND kind = ?2"
			     " ORDER BY id",
			     windows, n);
	return r < 0 || !losses ? r
				: add_rows(l, ROW_LOSS,
					   "SELECT rowid, kind, count FROM loss WHERE window = ?1",
					   windows, n);
}

static int load_rows(struct load_part *l)
{
	_cleanup_(freep) struct found_window *windows = NULL;
	size_t n = 0;
	int r = find_windows(l, &windows, &n);

	return r < 0 ? r : load_rows_of(l, windows, n, true);
}

/* What is raw goes into the window; that of CPU samples does not say what they stand for, as the
 * session does. */
static int move_raw(struct history_part *p, struct window *w)
{
	int r = 0;

	for (size_t i = 0; i < p->n_sets && r >= 0; i++)
		r = window_add_raw_spans(w, p->sets[i].spans, p->sets[i].n, &p->sets[i].more);
	for (size_t i = 0; i < p->n_sample_sets && r >= 0; i++)
		r = window_add_raw_samples(w, p->sample_sets[i].samples, p->sample_sets[i].n);
	for (size_t i = 0; i < w->n_raw; i++)
		if (w->raw[i].kind == SAMPLE_CPU)
			w->raw[i].total_ns = 0;
	history_drop_raw(p);
	return r;
}

/* All of one window: its samples of each kind, calls, what is raw and losses. */
static int load_window(struct load_part *l, struct history_range *range,
		       const struct found_window *found, struct window *ret)
{
	struct window *w = &l->part.total;
	int64_t shift_ns = found->offset_ns - l->s.base_ns;
	int r = 0;

	range->samples = range->raw_samples = true;
	range->spans = range->raw = false;
	for (int kind = 0; kind < SAMPLE_KINDS && r >= 0; kind++) {
		range->kind = (enum sample_kind)kind;
		r = load_rows_of(l, found, 1, false);
	}
	range->samples = range->raw_samples = false;
	range->spans = range->raw = true;
	if (r >= 0)
		r = load_rows_of(l, found, 1, true);
	if (r >= 0)
		r = move_raw(&l->part, w);
	w->start_ns = (uint64_t)(found->start_ns + shift_ns);
	w->end_ns = (uint64_t)(found->end_ns + shift_ns);
	window_move(ret, w);
	return r;
}

int history_each_window(const char *path, const struct history_range *range, struct model *m,
			int (*each)(void *arg, struct window *w), void *arg, struct error *error,
			struct history_part *ret_info)
{
	struct history_range own = *range;
	_cleanup_(load_release_part) struct load_part l = {
		.s = {.path = path, .m = m, .error = error}, .range = &own};
	_cleanup_(freep) struct found_window *windows = NULL;
	size_t n = 0;
	int r = load_open(&l);

	if (r >= 0)
		r = find_windows(&l, &windows, &n);
	/* Runs of the daemon, and of the machine, have clocks of their own: the epoch's for all. */
	l.s.base_ns = l.part.monotonic_to_epoch_ns = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct window w = {};

		r = load_window(&l, &own, &windows[i], &w);
		if (r >= 0)
			r = each(arg, &w);
		window_release(&w);
	}
	return load_end(&l, r, ret_info);
}

void history_part_release(struct history_part *p)
{
	window_release(&p->total);
	history_drop_raw(p);
	free(p->sets);
	free(p->sample_sets);
	*p = (struct history_part){};
}

int history_load(const char *path, const struct history_range *range, struct model *m,
		 struct error *error, struct history_part *ret)
{
	_cleanup_(load_release_part) struct load_part l = {
		.s = {.path = path, .m = m, .error = error, .brief = true}, .range = range};
	int r = load_open(&l);

	if (r >= 0)
		r = load_rows(&l);
	if (r >= 0 && range->samples)
		r = slice_lines(&l.s);
	return load_end(&l, r, ret);
}
