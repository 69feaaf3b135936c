/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_batch.h"

#include "model/strings.h"

enum { CMDLINE_MAX = 200 };

void history_sent_reset(struct history_sent *s)
{
	uint32_t generation = s->generation + 1;

	history_sent_release(s);
	s->generation = generation;
}

void history_sent_release(struct history_sent *s)
{
	free(s->strings);
	free(s->files);
	free(s->frames);
	free(s->stacks);
	free(s->probes);
	free(s->paths);
	table_release(&s->processes);
	*s = (struct history_sent){};
}

struct history_batch *history_batch_free(struct history_batch *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < b->n_strings; i++)
		free(b->strings[i].text);
	free(b->strings);
	free(b->files);
	free(b->processes);
	free(b->frames);
	free(b->stacks);
	free(b->paths);
	free(b->probes);
	free(b->events);
	window_release(&b->window);
	free(b);
	return NULL;
}

struct adding {
	const struct model *m;
	struct model_counts have;
	struct history_sent *sent;
	struct history_batch *b;
};

/* 1 when the id is to be sent now (room for it is there), 0 when it was or is 0; -errno. */
static int is_new(uint8_t **sent, size_t *cap, uint32_t id, uint32_t count)
{
	if (!id)
		return 0;
	if (id > count)
		return -EBADMSG;
	if (array_reserve(sent, cap, (size_t)id + 1, 1) < 0)
		return -ENOMEM;
	if ((*sent)[id])
		return 0;
	(*sent)[id] = 1;
	return 1;
}

#define IS_NEW(a, what, id) is_new(&(a)->sent->what, &(a)->sent->what##_cap, (id), (a)->have.what)

