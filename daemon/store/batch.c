/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

/* Records of a process's end may come this much after it. */
static const uint64_t LATE_NS = 10 * NSEC_PER_SEC;

struct store_batch *store_batch_free(struct store_batch *b)
{
	if (!b)
		return NULL;
	for (uint32_t i = 0; b->strings && i < b->last.strings - b->first.strings; i++)
		free(b->strings[i]);
	for (uint32_t i = 0; b->files && i < b->last.files - b->first.files; i++)
		free(b->files[i].path);
	for (uint32_t i = 0; b->functions && i < b->last.frames - b->first.frames; i++)
		free(b->functions[i]);
	free(b->strings);
	free(b->functions);
	for (size_t i = 0; i < b->n_late; i++)
		free(b->late[i].function);
	free(b->late);
	free(b->files);
	free(b->processes);
	free(b->frames);
	free(b->stacks);
	free(b->probes);
	free(b->paths);
	window_release(&b->window);
	free(b);
	return NULL;
}

/*
 * A reader refuses a file whose rows name what is not there: it must not be written. Raw spans need
 * no look, millions as there are: window_add_span() has put what they name into the statistics;
 * but for those with a stack or an exception, which are few.
 */
static bool more_is_sound(const struct window *w, const struct model_counts *have)
{
	for (size_t i = 0; w->more.kinds & (MORE_STACK | MORE_EXCEPTION) && i < w->n_spans; i++) {
		struct span_more more = more_pool_get(&w->more, i);

		if (more.stack > have->stacks || more.exception_type > have->strings ||
		    more.exception_message > have->strings)
			return false;
	}
	return true;
}

static bool raw_is_sound(const struct window *w, const struct model_counts *have)
{
	for (size_t i = 0; i < w->n_raw; i++) {
		const struct raw_sample *s = &w->raw[i];

		if (!s->process || s->process > have->processes || s->thread > have->strings ||
		    s->stack > have->stacks || s->kind >= SAMPLE_KINDS)
			return false;
	}
	return true;
}

static bool window_is_sound(const struct window *w, const struct model_counts *have)
{
	for (size_t i = 0; i < w->n_samples; i++) {
		const struct sample_row *s = &w->samples[i];

		if (!s->process || s->process > have->processes || s->thread > have->strings ||
		    s->stack > have->stacks)
			return false;
	}
	for (size_t i = 0; i < w->n_stats; i++) {
		const struct span_stat *s = &w->stats[i];

		if (!s->process || s->process > have->processes || !s->path ||
		    s->path > have->paths)
			return false;
	}
	return more_is_sound(w, have) && raw_is_sound(w, have);
}

static int copy_texts(struct store_batch *b, const struct model *m)
{
	uint32_t n = b->last.strings - b->first.strings;

	b->strings = calloc((size_t)n + 1, sizeof(*b->strings));
	if (!b->strings)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		b->strings[i] = strdup(model_string_get(m, b->first.strings + 1 + i));
		if (!b->strings[i])
			return -ENOMEM;
	}
	n = b->last.files - b->first.files;
	b->files = calloc((size_t)n + 1, sizeof(*b->files));
	if (!b->files)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		b->files[i].file = *model_file_get(m, b->first.files + 1 + i);
		b->files[i].path = strdup(model_string_get(m, b->files[i].file.path));
		if (!b->files[i].path)
			return -ENOMEM;
	}
	return 0;
}

/* The writer does not keep the strings of batches before. */
static int copy_functions(struct store_batch *b, const struct model *m)
{
	uint32_t n = b->last.frames - b->first.frames;

	b->functions = calloc((size_t)n + 1, sizeof(*b->functions));
	if (!b->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (!b->frames[i].function)
			continue;
		b->functions[i] = strdup(model_string_get(m, b->frames[i].function));
		if (!b->functions[i])
			return -ENOMEM;
	}
	return 0;
}

static int copy_late(struct store_batch *b, const struct model *m)
{
	b->late = calloc((size_t)(b->last.late - b->first.late) + 1, sizeof(*b->late));
	if (!b->late)
		return -ENOMEM;
	for (uint32_t i = b->first.late + 1; i <= b->last.late; i++) {
		uint32_t id = model_late_frame(m, i);
		struct batch_late *late = &b->late[b->n_late];

		if (id > b->first.frames)
			continue;
		late->id = id;
		late->frame = *model_frame_peek(m, id);
		late->function = strdup(model_string_get(m, late->frame.function));
		if (!late->function)
			return -ENOMEM;
		b->n_late++;
	}
	return 0;
}

/* New ones, and live or lately ended ones, whose row may have changed: the writer compares. */
static int copy_processes(struct store_batch *b, const struct model *m, uint64_t since_ns)
{
	for (uint32_t id = 1; id <= b->last.processes; id++) {
		const struct model_process *p = model_process_peek(m, id);
		struct batch_process *copy;

		if (id <= b->first.processes && p->flags & PROCESS_EXITED &&
		    p->exit_ns + LATE_NS < since_ns)
			continue;
		if (array_reserve(&b->processes, &b->processes_cap, b->n_processes + 1,
				  sizeof(*b->processes)) < 0)
			return -ENOMEM;
		copy = &b->processes[b->n_processes++];
		copy->id = id;
		copy->process = *p;
		copy->process.mappings = NULL;
		copy->process.n_mappings = copy->process.mappings_cap = 0;
	}
	return 0;
}

/* Copies the elements of ids first + 1 … last by a getter of the model. */
#define COPY_NEW(b, m, what, get)                                                                  \
	({                                                                                         \
		uint32_t _n = (b)->last.what - (b)->first.what;                                    \
		(b)->what = calloc((size_t)_n + 1, sizeof(*(b)->what));                            \
		for (uint32_t _i = 0; (b)->what && _i < _n; _i++)                                  \
			(b)->what[_i] = *get((m), (b)->first.what + 1 + _i);                       \
		(b)->what ? 0 : -ENOMEM;                                                           \
	})

int store_batch_new(const struct model *m, struct window *w, struct store_marks *marks,
		    struct store_batch **ret)
{
	_cleanup_(store_batch_freep) struct store_batch *b = NULL;
	struct model_counts have;
	int r;

	model_counts(m, &have);
	if (marks->strings > have.strings || marks->files > have.files ||
	    marks->processes > have.processes || marks->frames > have.frames ||
	    marks->stacks > have.stacks || marks->probes > have.probes ||
	    marks->paths > have.paths || marks->late > have.late || !window_is_sound(w, &have))
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->first = *marks;
	b->last = (struct store_marks){have.strings, have.files,  have.processes, have.frames,
				       have.stacks,  have.probes, have.paths,	  have.late};
	r = copy_texts(b, m);
	if (r >= 0)
		r = copy_processes(b, m, w->start_ns);
	if (r < 0 || (r = COPY_NEW(b, m, frames, model_frame_peek)) < 0 ||
	    (r = copy_functions(b, m)) < 0 || (r = copy_late(b, m)) < 0 ||
	    (r = COPY_NEW(b, m, stacks, model_stack_get)) < 0 ||
	    (r = COPY_NEW(b, m, probes, model_probe_get)) < 0 ||
	    (r = COPY_NEW(b, m, paths, model_path_get)) < 0)
		return r;
	window_move(&b->window, w);
	*marks = b->last;
	*ret = TAKE_PTR(b);
	return 0;
}
