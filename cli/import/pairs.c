/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pairs.h"

#include "intern.h"
#include "sorter.h"

enum { MEMORY = 8 << 20 };

struct edge {
	uint64_t lane, order;
	int64_t ns;
	uint32_t pid, tid, name, category;
	uint32_t ends, unused;
};

struct import_pairs {
	struct import_sorter *sorter;
	struct import_strings names;
	struct edge *open; /* of the lane at hand */
	size_t n_open, open_cap;
	uint64_t n;
};

static int compare(const void *pa, const void *pb)
{
	const struct edge *a = pa, *b = pb;

	if (a->lane != b->lane)
		return a->lane < b->lane ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

struct import_pairs *import_pairs_new(void)
{
	struct import_pairs *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sorter = import_sorter_new(sizeof(struct edge), MEMORY, compare);
	return p->sorter ? p : import_pairs_free(p);
}

struct import_pairs *import_pairs_free(struct import_pairs *p)
{
	if (!p)
		return NULL;
	import_sorter_free(p->sorter);
	import_strings_release(&p->names);
	free(p->open);
	free(p);
	return NULL;
}

static int add(struct import_pairs *p, const struct import_span *s, bool ends, struct error *error)
{
	struct edge e = {
		.lane = s->lane,
		.order = p->n++,
		.ns = s->start_ns,
		.pid = s->pid,
		.tid = s->tid,
		.ends = ends,
	};
	bool is_new;

	if (!ends) {
		e.name = import_strings_put(&p->names, s->name, strlen(s->name), &is_new);
		if (!e.name)
			return -ENOMEM;
		if (s->category) {
			e.category = import_strings_put(&p->names, s->category, strlen(s->category),
							&is_new);
			if (!e.category)
				return -ENOMEM;
		}
	}
	return import_sorter_add(p->sorter, &e, error);
}

int import_pairs_begin(struct import_pairs *p, const struct import_span *span, struct error *error)
{
	return add(p, span, false, error);
}

int import_pairs_end(struct import_pairs *p, const struct import_span *span, struct error *error)
{
	return add(p, span, true, error);
}

static int close_last(struct import_pairs *p, const struct edge *end, struct import_sink *sink)
{
	const struct edge *e;
	struct import_span span;

	if (!p->n_open) {
		sink->notes[NOTE_END]++;
		return 0;
	}
	e = &p->open[--p->n_open];
	span = (struct import_span){
		.start_ns = e->ns,
		.duration_ns = (uint64_t)end->ns - (uint64_t)e->ns,
		.lane = e->lane,
		.pid = e->pid,
		.tid = e->tid,
		.name = import_strings_get(&p->names, e->name),
		.category = e->category ? import_strings_get(&p->names, e->category) : NULL,
	};
	if (span.duration_ns > IMPORT_MAX_SPAN) {
		sink->notes[NOTE_HUGE]++;
		return 0;
	}
	return sink->span(sink->arg, &span);
}

int import_pairs_finish(struct import_pairs *p, struct import_sink *sink, struct error *error)
{
	uint64_t lane = 0;
	struct edge e;
	int r;

	while ((r = import_sorter_next(p->sorter, &e, error)) > 0) {
		if (e.lane != lane) {
			sink->notes[NOTE_BEGIN] += p->n_open;
			p->n_open = 0;
			lane = e.lane;
		}
		if (e.ends) {
			r = close_last(p, &e, sink);
			if (r < 0)
				return r;
			continue;
		}
		if (array_reserve(&p->open, &p->open_cap, p->n_open + 1, sizeof(*p->open)) < 0)
			return -ENOMEM;
		p->open[p->n_open++] = e;
	}
	sink->notes[NOTE_BEGIN] += p->n_open;
	p->n_open = 0;
	return r;
}
