/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nest.h"

#include "sonde/base/table.h"

enum { DEPTH_MAX = 4095 };

struct open {
	int64_t end_ns;
	uint64_t duration_ns, inner_ns; /* inner: of the spans right in it */
	double value;
	uint32_t pid, tid, path, flags, slack_ns;
};

/* What is open of one lane: each within the one before. A lane without any is used again. */
struct lane {
	uint64_t key;
	struct open *open;
	size_t n, cap, at; /* at: in the heap */
};

struct import_nest {
	struct import_nest_ops ops;
	struct lane *lanes;
	size_t n_lanes, lanes_cap;
	uint32_t *idle; /* lanes without anything open */
	size_t n_idle, idle_cap;
	struct table index; /* key to lane; those of idle lanes are not true any more */
	uint32_t *heap;	    /* lanes, by the end of what is innermost */
	size_t n_heap, heap_cap;
};

/*
 * Of spans that are alike the one that was written last is the outer one: programs write a span
 * when it ends.
 */
int import_begun_compare(const void *pa, const void *pb)
{
	const struct import_begun *a = pa, *b = pb;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns ? -1 : 1;
	return a->order > b->order ? -1 : a->order < b->order;
}

struct import_nest *import_nest_new(const struct import_nest_ops *ops)
{
	struct import_nest *n = calloc(1, sizeof(*n));

	if (n)
		n->ops = *ops;
	return n;
}

struct import_nest *import_nest_free(struct import_nest *n)
{
	if (!n)
		return NULL;
	for (size_t i = 0; i < n->n_lanes; i++)
		free(n->lanes[i].open);
	free(n->lanes);
	free(n->idle);
	free(n->heap);
	table_release(&n->index);
	free(n);
	return NULL;
}

static int64_t end_of(const struct import_nest *n, uint32_t lane)
{
	const struct lane *l = &n->lanes[lane];

	return l->open[l->n - 1].end_ns;
}

static void put(struct import_nest *n, size_t at, uint32_t lane)
{
	n->heap[at] = lane;
	n->lanes[lane].at = at;
}

