/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line a stack, "comm;main;parse 12": as sonde flame writes them. */
#include "../render/flame_folded.h"
#include "formats.h"
#include "stacks.h"

static int folded_begin(struct export *x)
{
	struct flame_tree *tree = flame_tree_new();

	x->state = tree;
	return tree ? 0 : -ENOMEM;
}

static int add(struct flame_tree *tree, const struct stacks *s, const struct stacks_sample *sample,
	       struct flame_frame *room)
{
	size_t n;
	const uint32_t *chain = stacks_chain(s, sample->stack, &n);

	room[0] = (struct flame_frame){.name = s->processes[sample->process].comm,
				       .kind = FLAME_PROCESS};
	for (size_t i = 0; i < n; i++) {
		const struct stacks_frame *f = &s->frames[chain[i]];

		room[i + 1] = (struct flame_frame){.name = f->func,
						   .binary = stacks_binary(f),
						   .kind = f->kind,
						   .inlined = f->inlined};
	}
	return flame_tree_add(tree, room, n + 1, stacks_value(s, sample));
}

static int folded_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	_cleanup_(freep) struct flame_frame *room = NULL;
	int r = stacks_read(reply, &s, x->error);

	if (r < 0)
		return r;
	room = calloc((size_t)s.max_depth + 1, sizeof(*room));
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < s.n_samples && r >= 0; i++)
		r = add(x->state, &s, &s.samples[i], room);
	return r;
}

static int folded_end(struct export *x)
{
	return flame_folded_write(x->out, x->state);
}

static void folded_free(struct export *x)
{
	flame_tree_free(x->state);
}

const struct export_format export_folded = {
	.name = "folded",
	.extensions = ".folded|.collapsed",
	.summary = "a line a stack (flamegraph.pl, inferno)",
	.carries = EXPORT_STACKS,
	.begin = folded_begin,
	.stacks = folded_stacks,
	.end = folded_end,
	.free = folded_free,
};
