/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prune.h"

enum { NONE = UINT32_MAX };

struct pruning {
	struct snapshot *s;
	bool by_time;
	uint64_t *totals;   /* of each stack, with all that continue it */
	uint32_t *becomes;  /* its index among those that stay, or NONE */
	uint32_t *rare;	    /* of a stack that stays: that of what is left out below it, or NONE */
	uint32_t *frame_of; /* a frame's index among those that stay, or NONE */
	struct snapshot_stack *stacks;
	uint32_t n_stacks;
};

static void pruning_release(struct pruning *p)
{
	free(p->totals);
	free(p->becomes);
	free(p->rare);
	free(p->frame_of);
	free(p->stacks);
}

static uint64_t value_of(const struct pruning *p, const struct snapshot_sample *sample)
{
	return p->by_time ? sample->ns : sample->count;
}

static uint64_t sum_up(struct pruning *p)
{
	const struct snapshot *s = p->s;
	uint64_t all = 0;

	for (size_t i = 0; i < s->n_samples; i++) {
		p->totals[s->samples[i].stack] += value_of(p, &s->samples[i]);
		all += value_of(p, &s->samples[i]);
	}
	/* Parents come before their children. */
	for (size_t i = s->n_stacks; i-- > 0;)
		if (s->stacks[i].parent)
			p->totals[s->stacks[i].parent - 1] += p->totals[i];
	return all;
}

static int init(struct pruning *p)
{
	const struct snapshot *s = p->s;

	p->totals = calloc(s->n_stacks + 1, sizeof(*p->totals));
	p->becomes = calloc(s->n_stacks + 1, sizeof(*p->becomes));
	p->rare = calloc(s->n_stacks + 1, sizeof(*p->rare));
	p->frame_of = calloc(s->n_frames + 1, sizeof(*p->frame_of));
	/* Each that goes may leave one behind at most. */
	p->stacks = calloc(s->n_stacks + 1, sizeof(*p->stacks));
	return p->totals && p->becomes && p->rare && p->frame_of && p->stacks ? 0 : -ENOMEM;
}

/* Those with enough, which their parents have as well, keep their order. */
static void choose(struct pruning *p, double least)
{
	const struct snapshot *s = p->s;

	for (size_t i = 0; i < s->n_stacks; i++) {
		uint32_t parent = s->stacks[i].parent;

		p->becomes[i] = NONE;
		p->rare[i] = NONE;
		if (parent && (double)p->totals[i] < least)
			continue;
		p->becomes[i] = p->n_stacks;
		p->stacks[p->n_stacks++] = (struct snapshot_stack){
			parent ? p->becomes[parent - 1] + 1 : 0, s->stacks[i].frame};
	}
}

/* The stack that a sample of a stack is given to; rare_frame: the index of PRUNED_NAME's. */
static uint32_t given_to(struct pruning *p, uint32_t stack, uint32_t rare_frame)
{
	uint32_t at = stack;

	while (p->becomes[at] == NONE)
		at = p->s->stacks[at].parent - 1;
	if (at == stack)
		return p->becomes[at];
	if (p->rare[at] == NONE) {
		p->rare[at] = p->n_stacks;
		p->stacks[p->n_stacks++] = (struct snapshot_stack){p->becomes[at] + 1, rare_frame};
	}
	return p->rare[at];
}

/* Drops the frames that nothing is made of any more. */
static void drop_frames(struct pruning *p)
{
	struct snapshot *s = p->s;
	size_t n = 0;

	for (size_t i = 0; i < s->n_frames; i++)
		p->frame_of[i] = NONE;
	for (uint32_t i = 0; i < p->n_stacks; i++)
		p->frame_of[p->stacks[i].frame] = 0;
	for (size_t i = 0; i < s->n_paths; i++)
		p->frame_of[s->paths[i].frame] = 0;
	for (size_t i = 0; i < s->n_frames; i++) {
		if (p->frame_of[i] == NONE) {
			free(s->frames[i].function);
			free(s->frames[i].source);
			continue;
		}
		p->frame_of[i] = (uint32_t)n;
		s->frames[n++] = s->frames[i];
	}
	s->n_frames = n;
	for (uint32_t i = 0; i < p->n_stacks; i++)
		p->stacks[i].frame = p->frame_of[p->stacks[i].frame];
	for (size_t i = 0; i < s->n_paths; i++)
		s->paths[i].frame = p->frame_of[s->paths[i].frame];
}

/* Room for one more frame, that of what is left out. */
static int add_frame(struct snapshot *s, char *name)
{
	struct snapshot_frame *frames = reallocarray(s->frames, s->n_frames + 1, sizeof(*frames));

	if (!frames)
		return -ENOMEM;
	s->frames = frames;
	frames[s->n_frames++] =
		(struct snapshot_frame){.function = name, .file_path = "", .kind = FRAME_USER};
	return 0;
}

int snapshot_prune(struct snapshot *s, bool by_time, double share)
{
	_cleanup_(pruning_release) struct pruning p = {.s = s, .by_time = by_time};
	_cleanup_(freep) char *name = strdup(PRUNED_NAME);
	uint32_t rare_frame = (uint32_t)s->n_frames;

	if (!name || add_frame(s, name) < 0)
		return -ENOMEM;
	TAKE_PTR(name);
	if (init(&p) < 0)
		return -ENOMEM;
	choose(&p, share * (double)sum_up(&p));
	for (size_t i = 0; i < s->n_samples; i++)
		s->samples[i].stack = given_to(&p, s->samples[i].stack, rare_frame);
	drop_frames(&p);
	free(s->stacks);
	s->stacks = TAKE_PTR(p.stacks);
	s->n_stacks = p.n_stacks;
	return 0;
}