/* Moves a lane to where its end belongs. */
static void settle(struct import_nest *n, uint32_t lane)
{
	size_t at = n->lanes[lane].at;

	while (at && end_of(n, lane) < end_of(n, n->heap[(at - 1) / 2])) {
		put(n, at, n->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (size_t child; (child = 2 * at + 1) < n->n_heap; at = child) {
		if (child + 1 < n->n_heap &&
		    end_of(n, n->heap[child + 1]) < end_of(n, n->heap[child]))
			child++;
		if (end_of(n, n->heap[child]) >= end_of(n, lane))
			break;
		put(n, at, n->heap[child]);
	}
	put(n, at, lane);
}

/* Takes out a lane in which nothing is open any more. */
static int retire(struct import_nest *n, uint32_t lane)
{
	size_t at = n->lanes[lane].at;
	uint32_t last = n->heap[--n->n_heap];

	if (array_reserve(&n->idle, &n->idle_cap, n->n_idle + 1, sizeof(*n->idle)) < 0)
		return -ENOMEM;
	n->idle[n->n_idle++] = lane;
	if (last != lane) {
		put(n, at, last);
		settle(n, last);
	}
	return 0;
}

/* Ends what is innermost in a lane. */
static int end_one(struct import_nest *n, uint32_t lane)
{
	struct lane *l = &n->lanes[lane];
	const struct open o = l->open[--l->n];
	const struct import_ended ended = {
		.end_ns = o.end_ns,
		.duration_ns = o.duration_ns,
		.self_ns = o.duration_ns - MIN(o.inner_ns, o.duration_ns),
		.value = o.value,
		.pid = o.pid,
		.tid = o.tid,
		.path = o.path,
		.flags = o.flags,
	};
	int r = n->ops.ended(n->ops.arg, &ended);

	if (r < 0)
		return r;
	if (!l->n)
		return retire(n, lane);
	settle(n, lane);
	return 0;
}

/* The index is made anew when it has more of idle lanes than of others. */
static int clean_index(struct import_nest *n)
{
	if (n->index.len < 1024 || n->index.len / 2 < n->n_heap)
		return 0;
	table_clear(&n->index);
	for (size_t i = 0; i < n->n_heap; i++) {
		uint32_t *slot = table_put(&n->index, n->lanes[n->heap[i]].key, NULL);

		if (!slot)
			return -ENOMEM;
		*slot = n->heap[i];
	}
	return 0;
}

static int new_lane(struct import_nest *n, uint64_t key, uint32_t *ret)
{
	uint32_t *slot;
	int r = clean_index(n);

	if (r < 0)
		return r;
	if (n->n_idle) {
		*ret = n->idle[--n->n_idle];
	} else {
		if (n->n_lanes >= UINT32_MAX ||
		    array_reserve(&n->lanes, &n->lanes_cap, n->n_lanes + 1, sizeof(*n->lanes)) < 0)
			return -ENOMEM;
		*ret = (uint32_t)n->n_lanes++;
	}
	n->lanes[*ret].key = key;
	slot = table_put(&n->index, key, NULL);
	if (!slot)
		return -ENOMEM;
	*slot = *ret;
	return 0;
}

static int find_lane(struct import_nest *n, uint64_t key, uint32_t *ret)
{
	const uint32_t *slot = table_get(&n->index, key);

	if (slot && n->lanes[*slot].key == key && n->lanes[*slot].n) {
		*ret = *slot;
		return 0;
	}
	return new_lane(n, key, ret);
}

/* Has it ended when the other begins? One without a length is in what ends with it. */
static bool is_over(const struct open *o, const struct import_begun *next)
{
	return o->end_ns < next->start_ns ||
	       (o->end_ns == next->start_ns && (next->duration_ns || !o->duration_ns));
}

static int push(struct import_nest *n, uint32_t lane, const struct import_begun *s, int64_t end_ns)
{
	struct lane *l = &n->lanes[lane];
	uint32_t parent = l->n ? l->open[l->n - 1].path : 0, path = 0;
	int r;

	if (l->n >= DEPTH_MAX) {
		++*n->ops.deep;
		return 0;
	}
	if (array_reserve(&l->open, &l->cap, l->n + 1, sizeof(*l->open)) < 0 ||
	    array_reserve(&n->heap, &n->heap_cap, n->n_heap + 1, sizeof(*n->heap)) < 0)
		return -ENOMEM;
	r = n->ops.path(n->ops.arg, parent, s->name, s->category, &path);
	if (r < 0)
		return r;
	if (l->n)
		l->open[l->n - 1].inner_ns += s->duration_ns;
	else
		put(n, n->n_heap++, lane);
	l->open[l->n++] = (struct open){
		.end_ns = end_ns,
		.duration_ns = s->duration_ns,
		.value = s->value,
		.pid = s->pid,
		.tid = s->tid,
		.path = path,
		.flags = s->flags,
		.slack_ns = s->slack_ns,
	};
	settle(n, lane);
	return 0;
}

int import_nest_add(struct import_nest *n, const struct import_begun *s)
{
	int64_t end_ns = s->start_ns + (int64_t)s->duration_ns;
	bool overlaps = false;
	uint32_t lane;
	int r = 0;

	while (n->n_heap && end_of(n, n->heap[0]) < s->start_ns && r >= 0)
		r = end_one(n, n->heap[0]);
	if (r >= 0)
		r = find_lane(n, s->lane, &lane);
	if (r < 0)
		return r;
	while (n->lanes[lane].n && r >= 0) {
		const struct open *o = &n->lanes[lane].open[n->lanes[lane].n - 1];

		if (!is_over(o, s) && o->end_ns + MIN(o->slack_ns, s->slack_ns) >= end_ns)
			break;
		overlaps |= !is_over(o, s);
		/* The last one: the lane goes on with the span that comes. */
		r = end_one(n, lane);
		if (r >= 0 && !n->lanes[lane].n)
			r = find_lane(n, s->lane, &lane);
	}
	*n->ops.overlaps += overlaps;
	return r < 0 ? r : push(n, lane, s, end_ns);
}

int import_nest_finish(struct import_nest *n)
{
	int r = 0;

	while (n->n_heap && r >= 0)
		r = end_one(n, n->heap[0]);
	return r;
}
