/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "line_writer.h"

enum frame_state {
	FRAME_UNUSED, /* by this recording, so far */
	FRAME_PENDING,
	FRAME_FOUND,   /* has rows, or there is nothing to say of it */
	FRAME_WRITTEN, /* its rows are in the file */
	FRAME_NAMED,   /* code that is no file's: its name is all there is */
};

/* As much of a name as frames are named by. */
enum { NAME_MAX_LEN = 4095 };

static int learn(struct line_writer *l, const struct store_batch *b, const uint32_t *names,
		 bool named_too)
{
	uint32_t n = b->last.frames - b->first.frames;

	if (array_reserve(&l->frames, &l->frames_cap, (size_t)b->last.frames + 1,
			  sizeof(*l->frames)) < 0 ||
	    array_reserve(&l->frame_states, &l->states_cap, (size_t)b->last.frames + 1,
			  sizeof(*l->frame_states)) < 0 ||
	    array_reserve(&l->stacks, &l->stacks_cap, (size_t)b->last.stacks + 1,
			  sizeof(*l->stacks)) < 0 ||
	    array_reserve(&l->stacks_used, &l->used_cap, (size_t)b->last.stacks + 1,
			  sizeof(*l->stacks_used)) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct model_frame *f = &l->frames[b->first.frames + 1 + i];

		*f = b->frames[i];
		f->function = names[i];
		if (b->functions[i] && !named_too)
			l->frame_states[b->first.frames + 1 + i] = FRAME_NAMED;
	}
	for (uint32_t i = 0; i < b->last.stacks - b->first.stacks; i++)
		l->stacks[b->first.stacks + 1 + i] = b->stacks[i];
	for (size_t i = 0; i < b->n_late; i++)
		if (l->frame_states[b->late[i].id] != FRAME_WRITTEN)
			l->frame_states[b->late[i].id] = FRAME_NAMED;
	return 0;
}

static int use_frame(struct line_writer *l, uint32_t id, const struct batch_file *files)
{
	const struct batch_file *f = &files[l->frames[id].file];

	if (l->frame_states[id] != FRAME_UNUSED)
		return 0;
	if (!l->frames[id].file || !source_lines_may_know(&f->file, f->path)) {
		l->frame_states[id] = FRAME_FOUND;
		return 0;
	}
	if (array_reserve(&l->pending, &l->pending_cap, l->n_pending + 1, sizeof(*l->pending)) < 0)
		return -ENOMEM;
	l->frame_states[id] = FRAME_PENDING;
	l->pending[l->n_pending++] = id;
	return 0;
}

/* A stack that was used before has its callers used, too. */
static int use_stack(struct line_writer *l, uint32_t id, const struct batch_file *files)
{
	int r = 0;

	for (; id && !l->stacks_used[id] && r >= 0; id = l->stacks[id].parent) {
		r = use_frame(l, l->stacks[id].frame, files);
		l->stacks_used[id] = r >= 0;
	}
	return r;
}

static int use_window(struct line_writer *l, const struct window *w, const struct batch_file *files)
{
	int r = 0;

	for (size_t i = 0; i < w->n_samples && r >= 0; i++)
		r = use_stack(l, w->samples[i].stack, files);
	for (size_t i = 0; w->more.kinds & MORE_STACK && i < w->n_spans && r >= 0; i++)
		r = use_stack(l, more_pool_get(&w->more, i).stack, files);
	return r;
}

