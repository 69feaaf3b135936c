/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The samples and waits of a timeline, with their stacks, as they are gathered in any order.
 * Threads are those of the timeline (timeline_spans.h), which need not have spans.
 */
#ifndef SONDE_RENDER_TIMELINE_SAMPLES_H
#define SONDE_RENDER_TIMELINE_SAMPLES_H

#include "sonde/base/strbuf.h"

enum timeline_sample_kind { TIMELINE_CPU, TIMELINE_WAITS, TIMELINE_SAMPLE_KINDS };

struct timeline_sample {
	uint64_t time_ns; /* since the epoch; of a wait when it began */
	uint64_t ns;	  /* of a wait how long it was; 0: not known */
	uint32_t thread;
	uint32_t stack; /* 1 + what timeline_add_stack() gave; 0: none */
};

struct timeline_frame {
	char *name, *binary; /* binary "[kernel]": of the kernel */
	char *place;	     /* "file:line"; NULL: not known */
};

/* A frame below another stack. */
struct timeline_stack {
	uint32_t parent; /* 1 + a stack that was added before; 0: the outermost frame */
	uint32_t frame;
};

/* Starts as all zero. */
struct timeline_samples {
	struct timeline_sample *items[TIMELINE_SAMPLE_KINDS];
	size_t n[TIMELINE_SAMPLE_KINDS], cap[TIMELINE_SAMPLE_KINDS];
	struct timeline_frame *frames;
	struct timeline_stack *stacks;
	size_t n_frames, n_stacks, frames_cap, stacks_cap;
	uint64_t period_ns; /* between two CPU samples; 0: not known */
};

/* place: NULL when it is not known. These return the number of what was added, or -errno. */
int timeline_add_frame(struct timeline_samples *s, const char *name, const char *binary,
		       const char *place);
int timeline_add_stack(struct timeline_samples *s, uint32_t parent, uint32_t frame);
/* 0, -EINVAL (no such stack), -ENOMEM. The thread is checked by timeline_add_sample(). */
int timeline_samples_add(struct timeline_samples *s, enum timeline_sample_kind kind,
			 const struct timeline_sample *sample);
static inline size_t timeline_samples_count(const struct timeline_samples *s)
{
	return s->n[TIMELINE_CPU] + s->n[TIMELINE_WAITS];
}
void timeline_samples_release(struct timeline_samples *s);

/*
 * Sorts by thread, then by time; each() gets what a thread has of both kinds, for each that has
 * any, in the order of threads. 0, or what each() returned below 0.
 */
int timeline_samples_each(struct timeline_samples *s,
			  int (*each)(void *arg, uint32_t thread,
				      const struct timeline_sample *const *samples,
				      const size_t *n),
			  void *arg);

#endif
