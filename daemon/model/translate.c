/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translate.h"

/* By id of `from`: the other's id plus 1; 0: not asked for yet. */
struct known {
	uint32_t *ids;
	uint32_t n;
};

struct translator {
	const struct model *from;
	struct model *to;
	int64_t shift_ns;
	uint32_t late; /* of the frames that became others: those up to it are known */
	struct known strings, files, processes, frames, stacks, probes, paths;
};

/* Room for n; those that are new are not known. */
static bool known_grow(struct known *k, uint32_t n)
{
	uint32_t have = k->ids ? k->n + 1 : 0;
	uint32_t *ids;

	if (k->ids && n <= k->n)
		return true;
	ids = reallocarray(k->ids, (size_t)n + 1, sizeof(*ids));
	if (!ids)
		return false;
	memset(ids + have, 0, ((size_t)n + 1 - have) * sizeof(*ids));
	k->ids = ids;
	k->n = n;
	return true;
}

static bool grow(struct translator *t, const struct model_counts *have)
{
	return known_grow(&t->strings, have->strings) && known_grow(&t->files, have->files) &&
	       known_grow(&t->processes, have->processes) && known_grow(&t->frames, have->frames) &&
	       known_grow(&t->stacks, have->stacks) && known_grow(&t->probes, have->probes) &&
	       known_grow(&t->paths, have->paths);
}

int translator_new(const struct model *from, struct model *to, struct translator **ret)
{
	_cleanup_(translator_freep) struct translator *t = calloc(1, sizeof(*t));
	struct model_counts have;

	if (!t)
		return -ENOMEM;
	t->from = from;
	t->to = to;
	model_counts(from, &have);
	t->late = have.late;
	if (!grow(t, &have))
		return -ENOMEM;
	*ret = TAKE_PTR(t);
	return 0;
}

struct translator *translator_free(struct translator *t)
{
	if (!t)
		return NULL;
	free(t->strings.ids);
	free(t->files.ids);
	free(t->processes.ids);
	free(t->frames.ids);
	free(t->stacks.ids);
	free(t->probes.ids);
	free(t->paths.ids);
	free(t);
	return NULL;
}

void translator_set_shift(struct translator *t, int64_t shift_ns)
{
	t->shift_ns = shift_ns;
}

/* 1 and *ret when it is known what the id becomes; 0: not yet. */
static int look_up(const struct known *k, uint32_t id, uint32_t *ret)
{
	*ret = 0;
	if (!id)
		return 1;
	if (id > k->n)
		return -EINVAL;
	if (!k->ids[id])
		return 0;
	*ret = k->ids[id] - 1;
	return 1;
}

static int remember(struct known *k, uint32_t id, uint32_t becomes, uint32_t *ret)
{
	if (!becomes)
		return -ENOMEM;
	k->ids[id] = becomes + 1;
	*ret = becomes;
	return 0;
}

static int translate_string(struct translator *t, uint32_t id, uint32_t *ret)
{
	int r = look_up(&t->strings, id, ret);

	return r ? MIN(r, 0)
		 : remember(&t->strings, id, model_string(t->to, model_string_get(t->from, id)),
			    ret);
}

static int translate_file(struct translator *t, uint32_t id, uint32_t *ret)
{
	const struct model_file *f;
	int r = look_up(&t->files, id, ret);

	if (r)
		return MIN(r, 0);
	f = model_file_get(t->from, id);
	return remember(&t->files, id,
			model_file(t->to, model_file_has_id(f) ? f->build_id : NULL,
				   model_string_get(t->from, f->path), f->flags),
			ret);
}

static uint64_t shifted(const struct translator *t, uint64_t ns)
{
	return ns ? ns + (uint64_t)t->shift_ns : 0;
}

/* What `from` says of a process, without its mappings. */
static int copy_process(struct translator *t, uint32_t id, struct model_process *ret)
{
	struct model_process p = *model_process_peek(t->from, id);
	uint32_t *const strings[] = {&p.comm,	   &p.exe,  &p.cmdline, &p.cgroup,
				     &p.container, &p.host, &p.boot};
	int r = 0;

	p.host = model_process_host(t->from, &p);
	p.boot = model_process_boot(t->from, &p);
	p.mappings = NULL;
	p.n_mappings = p.mappings_cap = 0;
	p.flags &= PROCESS_EXITED;
	p.exec_ns = shifted(t, p.exec_ns);
	p.exit_ns = shifted(t, p.exit_ns);
	for (size_t i = 0; i < ARRAY_SIZE(strings) && r >= 0; i++)
		r = translate_string(t, *strings[i], strings[i]);
	*ret = p;
	return r;
}

