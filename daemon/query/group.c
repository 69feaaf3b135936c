/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "group.h"

static uint64_t group_hash(const struct group *g)
{
	uint64_t h = hash_bytes(g->name, strlen(g->name), g->kind << 1 | g->inlined);

	return hash_bytes(g->binary, strlen(g->binary), h);
}

static bool group_equal(const struct group *a, const struct group *b)
{
	return a->kind == b->kind && a->inlined == b->inlined && streq(a->name, b->name) &&
	       streq(a->binary, b->binary);
}

int groups_put(struct groups *g, const struct group *group, uint32_t *ret_id)
{
	int r = array_reserve(&g->items, &g->cap, g->n + 1, sizeof(*g->items));

	if (r < 0)
		return r;
	/* Two groups of one hash: the later one is kept under the hash of the hash. */
	for (uint64_t key = group_hash(group);; key = hash_mix(key, 1)) {
		bool new;
		uint32_t *id = table_put(&g->index, key, &new);

		if (!id)
			return -ENOMEM;
		if (new) {
			*id = g->n;
			g->items[g->n++] = *group;
		} else if (!group_equal(&g->items[*id], group)) {
			continue;
		}
		*ret_id = *id;
		return 0;
	}
}

void groups_release(struct groups *g)
{
	free(g->items);
	table_release(&g->index);
	*g = (struct groups){};
}

int groups_of_frames(struct groups *g, const struct snapshot *s, enum query_kind kind,
		     bool tell_inlined, uint32_t **ret_of)
{
	_cleanup_(freep) uint32_t *of = calloc(s->n_frames + 1, sizeof(*of));

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct snapshot_frame *f = &s->frames[i];
		struct group group = {frame_function(f), frame_binary(f), f->kind,
				      tell_inlined && f->inlined};
		int r;

		of[i] = NO_GROUP;
		if ((f->kind == FRAME_SPAN) != (kind == QUERY_SPAN))
			continue;
		r = groups_put(g, &group, &of[i]);
		if (r < 0)
			return r;
	}
	*ret_of = TAKE_PTR(of);
	return 0;
}

int groups_of_categories(struct groups *g, const struct snapshot *s, uint32_t **ret_of)
{
	_cleanup_(freep) uint32_t *of = calloc(s->n_frames + 1, sizeof(*of));

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct snapshot_frame *f = &s->frames[i];
		const char *binary = frame_binary(f);
		struct group group = {f->category ? f->category : *binary ? binary : "-", "", 0, 0};
		int r;

		of[i] = NO_GROUP;
		if (f->kind != FRAME_SPAN)
			continue;
		r = groups_put(g, &group, &of[i]);
		if (r < 0)
			return r;
	}
	*ret_of = TAKE_PTR(of);
	return 0;
}

const char *frame_function(const struct snapshot_frame *f)
{
	return f->function ? f->function : "[unknown]";
}

const char *frame_binary(const struct snapshot_frame *f)
{
	if (f->kind == FRAME_KERNEL)
		return "[kernel]";
	return f->file_path ? path_base(f->file_path) : "";
}
