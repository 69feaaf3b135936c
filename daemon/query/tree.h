/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call tree: stacks or call paths of a snapshot, merged level by level where functions read
 * the same. Nodes are numbered so that parents come first; nothing here recurses, as stacks may be
 * as deep as they like.
 */
#ifndef SONDE_QUERY_TREE_H
#define SONDE_QUERY_TREE_H

#include "group.h"

struct call_node {
	uint32_t parent; /* index + 1; 0 for a root */
	uint32_t group;	 /* index into the tree's groups */
	uint32_t depth;	 /* 0 for a root */
};

struct call_tree {
	struct groups groups;
	struct call_node *nodes;
	size_t n, cap;
	uint32_t *of; /* the node of each of the snapshot's stacks, or paths */
};

int call_tree_make(struct call_tree *t, const struct snapshot *s, enum query_kind kind);
void call_tree_release(struct call_tree *t);

#endif