int translate_process(struct translator *t, uint32_t id, uint32_t *ret)
{
	struct model_process p;
	int r = look_up(&t->processes, id, ret);

	if (r)
		return MIN(r, 0);
	r = copy_process(t, id, &p);
	return r < 0 ? r : remember(&t->processes, id, model_process_same(t->to, &p), ret);
}

static int copy_lines(struct translator *t, uint32_t id, uint32_t to)
{
	size_t n = 0, have = 0;
	const struct model_line *lines = model_lines_get(t->from, id, &n);
	int r = 0;

	if (!lines || model_lines_get(t->to, to, &have))
		return 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct model_line line = lines[i];

		r = translate_string(t, line.function, &line.function);
		if (r >= 0)
			r = translate_string(t, line.source, &line.source);
		if (r >= 0)
			r = model_line_append(t->to, to, (uint32_t)i, &line);
	}
	return r;
}

/* With its lines. */
static int translate_frame(struct translator *t, uint32_t id, uint32_t *ret)
{
	struct model_frame f;
	int r = look_up(&t->frames, id, ret);

	if (r)
		return MIN(r, 0);
	f = *model_frame_peek(t->from, id);
	r = translate_file(t, f.file, &f.file);
	if (r >= 0)
		r = translate_string(t, f.function, &f.function);
	if (r >= 0)
		r = remember(&t->frames, id, model_named_frame(t->to, f.file, f.offset, f.function),
			     ret);
	return r < 0 ? r : copy_lines(t, id, *ret);
}

/* Processes that run programs, or have ended, since. */
static int update_processes(struct translator *t)
{
	int r = 0;

	for (uint32_t id = 1; id <= t->processes.n && r >= 0; id++) {
		struct model_process *have, p;

		have = t->processes.ids[id] ? model_process_get(t->to, t->processes.ids[id] - 1)
					    : NULL;
		if (!have || have->flags & PROCESS_EXITED)
			continue;
		r = copy_process(t, id, &p);
		if (r >= 0)
			*have = p;
	}
	return r;
}

static int update_frames(struct translator *t, uint32_t late)
{
	int r = 0;

	while (t->late < late && r >= 0) {
		uint32_t id = model_late_frame(t->from, t->late + 1), becomes;
		struct model_frame f = *model_frame_peek(t->from, id);

		becomes = t->frames.ids[id] ? t->frames.ids[id] - 1 : 0;
		if (becomes)
			r = translate_file(t, f.file, &f.file);
		if (becomes && r >= 0)
			r = translate_string(t, f.function, &f.function);
		if (becomes && r >= 0)
			model_frame_become(t->to, becomes, &f);
		t->late += r >= 0;
	}
	return r;
}

int translator_catch_up(struct translator *t)
{
	struct model_counts have;
	int r;

	model_counts(t->from, &have);
	if (!grow(t, &have))
		return -ENOMEM;
	r = update_processes(t);
	return r < 0 ? r : update_frames(t, have.late);
}

static int copy_probe(struct translator *t, uint32_t id, uint32_t *ret)
{
	struct model_probe p = *model_probe_get(t->from, id);
	uint32_t *const strings[] = {&p.spec, &p.symbol, &p.name, &p.strategy, &p.signature};
	int r = translate_file(t, p.file, &p.file);

	for (size_t i = 0; i < ARRAY_SIZE(strings) && r >= 0; i++)
		r = translate_string(t, *strings[i], strings[i]);
	return r < 0 ? r : remember(&t->probes, id, model_probe(t->to, &p), ret);
}

int translate_probe(struct translator *t, uint32_t id, uint32_t *ret)
{
	int r = look_up(&t->probes, id, ret);

	return r ? MIN(r, 0) : copy_probe(t, id, ret);
}

/* A node of a tree: its parent, which has a lower id, and what it is of. */
struct node {
	uint32_t parent, item;
};

static struct node stack_node(const struct model *m, uint32_t id)
{
	const struct model_stack *s = model_stack_get(m, id);

	return (struct node){s->parent, s->frame};
}

static struct node path_node(const struct model *m, uint32_t id)
{
	const struct model_path *p = model_path_get(m, id);

	return (struct node){p->parent, p->probe};
}

struct tree {
	struct known *known;
	struct node (*node)(const struct model *m, uint32_t id);
	int (*item)(struct translator *t, uint32_t id, uint32_t *ret);
	uint32_t (*add)(struct model *m, uint32_t parent, uint32_t item);
};

/* By climbing to what is known and coming back. */
static int translate_node(struct translator *t, const struct tree *tree, uint32_t id, uint32_t *ret)
{
	uint32_t chain[MODEL_MAX_DEPTH], item;
	size_t n = 0;
	int r;

	while ((r = look_up(tree->known, id, ret)) == 0) {
		if (n == MODEL_MAX_DEPTH)
			return -EINVAL;
		chain[n++] = id;
		id = tree->node(t->from, id).parent;
	}
	while (n > 0 && r >= 0) {
		uint32_t parent = *ret;

		r = tree->item(t, tree->node(t->from, chain[--n]).item, &item);
		if (r >= 0)
			r = remember(tree->known, chain[n], tree->add(t->to, parent, item), ret);
	}
	return MIN(r, 0);
}

