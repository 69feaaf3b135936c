/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compare_cells.h"

void compare_blocks_release(struct compare_blocks *b)
{
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		struct compare_side *side = &b->sides[i];

		for (size_t c = 0; side->cells && c < b->n_keys * side->n_blocks; c++)
			hist_release(&side->cells[c].hist);
		free(side->cells);
		free(side->seconds);
		free(side->all);
		free(side->key_of);
	}
	groups_release(&b->groups);
	free(b->nodes);
	for (size_t i = 0; b->texts && i < b->n_texts; i++)
		free(b->texts[i]);
	free(b->texts);
}

static size_t things(const struct snapshot *s, enum query_kind kind)
{
	return query_is_about_samples(kind) ? s->n_stacks : s->n_paths;
}

static uint32_t frame_of(const struct snapshot *s, enum query_kind kind, size_t i)
{
	return query_is_about_samples(kind) ? s->stacks[i].frame : s->paths[i].frame;
}

static uint32_t parent_of(const struct snapshot *s, enum query_kind kind, size_t i)
{
	return query_is_about_samples(kind) ? s->stacks[i].parent : s->paths[i].parent;
}

/* Nodes of both trees are one where they are reached the same way. Parents come first. */
static int find_node(struct compare_blocks *b, struct table *index, struct compare_node node,
		     uint32_t *ret)
{
	bool is_new;
	uint32_t *slot = table_put(index, (uint64_t)node.parent << 32 | node.group, &is_new);

	if (!slot || array_reserve(&b->nodes, &b->nodes_cap, b->n_nodes + 1, sizeof(*b->nodes)) < 0)
		return -ENOMEM;
	if (is_new) {
		*slot = (uint32_t)b->n_nodes;
		b->nodes[b->n_nodes++] = node;
	}
	*ret = *slot;
	return 0;
}

