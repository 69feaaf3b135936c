/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_samples.h"

#include <limits.h>

int timeline_add_frame(struct timeline_samples *s, const char *name, const char *binary,
		       const char *place)
{
	struct timeline_frame f = {strdup(name), strdup(binary), NULL};

	if (!f.name || !f.binary || strdup_to(&f.place, place) < 0 || s->n_frames >= INT_MAX ||
	    array_reserve(&s->frames, &s->frames_cap, s->n_frames + 1, sizeof(f)) < 0) {
		free(f.name);
		free(f.binary);
		free(f.place);
		return -ENOMEM;
	}
	s->frames[s->n_frames] = f;
	return (int)s->n_frames++;
}

int timeline_add_stack(struct timeline_samples *s, uint32_t parent, uint32_t frame)
{
	if (parent > s->n_stacks || frame >= s->n_frames)
		return -EINVAL;
	if (s->n_stacks >= INT_MAX ||
	    array_reserve(&s->stacks, &s->stacks_cap, s->n_stacks + 1, sizeof(*s->stacks)) < 0)
		return -ENOMEM;
	s->stacks[s->n_stacks] = (struct timeline_stack){parent, frame};
	return (int)s->n_stacks++;
}

int timeline_samples_add(struct timeline_samples *s, enum timeline_sample_kind kind,
			 const struct timeline_sample *sample)
{
	if (sample->stack > s->n_stacks)
		return -EINVAL;
	if (array_reserve(&s->items[kind], &s->cap[kind], s->n[kind] + 1, sizeof(*sample)) < 0)
		return -ENOMEM;
	s->items[kind][s->n[kind]++] = *sample;
	return 0;
}

void timeline_samples_release(struct timeline_samples *s)
{
	for (size_t i = 0; i < s->n_frames; i++) {
		free(s->frames[i].name);
		free(s->frames[i].binary);
		free(s->frames[i].place);
	}
	for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++)
		free(s->items[k]);
	free(s->frames);
	free(s->stacks);
	*s = (struct timeline_samples){};
}

static int by_thread_and_time(const void *pa, const void *pb)
{
	const struct timeline_sample *a = pa, *b = pb;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

int timeline_samples_each(struct timeline_samples *s,
			  int (*each)(void *arg, uint32_t thread,
				      const struct timeline_sample *const *samples,
				      const size_t *n),
			  void *arg)
{
	size_t at[TIMELINE_SAMPLE_KINDS] = {};

	for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++)
		if (s->n[k])
			qsort(s->items[k], s->n[k], sizeof(*s->items[k]), by_thread_and_time);
	while (at[TIMELINE_CPU] < s->n[TIMELINE_CPU] || at[TIMELINE_WAITS] < s->n[TIMELINE_WAITS]) {
		const struct timeline_sample *first[TIMELINE_SAMPLE_KINDS];
		size_t n[TIMELINE_SAMPLE_KINDS] = {};
		uint32_t thread = UINT32_MAX;
		int r;

		for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++)
			if (at[k] < s->n[k])
				thread = MIN(thread, s->items[k][at[k]].thread);
		for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++) {
			first[k] = s->items[k] ? s->items[k] + at[k] : NULL;
			while (at[k] < s->n[k] && s->items[k][at[k]].thread == thread) {
				at[k]++;
				n[k]++;
			}
		}
		r = each(arg, thread, first, n);
		if (r < 0)
			return r;
	}
	return 0;
}
