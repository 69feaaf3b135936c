/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/python_stack.h"

/* Entries [first, end) of the record: what one call of the evaluation was running. */
struct group {
	uint32_t first, end;
};

/* The entries of one interpreter. */
struct chain {
	uint32_t first, end;
	uint64_t on_stack;
};

struct groups {
	struct group items[RECORD_MAX_PYTHON];
	size_t n;
};

static int by_place_on_stack(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	return (x->on_stack > y->on_stack) - (x->on_stack < y->on_stack);
}

/* A thread may be in several interpreters: stacks grow down, so the innermost is the lowest. */
static size_t find_chains(const struct record_python *r, struct chain chains[RECORD_MAX_PYTHON])
{
	size_t n = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		const struct record_python_frame *f = &r->frames[i];

		if (i == 0 || f->flags & PYTHON_BEGIN)
			chains[n++] = (struct chain){
				.first = i, .on_stack = f->flags & PYTHON_BEGIN ? f->code : 0};
		chains[n - 1].end = i + 1;
		if (f->flags & PYTHON_SHIM && chains[n - 1].on_stack == 0)
			chains[n - 1].on_stack = f->code;
	}
	qsort(chains, n, sizeof(chains[0]), by_place_on_stack);
	return n;
}

static void find_groups(const struct record_python *r, struct groups *ret)
{
	struct chain chains[RECORD_MAX_PYTHON];
	size_t n = find_chains(r, chains);

	ret->n = 0;
	for (size_t c = 0; c < n; c++) {
		struct group g = {.first = chains[c].first};

		for (uint32_t i = chains[c].first; i < chains[c].end; i++) {
			uint32_t flags = r->frames[i].flags;

			if (flags & PYTHON_BEGIN)
				g.first = i + 1;
			if (!(flags & (PYTHON_ENTRY | PYTHON_SHIM)))
				continue;
			g.end = i + 1;
			ret->items[ret->n++] = g;
			g.first = i + 1;
		}
		/* Cut off, as the walk could not go on. */
		g.end = chains[c].end;
		if (g.first < g.end)
			ret->items[ret->n++] = g;
	}
}

struct output {
	uint32_t *frames;
	size_t n;
};

static void put(struct output *o, uint32_t frame)
{
	if (o->n < MERGED_MAX)
		o->frames[o->n++] = frame;
}

/* false: the evaluation runs nothing yet, or no more. */
static bool put_group(struct output *o, const struct group *g, const uint32_t *frames)
{
	size_t before = o->n;

	for (uint32_t i = g->first; i < g->end; i++)
		if (frames[i])
			put(o, frames[i]);
	return o->n > before;
}

/*
 * The group of the innermost evaluation, which is less than none when evaluations have none: a
 * sample may hit one before it has its frame, or after. That can be told from the outer end only.
 */
static bool align(const struct native_stack *native, const struct record_python *r,
		  const struct groups *groups, ptrdiff_t *ret_first)
{
	size_t evaluations = 0;

	for (size_t i = 0; i < native->n; i++)
		evaluations += native->evaluates[i];
	*ret_first = 0;
	if (native->whole && r->h.flags & PYTHON_WHOLE) {
		*ret_first = (ptrdiff_t)groups->n - (ptrdiff_t)evaluations;
		return *ret_first <= 0;
	}
	return native->whole || evaluations <= groups->n;
}

size_t python_stack_merge(const struct native_stack *native, const struct record_python *r,
			  const uint32_t *frames, uint32_t ret[static MERGED_MAX])
{
	struct output o = {.frames = ret};
	struct groups groups;
	ptrdiff_t next;

	find_groups(r, &groups);
	if (!align(native, r, &groups, &next))
		return 0;
	for (size_t i = 0; i < native->n; i++) {
		bool shown = false;

		if (native->evaluates[i]) {
			if (next >= 0 && next < (ptrdiff_t)groups.n)
				shown = put_group(&o, &groups.items[next], frames);
			next++;
		}
		if (!shown)
			put(&o, native->frames[i]);
	}
	/* The native stack was cut off: what called it, as far as Python knows. */
	for (next = MAX(next, 0); !native->whole && next < (ptrdiff_t)groups.n; next++)
		(void)put_group(&o, &groups.items[next], frames);
	return o.n;
}
