/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "places.h"

int places_begin(struct places *p)
{
	uint32_t empty;

	return intern_put(&p->strings, "", &empty);
}

void places_release(struct places *p)
{
	intern_release(&p->strings);
	table_release(&p->mapping_index);
	table_release(&p->function_index);
	table_release(&p->location_index);
	free(p->mappings);
	free(p->functions);
	free(p->lines);
	free(p->locations);
	free(p->chain);
	*p = (struct places){};
}

/* The index of what two numbers stand for: 1 and the next one when they are new, 0, -ENOMEM. */
static int number_of(struct table *t, uint32_t a, uint32_t b, size_t next, uint32_t *ret)
{
	uint32_t *slot;
	bool is_new;

	slot = table_put(t, (uint64_t)a << 32 | b, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = (uint32_t)next;
	*ret = *slot;
	return is_new;
}

/* *ret: its index + 1. */
static int put_mapping(struct places *p, const struct stacks_frame *f, uint32_t *ret)
{
	const char *path = f->kind == FLAME_KERNEL ? "[kernel.kallsyms]" : f->path;
	struct place_mapping m;
	uint32_t i;
	int r;

	*ret = 0;
	if (!*path)
		return 0;
	r = intern_put_utf8(&p->strings, path, &m.path);
	if (r >= 0)
		r = intern_put_utf8(&p->strings, f->build_id, &m.build_id);
	if (r >= 0)
		r = number_of(&p->mapping_index, m.path, m.build_id, p->n_mappings, &i);
	if (r < 0)
		return r;
	*ret = i + 1;
	if (r == 0)
		return 0;
	if (array_reserve(&p->mappings, &p->mappings_cap, p->n_mappings + 1, sizeof(m)) < 0)
		return -ENOMEM;
	p->mappings[p->n_mappings++] = m;
	return 0;
}

static int put_function(struct places *p, const struct stacks_frame *f, uint32_t *ret)
{
	struct place_function to;
	int r = intern_put_utf8(&p->strings, f->func, &to.name);

	if (r >= 0)
		r = intern_put_utf8(&p->strings, f->file, &to.file);
	if (r >= 0)
		r = number_of(&p->function_index, to.name, to.file, p->n_functions, ret);
	if (r <= 0)
		return r;
	if (array_reserve(&p->functions, &p->functions_cap, p->n_functions + 1, sizeof(to)) < 0)
		return -ENOMEM;
	p->functions[p->n_functions++] = to;
	return 0;
}

/* Of a frame and those that are inlined into it, n in all, outermost first. */
static int put_location(struct places *p, const struct stacks *s, const uint32_t *frames, size_t n,
			uint32_t *ret)
{
	struct place_location l = {.address = s->frames[frames[0]].offset,
				   .first_line = (uint32_t)p->n_lines,
				   .n_lines = (uint32_t)n};
	int r = number_of(&p->location_index, frames[0], frames[n - 1], p->n_locations, ret);

	if (r <= 0)
		return r;
	r = put_mapping(p, &s->frames[frames[0]], &l.mapping);
	if (r >= 0)
		r = array_reserve(&p->lines, &p->lines_cap, p->n_lines + n, sizeof(*p->lines));
	if (r >= 0)
		r = array_reserve(&p->locations, &p->locations_cap, p->n_locations + 1,
				  sizeof(*p->locations));
	for (size_t i = n; r >= 0 && i-- > 0;) {
		struct place_line *line = &p->lines[p->n_lines++];

		line->line = s->frames[frames[i]].line;
		r = put_function(p, &s->frames[frames[i]], &line->function);
	}
	if (r < 0)
		return r;
	p->locations[p->n_locations++] = l;
	return 0;
}

int places_stack(struct places *p, const struct stacks *s, uint32_t stack, const uint32_t **ret,
		 size_t *ret_n)
{
	size_t n, first, len = 0;
	const uint32_t *chain = stacks_chain(s, stack, &n);

	if (array_reserve(&p->chain, &p->chain_cap, n, sizeof(*p->chain)) < 0)
		return -ENOMEM;
	for (; n > 0; n = first) {
		int r;

		first = n - 1;
		while (first > 0 && s->frames[chain[first]].inlined)
			first--;
		r = put_location(p, s, chain + first, n - first, &p->chain[len++]);
		if (r < 0)
			return r;
	}
	*ret = p->chain;
	*ret_n = len;
	return 0;
}

int places_main_mapping(struct places *p, const struct stacks *s)
{
	_cleanup_(freep) uint64_t *counts = calloc(s->n_frames + 1, sizeof(*counts));
	_cleanup_(intern_release) struct intern paths = {};
	const struct stacks_frame *best = NULL;
	uint64_t most = 0;
	uint32_t mapping;

	if (!counts)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_samples; i++) {
		size_t n;
		uint32_t root = stacks_chain(s, s->samples[i].stack, &n)[0], path;
		const struct stacks_frame *f = &s->frames[root];

		if (f->kind == FLAME_KERNEL || f->path[0] != '/')
			continue;
		if (intern_put(&paths, f->path, &path) < 0)
			return -ENOMEM;
		counts[path] += s->samples[i].count;
		if (counts[path] > most) {
			most = counts[path];
			best = f;
		}
	}
	return best ? put_mapping(p, best, &mapping) : 0;
}