/* The next item of that kind, or NULL. */
#define NEXT(b, what)                                                                              \
	(array_reserve(&(b)->what, &(b)->what##_cap, (b)->n_##what + 1, sizeof(*(b)->what)) < 0    \
		 ? NULL                                                                            \
		 : &(b)->what[(b)->n_##what++])

static int add_string_of(struct adding *a, uint32_t id, size_t max)
{
	int r = IS_NEW(a, strings, id);
	struct history_string *s;
	const char *text;
	size_t len;

	if (r <= 0)
		return r;
	s = NEXT(a->b, strings);
	if (!s)
		return -ENOMEM;
	text = model_string_get(a->m, id);
	for (len = strnlen(text, max); text[len] && len > 0 && (text[len] & 0xc0) == 0x80;)
		len--; /* no part of a character */
	s->id = id;
	if (asprintf(&s->text, "%.*s%s", (int)len, text, text[len] ? "\u2026" : "") < 0)
		s->text = NULL;
	return s->text ? 0 : -ENOMEM;
}

static int add_string(struct adding *a, uint32_t id)
{
	return add_string_of(a, id, STRING_MAX);
}

static int add_file(struct adding *a, uint32_t id)
{
	int r = IS_NEW(a, files, id);
	struct history_file *f;

	if (r <= 0)
		return r;
	r = add_string(a, model_file_get(a->m, id)->path);
	f = r < 0 ? NULL : NEXT(a->b, files);
	if (!f)
		return r < 0 ? r : -ENOMEM;
	*f = (struct history_file){id, *model_file_get(a->m, id)};
	return 0;
}

static int add_frame(struct adding *a, uint32_t id)
{
	int r = IS_NEW(a, frames, id);
	const struct model_frame *frame;
	struct history_frame *f;

	if (r <= 0)
		return r;
	frame = model_frame_peek(a->m, id);
	r = add_file(a, frame->file);
	if (r >= 0)
		r = add_string(a, frame->function);
	f = r < 0 ? NULL : NEXT(a->b, frames);
	if (!f)
		return r < 0 ? r : -ENOMEM;
	*f = (struct history_frame){.id = id, .frame = *frame};
	return 0;
}

/* Frames that became others since they were sent. */
static int add_late(struct adding *a)
{
	int r = 0;

	for (uint32_t i = a->sent->late + 1; i <= a->have.late && r >= 0; i++) {
		uint32_t id = model_late_frame(a->m, i);
		const struct model_frame *frame = model_frame_peek(a->m, id);
		struct history_frame *f;

		if (id >= a->sent->frames_cap || !a->sent->frames[id])
			continue;
		r = add_file(a, frame->file);
		if (r >= 0)
			r = add_string(a, frame->function);
		f = r < 0 ? NULL : NEXT(a->b, frames);
		if (!f)
			return r < 0 ? r : -ENOMEM;
		*f = (struct history_frame){.id = id, .changed = true, .frame = *frame};
	}
	a->sent->late = a->have.late;
	return r;
}

/* Stacks and call paths alike: nodes with a parent, by id. */
struct tree {
	uint8_t **sent;
	size_t *sent_cap;
	uint32_t count;
	struct history_node (*get)(const struct model *m, uint32_t id);
	int (*add_item)(struct adding *a, uint32_t item);
	struct history_node **nodes;
	size_t *n, *cap;
};

/* What of a chain of parents is new, from the outermost on. */
static int add_chain(struct adding *a, const struct tree *t, uint32_t id)
{
	struct history_node chain[MODEL_MAX_DEPTH];
	size_t n = 0;
	int r = 0;

	while (id && (r = is_new(t->sent, t->sent_cap, id, t->count)) > 0) {
		chain[n] = t->get(a->m, id);
		id = chain[n++].parent;
	}
	while (n > 0 && r >= 0) {
		r = t->add_item(a, chain[--n].item);
		if (r >= 0 && array_reserve(t->nodes, t->cap, *t->n + 1, sizeof(**t->nodes)) < 0)
			r = -ENOMEM;
		if (r >= 0)
			(*t->nodes)[(*t->n)++] = chain[n];
	}
	return r;
}

static struct history_node stack_node(const struct model *m, uint32_t id)
{
	const struct model_stack *s = model_stack_get(m, id);

	return (struct history_node){id, s->parent, s->frame};
}

static int add_stack(struct adding *a, uint32_t id)
{
	struct history_batch *b = a->b;

	return add_chain(a,
			 &(struct tree){&a->sent->stacks, &a->sent->stacks_cap, a->have.stacks,
					stack_node, add_frame, &b->stacks, &b->n_stacks,
					&b->stacks_cap},
			 id);
}

static int add_probe(struct adding *a, uint32_t id)
{
	int r = IS_NEW(a, probes, id);
	const struct model_probe *p;
	struct history_probe *to;
	uint32_t strings[5];

	if (r <= 0)
		return r;
	p = model_probe_get(a->m, id);
	memcpy(strings, (uint32_t[]){p->spec, p->symbol, p->name, p->strategy, p->signature},
	       sizeof(strings));
	for (size_t i = 0; i < ARRAY_SIZE(strings) && r >= 0; i++)
		r = add_string(a, strings[i]);
	if (r >= 0)
		r = add_file(a, p->file);
	to = r < 0 ? NULL : NEXT(a->b, probes);
	if (!to)
		return r < 0 ? r : -ENOMEM;
	*to = (struct history_probe){id, *p};
	return 0;
}

static struct history_node path_node(const struct model *m, uint32_t id)
{
	const struct model_path *p = model_path_get(m, id);

	return (struct history_node){id, p->parent, p->probe};
}

static int add_path(struct adding *a, uint32_t id)
{
	struct history_batch *b = a->b;

	return add_chain(a,
			 &(struct tree){&a->sent->paths, &a->sent->paths_cap, a->have.paths,
					path_node, add_probe, &b->paths, &b->n_paths,
					&b->paths_cap},
			 id);
}

/* A process is sent again when something of it has changed. */
static int add_process(struct adding *a, uint32_t id)
{
	const struct model_process *p = model_process_peek(a->m, id);
	struct history_process *to;
	uint32_t hash, *slot;
	int r = 0;

	if (!p)
		return -EBADMSG;
	hash = (uint32_t)hash_bytes(p, offsetof(struct model_process, mappings), 0) | 1;
	slot = table_put(&a->sent->processes, id, NULL);
	if (!slot)
		return -ENOMEM;
	if (*slot == hash)
		return 0;
	*slot = hash;
	/* Those of compilers are long, and each is another: they would be most of the file. */
	r = add_string_of(a, p->cmdline, CMDLINE_MAX);
	for (const uint32_t *s = &p->comm; s <= &p->container && r >= 0; s++)
		r = add_string(a, *s);
	to = r < 0 ? NULL : NEXT(a->b, processes);
	if (!to)
		return r < 0 ? r : -ENOMEM;
	*to = (struct history_process){id, *p};
	to->process.mappings = NULL;
	to->process.n_mappings = to->process.mappings_cap = 0;
	return 0;
}

static int add_spans(struct adding *a, const struct window *w)
{
	int r = 0;

	for (size_t i = 0; i < w->n_spans && r >= 0; i++) {
		struct span_more more = more_pool_get(&w->more, i);

		r = add_process(a, w->spans[i].process);
		if (r >= 0)
			r = add_path(a, w->spans[i].path);
		if (r >= 0)
			r = add_stack(a, more.stack);
		if (r >= 0)
			r = add_string(a, more.exception_type);
		if (r >= 0)
			r = add_string(a, more.exception_message);
	}
	return r;
}

static int add_window(struct adding *a, const struct window *w)
{
	int r = 0;

	for (size_t i = 0; i < w->n_samples && r >= 0; i++) {
		r = add_process(a, w->samples[i].process);
		if (r >= 0)
			r = add_string(a, w->samples[i].thread);
		if (r >= 0)
			r = add_stack(a, w->samples[i].stack);
	}
	for (size_t i = 0; i < w->n_stats && r >= 0; i++) {
		r = add_process(a, w->stats[i].process);
		if (r >= 0)
			r = add_path(a, w->stats[i].path);
	}
	return r < 0 ? r : add_spans(a, w);
}

int history_batch_new(const struct model *m, struct window *w, struct history_sent *sent,
		      struct history_batch **ret)
{
	_cleanup_(history_batch_freep) struct history_batch *b = calloc(1, sizeof(*b));
	struct adding a = {.m = m, .sent = sent, .b = b};
	int r;

	if (!b)
		return -ENOMEM;
	model_counts(m, &a.have);
	r = add_late(&a);
	if (r >= 0)
		r = add_window(&a, w);
	if (r < 0) {
		history_sent_reset(sent);
		return r;
	}
	b->generation = sent->generation;
	window_move(&b->window, w);
	*ret = TAKE_PTR(b);
	return 0;
}

int history_batch_update_process(struct history_batch *b, const struct model *m, uint32_t process,
				 struct history_sent *sent)
{
	struct adding a = {.m = m, .sent = sent, .b = b};

	if (!table_get(&sent->processes, process))
		return 0;
	model_counts(m, &a.have);
	return add_process(&a, process);
}

int history_batch_add_event(struct history_batch *b, const struct model *m,
			    const struct history_event_item *event, struct history_sent *sent)
{
	struct adding a = {.m = m, .sent = sent, .b = b};
	struct history_event_item *to;
	int r;

	model_counts(m, &a.have);
	r = event->process ? add_process(&a, event->process) : 0;
	if (r < 0)
		return r;
	to = NEXT(b, events);
	if (!to)
		return -ENOMEM;
	*to = *event;
	return 0;
}
