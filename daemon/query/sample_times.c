/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_times.h"

#include "sonde/base/table.h"

struct moment {
	uint64_t time_ns;
	uint32_t thread; /* index */
	uint32_t i;	 /* the sample */
};

/* The span that has a sample: where several do, it is inside of the others. */
struct claim {
	uint64_t start_ns;
	uint32_t path;
	uint16_t depth;
	bool is_made; /* else no span has it */
};

struct thread {
	uint32_t first, end; /* its moments, once they are sorted */
};

/*
 * A sample that was noted is not looked at again, however many spans are nested around it: next
 * leads from each moment to the first one from it on that was not noted, through several steps,
 * which are shortened whenever they are gone.
 */
struct sample_times {
	struct moment *moments;
	size_t n, cap;
	struct thread *threads;
	size_t n_threads, threads_cap;
	struct table by_thread; /* (process, tid) → index */
	uint32_t *next;		/* of each moment, and of the end; NULL until they are sorted */
	uint8_t *noted;		/* by sample */
	struct claim *claims;	/* likewise; NULL until there is one */
	size_t n_noted;
};

int sample_times_new(struct sample_times **ret)
{
	struct sample_times *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

struct sample_times *sample_times_free(struct sample_times *t)
{
	if (!t)
		return NULL;
	free(t->moments);
	free(t->threads);
	table_release(&t->by_thread);
	free(t->next);
	free(t->noted);
	free(t->claims);
	free(t);
	return NULL;
}

static uint64_t thread_key(uint32_t process, uint32_t tid)
{
	return (uint64_t)process << 32 | tid;
}

static int find_thread(struct sample_times *t, uint32_t process, uint32_t tid, uint32_t *ret)
{
	bool is_new;
	uint32_t *slot = table_put(&t->by_thread, thread_key(process, tid), &is_new);

	if (!slot)
		return -ENOMEM;
	if (is_new) {
		if (array_reserve(&t->threads, &t->threads_cap, t->n_threads + 1,
				  sizeof(*t->threads)) < 0)
			return -ENOMEM;
		*slot = (uint32_t)t->n_threads;
		t->threads[t->n_threads++] = (struct thread){};
	}
	*ret = *slot;
	return 0;
}

int sample_times_add(struct sample_times *t, uint32_t process, uint32_t tid, uint64_t time_ns)
{
	uint32_t thread;
	int r;

	if (t->n >= SAMPLE_TIMES_MAX)
		return -E2BIG;
	r = find_thread(t, process, tid, &thread);
	if (r < 0)
		return r;
	if (array_reserve(&t->moments, &t->cap, t->n + 1, sizeof(*t->moments)) < 0)
		return -ENOMEM;
	t->moments[t->n] = (struct moment){time_ns, thread, (uint32_t)t->n};
	t->n++;
	return 0;
}

static int compare_moments(const void *pa, const void *pb)
{
	const struct moment *a = pa, *b = pb;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

int sample_times_sort(struct sample_times *t)
{
	t->next = malloc((t->n + 1) * sizeof(*t->next));
	t->noted = calloc(t->n + 1, sizeof(*t->noted));
	if (!t->next || !t->noted)
		return -ENOMEM;
	if (t->n)
		qsort(t->moments, t->n, sizeof(*t->moments), compare_moments);
	for (size_t i = 0; i < t->n; i++) {
		struct thread *thread = &t->threads[t->moments[i].thread];

		if (thread->end == 0)
			thread->first = (uint32_t)i;
		thread->end = (uint32_t)i + 1;
	}
	for (size_t i = 0; i <= t->n; i++)
		t->next[i] = (uint32_t)i;
	return 0;
}

/* The first moment of the thread that is not before that time; its end when there is none. */
static uint32_t first_from(const struct sample_times *t, const struct thread *thread,
			   uint64_t time_ns)
{
	uint32_t low = thread->first, high = thread->end;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->moments[middle].time_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t next_from(struct sample_times *t, uint32_t at)
{
	while (t->next[at] != at) {
		t->next[at] = t->next[t->next[at]];
		at = t->next[at];
	}
	return at;
}

void sample_times_note(struct sample_times *t, const struct raw_span *span)
{
	const uint32_t *slot = table_get(&t->by_thread, thread_key(span->process, span->tid));
	const struct thread *thread;

	if (!slot)
		return;
	thread = &t->threads[*slot];
	for (uint32_t at = next_from(t, first_from(t, thread, span->start_ns));
	     at < thread->end && t->moments[at].time_ns - span->start_ns < span->duration_ns;
	     at = next_from(t, at)) {
		t->noted[t->moments[at].i] = true;
		t->n_noted++;
		t->next[at] = at + 1;
	}
}

bool sample_times_noted(const struct sample_times *t, size_t i)
{
	return i < t->n && t->noted[i];
}

size_t sample_times_count(const struct sample_times *t)
{
	return t->n;
}

size_t sample_times_count_noted(const struct sample_times *t)
{
	return t->n_noted;
}

static bool is_inside(const struct claim *c, const struct raw_span *span)
{
	return c->start_ns < span->start_ns ||
	       (c->start_ns == span->start_ns && c->depth <= span->depth);
}

int sample_times_claim(struct sample_times *t, const struct raw_span *span)
{
	const uint32_t *slot = table_get(&t->by_thread, thread_key(span->process, span->tid));
	const struct thread *thread;

	if (!slot)
		return 0;
	if (!t->claims && !(t->claims = calloc(t->n + 1, sizeof(*t->claims))))
		return -ENOMEM;
	thread = &t->threads[*slot];
	for (uint32_t at = first_from(t, thread, span->start_ns);
	     at < thread->end && t->moments[at].time_ns - span->start_ns < span->duration_ns;
	     at++) {
		struct claim *c = &t->claims[t->moments[at].i];

		if (!c->is_made || is_inside(c, span))
			*c = (struct claim){span->start_ns, span->path, span->depth, true};
	}
	return 0;
}

uint32_t sample_times_path(const struct sample_times *t, size_t i)
{
	return t->claims && i < t->n ? t->claims[i].path : 0;
}