static int compare_frames(const void *pa, const void *pb, void *arg)
{
	const struct model_frame *frames = arg;
	const struct model_frame *a = &frames[*(const uint32_t *)pa];
	const struct model_frame *b = &frames[*(const uint32_t *)pb];

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* A symbol, 0 for NULL. */
static int add_name(struct strings *symbols, const char *name, uint32_t *ret)
{
	*ret = 0;
	if (!name || !*name)
		return 0;
	*ret = strings_add(symbols, name, strnlen(name, NAME_MAX_LEN));
	return *ret ? 0 : -ENOMEM;
}

static int add_row(struct line_writer *l, const struct line_row *row)
{
	if (array_reserve(&l->rows, &l->rows_cap, l->n_rows + 1, sizeof(*l->rows)) < 0)
		return -ENOMEM;
	l->rows[l->n_rows++] = *row;
	return 0;
}

/*
 * The frame's own function is called as its file's symbols have it: so is the frame. A frame
 * without lines has a row only if that is another name than the frame's.
 */
static int add_rows(struct line_writer *l, uint32_t id, const struct batch_file *file,
		    const struct store_names *sources, struct strings *symbols)
{
	_cleanup_(source_lines_release) struct source_line lines[SOURCE_DEPTH_MAX] = {};
	const struct model_frame *f = &l->frames[id];
	_cleanup_(freep) char *symbol = NULL;
	struct line_row row = {.frame = id};
	int n = 0, r = 0;

	if (sources->symbol)
		symbol = sources->symbol(sources->arg, &file->file, file->path, f->offset);
	if (sources->lines)
		n = source_lines_get(sources->lines, &file->file, f->offset, lines);
	if (n < 0)
		return n;
	if (n == 0 && symbol && *symbol) {
		r = add_name(symbols, symbol, &row.function);
		return r < 0 || row.function == f->function ? r : add_row(l, &row);
	}
	for (; n-- > 0 && r >= 0; row.level++) {
		bool own = row.level == 0 && symbol && *symbol;

		row.line = lines[n].line;
		r = add_name(symbols, own ? symbol : lines[n].function, &row.function);
		if (r >= 0)
			r = add_name(symbols, lines[n].file, &row.source);
		if (r >= 0)
			r = add_row(l, &row);
	}
	return r;
}

/* Frames of one file from `first` on, as far as they are in order and asked for at once. */
static size_t end_of_request(const struct line_writer *l, size_t first)
{
	const struct model_frame *last = &l->frames[l->pending[first]];
	size_t end = first + 1;

	for (; end < l->n_pending && end - first < SOURCE_BATCH; end++) {
		const struct model_frame *f = &l->frames[l->pending[end]];

		if (f->file != last->file || f->offset < last->offset)
			break;
		last = f;
	}
	return end;
}

/* 0, -EAGAIN when there is no time for more, or -ENOMEM. */
static int look_up(struct line_writer *l, size_t first, size_t end, const struct batch_file *files,
		   const struct store_names *sources, struct strings *symbols, uint64_t *offsets)
{
	const struct batch_file *file = &files[l->frames[l->pending[first]].file];
	int r = 0;

	for (size_t i = first; i < end; i++)
		offsets[i - first] = l->frames[l->pending[i]].offset;
	if (sources->lines)
		r = sources->lines->prepare(sources->lines->arg, &file->file, file->path, offsets,
					    end - first);
	for (size_t i = first; i < end && r >= 0; i++) {
		uint32_t id = l->pending[i];
		size_t n_rows = l->n_rows;

		/* It may have become another while it waited. */
		if (l->frame_states[id] != FRAME_PENDING)
			continue;
		r = add_rows(l, id, file, sources, symbols);
		if (r < 0)
			l->n_rows = n_rows; /* it is still pending */
		else
			l->frame_states[id] = FRAME_FOUND;
	}
	return r;
}

static int look_up_pending(struct line_writer *l, const struct batch_file *files,
			   const struct store_names *sources, struct strings *symbols)
{
	_cleanup_(freep) uint64_t *offsets = NULL;
	size_t done = 0, end;
	int r = 0;

	if (!l->n_pending)
		return 0;
	offsets = calloc(MIN(l->n_pending, (size_t)SOURCE_BATCH), sizeof(*offsets));
	if (!offsets)
		return -ENOMEM;
	while (done < l->n_pending && r >= 0) {
		end = end_of_request(l, done);
		r = look_up(l, done, end, files, sources, symbols, offsets);
		if (r >= 0)
			done = end;
	}
	l->n_pending -= done;
	memmove(l->pending, l->pending + done, l->n_pending * sizeof(*l->pending));
	return r == -EAGAIN ? 0 : r;
}

int line_writer_take(struct line_writer *l, const struct store_batch *b,
		     const struct batch_file *files, const uint32_t *names,
		     const struct store_names *sources, struct strings *symbols)
{
	size_t before = l->n_pending;
	int r = learn(l, b, names, sources->named_too);

	if (r >= 0)
		r = use_window(l, &b->window, files);
	if (r < 0)
		return r;
	if (l->n_pending > before)
		qsort_r(l->pending + before, l->n_pending - before, sizeof(*l->pending),
			compare_frames, l->frames);
	return look_up_pending(l, files, sources, symbols);
}

bool line_writer_is_stale(const struct line_writer *l, uint32_t frame)
{
	return l->frame_states[frame] == FRAME_WRITTEN;
}

void line_writer_committed(struct line_writer *l, const struct store_batch *b)
{
	for (size_t i = 0; i < l->n_rows; i++)
		if (l->frame_states[l->rows[i].frame] == FRAME_FOUND)
			l->frame_states[l->rows[i].frame] = FRAME_WRITTEN;
	l->n_rows = 0;
	for (size_t i = 0; i < b->n_late; i++)
		l->frame_states[b->late[i].id] = FRAME_NAMED;
}

void line_writer_release(struct line_writer *l)
{
	free(l->frames);
	free(l->stacks);
	free(l->frame_states);
	free(l->stacks_used);
	free(l->pending);
	free(l->rows);
}
