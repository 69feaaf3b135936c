/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inlined.h"

/* The frames that stand for inlined functions at a frame's address: first is called by it. */
struct inlined {
	uint32_t first, n;
};

struct work {
	struct snapshot *s;
	const struct source_lines *lines;
	uint32_t *wanted; /* frames of files, those of a file in a row */
	size_t n_wanted;
	struct inlined *inlined; /* of each frame that was there at the beginning */
	size_t n_before, frames_cap;
};

static void work_release(struct work *w)
{
	free(w->wanted);
	free(w->inlined);
}

/* A recording may know a frame's name only. */
static bool is_recorded(const struct snapshot *s, const struct snapshot_frame *f)
{
	return f->n_lines > 1 || (f->n_lines == 1 &&
				  (s->lines[f->first_line].source || s->lines[f->first_line].line));
}

static bool is_wanted(const struct snapshot *s, const struct snapshot_frame *f, bool named_too)
{
	return f->kind == FRAME_USER && f->mapped && (named_too || !f->function) &&
	       !is_recorded(s, f) && source_lines_may_know(&f->file, f->file_path);
}

static int compare_frames(const void *pa, const void *pb, void *arg)
{
	const struct snapshot *s = arg;
	const struct snapshot_frame *a = &s->frames[*(const uint32_t *)pa];
	const struct snapshot_frame *b = &s->frames[*(const uint32_t *)pb];
	int r = memcmp(a->file.build_id, b->file.build_id, BUILD_ID_LEN);

	return r ? r : (a->offset > b->offset) - (a->offset < b->offset);
}

static int find_wanted(struct work *w, bool named_too)
{
	w->n_before = w->frames_cap = w->s->n_frames;
	w->wanted = calloc(w->n_before + 1, sizeof(*w->wanted));
	w->inlined = calloc(w->n_before + 1, sizeof(*w->inlined));
	if (!w->wanted || !w->inlined)
		return -ENOMEM;
	for (size_t i = 0; i < w->n_before; i++)
		if (is_wanted(w->s, &w->s->frames[i], named_too))
			w->wanted[w->n_wanted++] = i;
	if (w->n_wanted)
		qsort_r(w->wanted, w->n_wanted, sizeof(*w->wanted), compare_frames, w->s);
	return 0;
}

/* What the recording has, innermost first as a file's. How many, or -ENOMEM. */
static int get_recorded(const struct work *w, const struct snapshot_frame *f,
			struct source_line ret[static SOURCE_DEPTH_MAX])
{
	uint32_t n = MIN(f->n_lines, (uint32_t)SOURCE_DEPTH_MAX);

	for (uint32_t i = 0; i < n; i++) {
		const struct snapshot_line *from = &w->s->lines[f->first_line + n - 1 - i];

		ret[i].line = from->line;
		ret[i].function = !from->function  ? strdup("[unknown]")
				  : w->lines->show ? w->lines->show(w->lines->arg, from->function)
						   : strdup(from->function);
		if (from->source)
			ret[i].file = strdup(from->source);
		if (!ret[i].function || (from->source && !ret[i].file))
			return -ENOMEM;
	}
	return (int)n;
}

/* The lines, from the innermost on, become frames: the last one is the frame itself. */
static int add_frames(struct work *w, uint32_t at)
{
	_cleanup_(source_lines_release) struct source_line lines[SOURCE_DEPTH_MAX] = {};
	struct snapshot *s = w->s;
	uint32_t n;
	int r;

	if (is_recorded(s, &s->frames[at]))
		r = get_recorded(w, &s->frames[at], lines);
	else
		r = source_lines_get(w->lines, &s->frames[at].file, s->frames[at].offset, lines);
	if (r <= 0)
		return r;
	n = (uint32_t)r - 1;
	s->frames[at].source = TAKE_PTR(lines[n].file);
	s->frames[at].line = lines[n].line;
	w->inlined[at] = (struct inlined){(uint32_t)s->n_frames, n};
	r = array_reserve(&s->frames, &w->frames_cap, s->n_frames + n, sizeof(*s->frames));
	while (r >= 0 && n-- > 0) {
		struct snapshot_frame frame = s->frames[at];

		frame.function = TAKE_PTR(lines[n].function);
		frame.source = TAKE_PTR(lines[n].file);
		frame.line = lines[n].line;
		frame.inlined = true;
		frame.n_lines = 0;
		s->frames[s->n_frames++] = frame;
	}
	return r;
}

