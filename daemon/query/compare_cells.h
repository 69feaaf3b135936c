/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each side of a comparison adds up to, by key and block of windows. Private to compare. */
#ifndef SONDE_QUERY_COMPARE_CELLS_H
#define SONDE_QUERY_COMPARE_CELLS_H

#include "compare.h"
#include "group.h"

/*
 * Long recordings have their windows joined to this many blocks: enough to know how they vary,
 * and it bounds what is kept.
 */
enum { COMPARE_MAX_BLOCKS = 60 };

struct compare_cell {
	struct compare_sum sum;
	uint64_t calls_ns; /* of all calls, also those inside a call of the same key */
	struct hist hist;
};

struct compare_side {
	const struct snapshot *snapshot;
	uint32_t *key_of; /* of its stacks (samples) or paths (spans) */
	size_t n_blocks;
	double *seconds;	    /* of each block */
	uint64_t *all;		    /* samples, or self time of spans, of each block */
	struct compare_cell *cells; /* [key * n_blocks + block] */
};

struct compare_blocks {
	struct compare_side sides[COMPARE_SIDES];
	struct groups groups; /* of both sides */
	/* By path: nodes of both trees; texts are made for rows. */
	struct compare_node {
		uint32_t parent; /* index + 1 */
		uint32_t group;
	} * nodes;
	size_t n_nodes, nodes_cap;
	char **texts;
	size_t n_texts;
	size_t n_keys;
	enum query_kind kind;
	enum compare_by by;
};

/* Finds the keys of both sides and fills the cells; 0, -ENOMEM, -EINVAL. */
int compare_fill(struct compare_blocks *b,
		 const struct snapshot *const sides[static COMPARE_SIDES]);
void compare_blocks_release(struct compare_blocks *b);

static inline const struct compare_cell *compare_cells_of(const struct compare_side *side,
							  size_t key)
{
	return &side->cells[key * side->n_blocks];
}

#endif
