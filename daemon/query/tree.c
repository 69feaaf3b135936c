/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

static int merge_nodes(struct call_tree *t, const struct snapshot *s, enum query_kind kind,
		       const uint32_t *group_of, struct table *index)
{
	size_t n = query_is_about_samples(kind) ? s->n_stacks : s->n_paths;

	for (size_t i = 0; i < n; i++) {
		bool is_stack = query_is_about_samples(kind);
		uint32_t parent = is_stack ? s->stacks[i].parent : s->paths[i].parent;
		uint32_t frame = is_stack ? s->stacks[i].frame : s->paths[i].frame;
		struct call_node node = {.group = group_of[frame]};
		uint32_t *slot;
		bool is_new;

		if (parent) {
			node.parent = t->of[parent - 1] + 1;
			node.depth = t->nodes[node.parent - 1].depth + 1;
		}
		slot = table_put(index, (uint64_t)node.parent << 32 | node.group, &is_new);
		if (!slot || array_reserve(&t->nodes, &t->cap, t->n + 1, sizeof(*t->nodes)) < 0)
			return -ENOMEM;
		if (is_new) {
			*slot = t->n;
			t->nodes[t->n++] = node;
		}
		t->of[i] = *slot;
	}
	return 0;
}

int call_tree_make(struct call_tree *t, const struct snapshot *s, enum query_kind kind)
{
	_cleanup_(freep) uint32_t *group_of = NULL;
	_cleanup_(table_release) struct table index = {};
	int r = groups_of_frames(&t->groups, s, kind, true, &group_of);

	if (r < 0)
		return r;
	t->of = calloc((query_is_about_samples(kind) ? s->n_stacks : s->n_paths) + 1,
		       sizeof(*t->of));
	if (!t->of)
		return -ENOMEM;
	return merge_nodes(t, s, kind, group_of, &index);
}

void call_tree_release(struct call_tree *t)
{
	groups_release(&t->groups);
	free(t->nodes);
	free(t->of);
	*t = (struct call_tree){};
}
