/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

struct builder {
	const struct snapshot *s;
	struct call_tree tree;
	struct groups threads;
	struct table owners; /* (process, thread) to a dense number */
	struct table rows;   /* (owner, node) to a row */
	uint32_t *nodes;     /* the node of each row */
	size_t nodes_cap, rows_cap;
	struct stacks *stacks;
};

static void builder_release(struct builder *b)
{
	call_tree_release(&b->tree);
	groups_release(&b->threads);
	table_release(&b->owners);
	table_release(&b->rows);
	free(b->nodes);
	stacks_free(b->stacks);
}

static int find_owner(struct builder *b, uint32_t process, const char *thread, uint32_t *ret)
{
	const char *comm = b->s->processes[process].comm;
	struct group group = {b->stacks->by_comm ? comm ? comm : "" : thread, "", 0};
	uint32_t id, *slot;
	bool is_new;
	int r = groups_put(&b->threads, &group, &id);

	if (r < 0)
		return r;
	if (b->stacks->by_comm) {
		*ret = id;
		return 0;
	}
	slot = table_put(&b->owners, (uint64_t)process << 32 | id, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = b->owners.len - 1;
	*ret = *slot;
	return 0;
}

static int add_row(struct builder *b, uint32_t process, const char *thread, uint32_t node,
		   uint64_t value)
{
	struct stacks *st = b->stacks;
	uint32_t owner, *slot;
	bool is_new;
	int r = find_owner(b, process, thread, &owner);

	if (r < 0)
		return r;
	if (array_reserve(&b->nodes, &b->nodes_cap, st->n_rows + 1, sizeof(*b->nodes)) < 0 ||
	    array_reserve(&st->rows, &b->rows_cap, st->n_rows + 1, sizeof(*st->rows)) < 0)
		return -ENOMEM;
	slot = table_put(&b->rows, (uint64_t)owner << 32 | node, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = st->n_rows;
		b->nodes[st->n_rows] = node;
		st->rows[st->n_rows++] = (struct stack_row){
			.process = process,
			.thread = st->by_comm ? "" : thread,
			.n_frames = b->tree.nodes[node].depth + 1,
		};
	}
	st->rows[*slot].value += value;
	return 0;
}

static int add_rows(struct builder *b, enum query_kind kind)
{
	const struct snapshot *s = b->s;
	int r = 0;

	if (query_is_about_samples(kind)) {
		for (size_t i = 0; i < s->n_samples && r >= 0; i++) {
			const struct snapshot_sample *sample = &s->samples[i];
			const char *thread = sample->thread ? sample->thread : "";

			r = add_row(b, sample->process, thread, b->tree.of[sample->stack],
				    kind == QUERY_CPU ? sample->count : sample->ns);
		}
		return r;
	}
	for (size_t i = 0; i < s->n_stats && r >= 0; i++)
		r = add_row(b, s->stats[i].process, "", b->tree.of[s->stats[i].path],
			    s->stats[i].stat.self_ns);
	return r;
}

/* Writes each row's frames, root first, by climbing from its node. */
static int fill_frames(struct builder *b)
{
	struct stacks *st = b->stacks;
	size_t used = 0;

	for (size_t i = 0; i < st->n_rows; i++)
		used += st->rows[i].n_frames;
	st->pool = calloc(used + 1, sizeof(*st->pool));
	if (!st->pool)
		return -ENOMEM;
	used = 0;
	for (size_t i = 0; i < st->n_rows; i++) {
		struct stack_row *row = &st->rows[i];
		size_t at = row->n_frames;

		row->frames = st->pool + used;
		used += row->n_frames;
		for (uint32_t node = b->nodes[i] + 1; node; node = b->tree.nodes[node - 1].parent)
			row->frames[--at] = b->tree.nodes[node - 1].group;
	}
	return 0;
}

/* Of several lines of a function the first one is shown. */
static bool is_before(const struct snapshot_frame *a, const struct snapshot_frame *b)
{
	return a->line && (!b->line || a->line < b->line);
}

/* Groups are numbered as their first frames come. */
static int fill_groups(struct builder *b, enum query_kind kind)
{
	_cleanup_(freep) uint32_t *group_of = NULL;
	struct stacks *st = b->stacks;
	int r = groups_of_frames(&b->tree.groups, b->s, kind, true, &group_of);

	if (r < 0)
		return r;
	st->frames = calloc(b->tree.groups.n + 1, sizeof(*st->frames));
	if (!st->frames)
		return -ENOMEM;
	for (size_t i = 0; i < b->s->n_frames; i++) {
		const struct snapshot_frame *f = &b->s->frames[i];

		if (group_of[i] == st->n_frames)
			st->frames[st->n_frames++] = f;
		else if (group_of[i] != NO_GROUP && is_before(f, st->frames[group_of[i]]))
			st->frames[group_of[i]] = f;
	}
	return 0;
}

static int make_stacks(const struct snapshot *s, enum query_kind kind, bool by_comm,
		       struct stacks **ret)
{
	_cleanup_(builder_release) struct builder b = {.s = s};
	int r;

	b.stacks = calloc(1, sizeof(*b.stacks));
	if (!b.stacks)
		return -ENOMEM;
	b.stacks->by_comm = by_comm;
	r = call_tree_make(&b.tree, s, kind);
	if (r >= 0)
		r = add_rows(&b, kind);
	if (r >= 0)
		r = fill_frames(&b);
	if (r >= 0)
		r = fill_groups(&b, kind);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b.stacks);
	return 0;
}

int query_stacks(const struct snapshot *s, enum query_kind kind, struct stacks **ret)
{
	return make_stacks(s, kind, false, ret);
}

int query_stacks_by_comm(const struct snapshot *s, enum query_kind kind, struct stacks **ret)
{
	return make_stacks(s, kind, true, ret);
}

struct stacks *stacks_free(struct stacks *s)
{
	if (!s)
		return NULL;
	free(s->frames);
	free(s->rows);
	free(s->pool);
	free(s);
	return NULL;
}