int translate_stack(struct translator *t, uint32_t id, uint32_t *ret)
{
	const struct tree tree = {&t->stacks, stack_node, translate_frame, model_stack};

	return translate_node(t, &tree, id, ret);
}

int translate_all_stacks(struct translator *t)
{
	uint32_t to;
	int r = 0;

	for (uint32_t id = 1; id <= t->frames.n && r >= 0; id++)
		r = translate_frame(t, id, &to);
	for (uint32_t id = 1; id <= t->stacks.n && r >= 0; id++)
		r = translate_stack(t, id, &to);
	return r;
}

int translate_path(struct translator *t, uint32_t id, uint32_t *ret)
{
	const struct tree tree = {&t->paths, path_node, translate_probe, model_path};

	return translate_node(t, &tree, id, ret);
}

int translate_everything(struct translator *t)
{
	uint32_t to;
	int r = 0;

	for (uint32_t id = 1; id <= t->strings.n && r >= 0; id++)
		r = translate_string(t, id, &to);
	for (uint32_t id = 1; id <= t->files.n && r >= 0; id++)
		r = translate_file(t, id, &to);
	for (uint32_t id = 1; id <= t->processes.n && r >= 0; id++)
		r = translate_process(t, id, &to);
	for (uint32_t id = 1; id <= t->probes.n && r >= 0; id++)
		r = translate_probe(t, id, &to);
	for (uint32_t id = 1; id <= t->paths.n && r >= 0; id++)
		r = translate_path(t, id, &to);
	if (r >= 0)
		r = translate_all_stacks(t);
	t->from = r < 0 ? t->from : NULL;
	return r;
}

int translate_spans(struct translator *t, struct raw_span *spans, size_t n, struct more_pool *more)
{
	struct more_pool moved = {};
	bool names = more->kinds & (MORE_STACK | MORE_EXCEPTION);
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		struct span_more m;

		spans[i].start_ns += (uint64_t)t->shift_ns;
		r = translate_process(t, spans[i].process, &spans[i].process);
		if (r >= 0)
			r = translate_path(t, spans[i].path, &spans[i].path);
		if (r < 0 || !names)
			continue;
		m = more_pool_get(more, i);
		r = translate_more(t, &m);
		if (r >= 0)
			r = more_pool_put(&moved, i, &m);
	}
	if (r < 0) {
		more_pool_release(&moved);
		return r;
	}
	if (!names)
		return 0;
	more_pool_release(more);
	*more = moved;
	return 0;
}

int translate_more(struct translator *t, struct span_more *more)
{
	int r = translate_stack(t, more->stack, &more->stack);

	if (r >= 0)
		r = translate_string(t, more->exception_type, &more->exception_type);
	return r < 0 ? r : translate_string(t, more->exception_message, &more->exception_message);
}

int translate_sample(struct translator *t, const struct sample_row *row, struct sample_row *ret)
{
	int r;

	*ret = *row;
	r = translate_process(t, row->process, &ret->process);
	if (r >= 0)
		r = translate_string(t, row->thread, &ret->thread);
	return r < 0 ? r : translate_stack(t, row->stack, &ret->stack);
}

int translate_raw_samples(struct translator *t, struct raw_sample *samples, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		struct raw_sample *s = &samples[i];

		s->time_ns += (uint64_t)t->shift_ns;
		r = translate_process(t, s->process, &s->process);
		if (r >= 0)
			r = translate_string(t, s->thread, &s->thread);
		if (r >= 0)
			r = translate_stack(t, s->stack, &s->stack);
	}
	return r;
}

int translate_window(struct translator *t, const struct window *src, struct window *dst)
{
	int r = 0;

	for (size_t i = 0; i < src->n_samples && r >= 0; i++) {
		struct sample_row row;

		r = translate_sample(t, &src->samples[i], &row);
		if (r >= 0)
			r = window_add_row(dst, &row);
	}
	for (size_t i = 0; i < src->n_stats && r >= 0; i++) {
		struct span_stat stat = src->stats[i]; /* the histogram is borrowed */

		r = translate_process(t, stat.process, &stat.process);
		if (r >= 0)
			r = translate_path(t, stat.path, &stat.path);
		if (r >= 0)
			r = window_add_stat(dst, &stat);
	}
	for (size_t i = 0; i < LOSS_COUNTERS; i++)
		dst->losses[i] += src->losses[i];
	return r;
}