static int add_recorded(struct work *w)
{
	int r = 0;

	for (size_t i = 0; i < w->n_before && r >= 0; i++)
		if (is_recorded(w->s, &w->s->frames[i]))
			r = add_frames(w, (uint32_t)i);
	return r;
}

/* Frames from `first` on that are of one file, and no more than are asked for at once. */
static size_t end_of_batch(const struct work *w, size_t first)
{
	const struct snapshot_frame *frames = w->s->frames;
	size_t end = first + 1;

	while (end < w->n_wanted && end - first < SOURCE_BATCH &&
	       memcmp(frames[w->wanted[end]].file.build_id, frames[w->wanted[first]].file.build_id,
		      BUILD_ID_LEN) == 0)
		end++;
	return end;
}

static int look_up(struct work *w)
{
	_cleanup_(freep) uint64_t *offsets = calloc(SOURCE_BATCH, sizeof(*offsets));
	size_t end;
	int r = offsets ? 0 : -ENOMEM;

	for (size_t i = 0; i < w->n_wanted && r >= 0; i = end) {
		const struct snapshot_frame *first = &w->s->frames[w->wanted[i]];

		end = end_of_batch(w, i);
		for (size_t k = i; k < end; k++)
			offsets[k - i] = w->s->frames[w->wanted[k]].offset;
		r = w->lines->prepare(w->lines->arg, &first->file, first->file_path, offsets,
				      end - i);
		if (r == -EAGAIN)
			r = 0; /* this question does without */
		for (size_t k = i; k < end && r >= 0; k++)
			r = add_frames(w, w->wanted[k]);
	}
	return r;
}

/* Parents come first and stay so: what is inlined follows what it is inlined into. */
static int rebuild_stacks(struct work *w)
{
	struct snapshot *s = w->s;
	_cleanup_(freep) uint32_t *new_of = calloc(s->n_stacks + 1, sizeof(*new_of));
	struct snapshot_stack *stacks;
	size_t n = 0, total = s->n_stacks;

	for (size_t i = 0; i < s->n_stacks; i++)
		total += w->inlined[s->stacks[i].frame].n;
	if (total >= UINT32_MAX)
		return -EOVERFLOW;
	stacks = calloc(total + 1, sizeof(*stacks));
	if (!stacks || !new_of) {
		free(stacks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->n_stacks; i++) {
		struct snapshot_stack stack = s->stacks[i];
		const struct inlined *inlined = &w->inlined[stack.frame];

		if (stack.parent)
			stack.parent = new_of[stack.parent - 1] + 1;
		stacks[n++] = stack;
		for (uint32_t k = 0; k < inlined->n; k++, n++)
			stacks[n] = (struct snapshot_stack){n, inlined->first + k};
		new_of[i] = n - 1;
	}
	free(s->stacks);
	s->stacks = stacks;
	s->n_stacks = n;
	for (size_t i = 0; i < s->n_samples; i++)
		s->samples[i].stack = new_of[s->samples[i].stack];
	return 0;
}

int snapshot_add_inlined(struct snapshot *s, bool named_too, const struct source_lines *lines)
{
	_cleanup_(work_release) struct work w = {.s = s, .lines = lines};
	int r;

	r = find_wanted(&w, named_too);
	if (r >= 0)
		r = add_recorded(&w);
	if (r >= 0)
		r = look_up(&w);
	if (r < 0 || s->n_frames == w.n_before)
		return r;
	return rebuild_stacks(&w);
}
