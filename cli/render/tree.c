/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include "sonde/base/table.h"

struct node {
	reply_t *row;
	uint32_t parent, first, last, next; /* indices; 0 is the root, and none */
};

struct tree {
	struct node *nodes; /* 0 is the root, the rows follow */
	uint32_t n, at;
	uint32_t *path; /* scratch: from the node at hand to the root */
};

static void add_child(struct tree *t, uint32_t parent, uint32_t child)
{
	t->nodes[child].parent = parent;
	if (t->nodes[parent].last)
		t->nodes[t->nodes[parent].last].next = child;
	else
		t->nodes[parent].first = child;
	t->nodes[parent].last = child;
}

/* A parent must have come before: so there are no cycles, whatever the daemon says. */
static int build(struct tree *t, reply_t *reply, const char *key)
{
	_cleanup_(table_release) struct table by_id = {0};

	reply_foreach(row, reply, key)
	{
		uint32_t index = ++t->n, *slot;
		uint64_t parent = reply_u64(row, "parent");
		bool is_new;

		t->nodes[index].row = row;
		slot = parent ? table_get(&by_id, parent) : NULL;
		add_child(t, slot ? *slot : 0, index);
		slot = table_put(&by_id, reply_u64(row, "id"), &is_new);
		if (!slot)
			return -ENOMEM;
		*slot = index;
	}
	return 0;
}

int tree_new(reply_t *reply, const char *key, struct tree **ret)
{
	_cleanup_(tree_freep) struct tree *t = calloc(1, sizeof(*t));
	size_t n = reply_count(reply, key);

	if (!t || n >= UINT32_MAX)
		return -ENOMEM;
	t->nodes = calloc(n + 1, sizeof(*t->nodes));
	t->path = calloc(n + 1, sizeof(*t->path));
	if (!t->nodes || !t->path || build(t, reply, key) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(t);
	return 0;
}

struct tree *tree_free(struct tree *t)
{
	if (!t)
		return NULL;
	free(t->nodes);
	free(t->path);
	free(t);
	return NULL;
}

/* Nothing is drawn for children of the root: they stand at the margin. */
static void draw(struct tree *t, struct strbuf *prefix)
{
	uint32_t depth = 0;

	strbuf_reset(prefix);
	for (uint32_t i = t->at; t->nodes[i].parent; i = t->nodes[i].parent)
		t->path[depth++] = i;
	while (depth--) {
		bool last = !t->nodes[t->path[depth]].next;

		if (depth)
			strbuf_puts(prefix, last ? "  " : "\xe2\x94\x82 ");
		else
			strbuf_puts(prefix,
				    last ? "\xe2\x94\x94\xe2\x94\x80" : "\xe2\x94\x9c\xe2\x94\x80");
	}
}

reply_t *tree_next(struct tree *t, struct strbuf *prefix)
{
	uint32_t at = t->at;

	if (t->nodes[at].first) {
		at = t->nodes[at].first;
	} else {
		while (at && !t->nodes[at].next)
			at = t->nodes[at].parent;
		at = t->nodes[at].next;
	}
	t->at = at;
	if (!at)
		return NULL;
	draw(t, prefix);
	return t->nodes[at].row;
}
