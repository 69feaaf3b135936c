/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "missing.h"

#include "model/source_lines.h"

enum { NO_ROW = UINT32_MAX };

struct work {
	const struct snapshot *s;
	struct missing *m;
	uint32_t *order;	/* frames of files with a build-id, those of a file in a row */
	uint32_t *row_of;	/* of each frame, or NO_ROW */
	uint32_t *last_counted; /* of each row: the sample that was counted last, + 1 */
	size_t n_order, rows_cap;
};

static void work_release(struct work *w)
{
	free(w->order);
	free(w->row_of);
	free(w->last_counted);
	missing_free(w->m);
}

/* Frames of ELF files that somebody else may know by the same build-id. */
static bool is_of_file(const struct snapshot_frame *f)
{
	return f->kind == FRAME_USER && f->mapped && !f->inlined && f->file.flags == 0 &&
	       source_lines_may_know(&f->file, f->file_path);
}

static int compare_files(const void *pa, const void *pb, void *arg)
{
	const struct snapshot *s = arg;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	int r = memcmp(s->frames[a].file.build_id, s->frames[b].file.build_id, BUILD_ID_LEN);

	return r ? r : (a > b) - (a < b);
}

static int compare_rows(const void *pa, const void *pb)
{
	const struct missing_row *a = pa, *b = pb;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return strcmp(a->path, b->path);
}

/* 1: it lacks *ret; 0: nothing. */
static int what_is_missing(const struct work *w, size_t first, size_t end, enum query_lines lines,
			   enum missing_what *ret)
{
	bool nameless = false, has_lines = lines == LINES_READ;

	for (size_t i = first; i < end; i++) {
		nameless |= w->s->frames[w->order[i]].nameless;
		has_lines |= w->s->frames[w->order[i]].line > 0;
	}
	/* With debug information at hand what still has no name has none anywhere. */
	if (has_lines || (lines == LINES_UNKNOWN && !nameless))
		return 0;
	*ret = lines == LINES_NO_FILE ? MISSING_FILE
	       : nameless	      ? MISSING_SYMBOLS
				      : MISSING_DEBUG_INFO;
	return 1;
}

static int find_rows(struct work *w,
		     enum query_lines (*lines)(void *arg, const struct model_file *file), void *arg)
{
	const struct snapshot_frame *frames = w->s->frames;
	struct missing *m = w->m;
	size_t end;

	for (size_t i = 0; i < w->n_order; i = end) {
		const struct snapshot_frame *f = &frames[w->order[i]];
		struct missing_row row = {.file = &f->file, .path = f->file_path};

		for (end = i + 1; end < w->n_order && memcmp(frames[w->order[end]].file.build_id,
							     f->file.build_id, BUILD_ID_LEN) == 0;)
			end++;
		if (!what_is_missing(w, i, end, lines(arg, &f->file), &row.what))
			continue;
		if (array_reserve(&m->rows, &w->rows_cap, m->n_rows + 1, sizeof(*m->rows)) < 0)
			return -ENOMEM;
		/* With symbols all that is missing of the other frames are lines. */
		for (size_t k = i; k < end; k++)
			w->row_of[w->order[k]] = (uint32_t)m->n_rows;
		m->rows[m->n_rows++] = row;
	}
	return 0;
}

static void count_samples(struct work *w)
{
	const struct snapshot *s = w->s;

	for (size_t i = 0; i < s->n_samples; i++) {
		w->m->total_samples += s->samples[i].count;
		for (uint32_t at = s->samples[i].stack + 1; at; at = s->stacks[at - 1].parent) {
			uint32_t row = w->row_of[s->stacks[at - 1].frame];

			if (row == NO_ROW || w->last_counted[row] == i + 1)
				continue;
			w->last_counted[row] = (uint32_t)i + 1;
			w->m->rows[row].samples += s->samples[i].count;
		}
	}
}

int query_missing(const struct snapshot *s,
		  enum query_lines (*lines)(void *arg, const struct model_file *file), void *arg,
		  struct missing **ret)
{
	_cleanup_(work_release) struct work w = {.s = s, .m = calloc(1, sizeof(*w.m))};
	int r;

	w.order = calloc(s->n_frames + 1, sizeof(*w.order));
	w.row_of = malloc((s->n_frames + 1) * sizeof(*w.row_of));
	if (!w.m || !w.order || !w.row_of)
		return -ENOMEM;
	memset(w.row_of, 0xff, (s->n_frames + 1) * sizeof(*w.row_of));
	for (size_t i = 0; i < s->n_frames; i++)
		if (is_of_file(&s->frames[i]))
			w.order[w.n_order++] = (uint32_t)i;
	qsort_r(w.order, w.n_order, sizeof(*w.order), compare_files, (void *)s);
	r = find_rows(&w, lines, arg);
	if (r < 0)
		return r;
	w.last_counted = calloc(w.m->n_rows + 1, sizeof(*w.last_counted));
	if (!w.last_counted)
		return -ENOMEM;
	count_samples(&w);
	if (w.m->n_rows)
		qsort(w.m->rows, w.m->n_rows, sizeof(*w.m->rows), compare_rows);
	*ret = TAKE_PTR(w.m);
	return 0;
}

struct missing *missing_free(struct missing *m)
{
	if (!m)
		return NULL;
	free(m->rows);
	free(m);
	return NULL;
}

const char *missing_name(enum missing_what what)
{
	static const char *const names[] = {
		[MISSING_SYMBOLS] = "symbols",
		[MISSING_DEBUG_INFO] = "debuginfo",
		[MISSING_FILE] = "file",
	};

	return names[what];
}