static int find_keys(struct compare_blocks *b, struct compare_side *side, struct table *index)
{
	_cleanup_(freep) uint32_t *group_of = NULL;
	const struct snapshot *s = side->snapshot;
	size_t n = things(s, b->kind);
	int r = groups_of_frames(&b->groups, s, b->kind, false, &group_of);

	if (r < 0)
		return r;
	side->key_of = calloc(n + 1, sizeof(*side->key_of));
	if (!side->key_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct compare_node node = {.group = group_of[frame_of(s, b->kind, i)]};
		uint32_t parent = parent_of(s, b->kind, i);

		side->key_of[i] = node.group;
		if (b->by == COMPARE_FUNC)
			continue;
		node.parent = parent ? side->key_of[parent - 1] + 1 : 0;
		r = find_node(b, index, node, &side->key_of[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_cells(struct compare_blocks *b, struct compare_side *side)
{
	const struct snapshot *s = side->snapshot;

	side->n_blocks = MIN(MAX(s->n_windows, (size_t)1), (size_t)COMPARE_MAX_BLOCKS);
	side->seconds = calloc(side->n_blocks, sizeof(*side->seconds));
	side->all = calloc(side->n_blocks, sizeof(*side->all));
	side->cells = calloc(b->n_keys * side->n_blocks + 1, sizeof(*side->cells));
	return side->seconds && side->all && side->cells ? 0 : -ENOMEM;
}

/* Windows are joined as evenly as they can be. */
static size_t block_of(const struct compare_side *side, size_t window)
{
	return window * side->n_blocks / MAX(side->snapshot->n_windows, (size_t)1);
}

static void add_seconds(struct compare_side *side)
{
	const struct snapshot *s = side->snapshot;

	for (size_t i = 0; i < s->n_windows; i++)
		side->seconds[block_of(side, i)] +=
			(double)(s->windows[i].end_ns - s->windows[i].start_ns) / NSEC_PER_SEC;
}

/* Climbs each row's stack; what is met again on the way up has the row's mark already. */
static int add_samples(struct compare_blocks *b, struct compare_side *side)
{
	const struct snapshot *s = side->snapshot;
	_cleanup_(freep) uint32_t *marks = calloc(b->n_keys + 1, sizeof(*marks));

	if (!marks)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_samples; i++) {
		const struct snapshot_sample *sample = &s->samples[i];
		size_t block = block_of(side, sample->window);
		struct compare_cell *cells = side->cells + block;

		/* Waits are not sampled evenly: their time is what counts. */
		side->all[block] += b->kind == QUERY_OFFCPU ? sample->ns : sample->count;
		cells[side->key_of[sample->stack] * side->n_blocks].sum.self_ns += sample->ns;
		for (uint32_t at = sample->stack + 1; at; at = s->stacks[at - 1].parent) {
			uint32_t key = side->key_of[at - 1];
			struct compare_cell *cell = &cells[key * side->n_blocks];

			if (marks[key] == i + 1)
				continue;
			marks[key] = (uint32_t)(i + 1);
			cell->sum.samples += sample->count;
			cell->sum.total_ns += sample->ns;
		}
	}
	return 0;
}

/*
 * Whether the time of these calls is part of that of calls of the same key that ended in the same
 * process, as for the report.
 */
static bool is_nested(const struct compare_side *side, const struct table *finished,
		      const struct snapshot_stat *stat)
{
	const struct snapshot *s = side->snapshot;
	uint32_t key = side->key_of[stat->path];

	for (uint32_t at = s->paths[stat->path].parent; at; at = s->paths[at - 1].parent)
		if (side->key_of[at - 1] == key &&
		    table_get(finished, (uint64_t)stat->process << 32 | at))
			return true;
	return false;
}

static int add_stat(struct compare_cell *cell, const struct span_stat *stat, bool nested)
{
	struct compare_sum *sum = &cell->sum;

	sum->calls += stat->calls;
	sum->errors += stat->errors;
	sum->self_ns += stat->self_ns;
	sum->max_ns = MAX(sum->max_ns, stat->max_ns);
	sum->total_ns += nested ? 0 : stat->total_ns;
	cell->calls_ns += stat->total_ns;
	return hist_merge(&cell->hist, &stat->hist);
}

static int add_spans(struct compare_side *side)
{
	_cleanup_(table_release) struct table finished = {};
	const struct snapshot *s = side->snapshot;

	for (size_t i = 0; i < s->n_stats; i++)
		if (s->stats[i].stat.calls &&
		    !table_put(&finished,
			       (uint64_t)s->stats[i].process << 32 | (s->stats[i].path + 1), NULL))
			return -ENOMEM;
	for (size_t i = 0; i < s->n_stats; i++) {
		const struct snapshot_stat *stat = &s->stats[i];
		size_t block = block_of(side, stat->window);
		size_t key = side->key_of[stat->path];
		int r = add_stat(&side->cells[key * side->n_blocks + block], &stat->stat,
				 is_nested(side, &finished, stat));

		if (r < 0)
			return r;
		side->all[block] += stat->stat.self_ns;
	}
	return 0;
}

int compare_fill(struct compare_blocks *b, const struct snapshot *const sides[static COMPARE_SIDES])
{
	_cleanup_(table_release) struct table index = {};
	int r = 0;

	for (size_t i = 0; i < COMPARE_SIDES && r >= 0; i++) {
		b->sides[i].snapshot = sides[i];
		r = sides[i]->windows ? find_keys(b, &b->sides[i], &index) : -EINVAL;
	}
	b->n_keys = b->by == COMPARE_FUNC ? b->groups.n : b->n_nodes;
	for (size_t i = 0; i < COMPARE_SIDES && r >= 0; i++) {
		r = make_cells(b, &b->sides[i]);
		if (r < 0)
			break;
		add_seconds(&b->sides[i]);
		r = query_is_about_samples(b->kind) ? add_samples(b, &b->sides[i])
						    : add_spans(&b->sides[i]);
	}
	return r;
}
