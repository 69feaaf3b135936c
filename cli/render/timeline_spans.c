/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_spans.h"

#include <limits.h>

int timeline_add_process(struct timeline *t, uint32_t pid, const char *comm)
{
	struct timeline_process p = {pid, strdup(comm)};

	if (!p.comm)
		return -ENOMEM;
	if (t->n_processes >= INT_MAX ||
	    array_reserve(&t->processes, &t->processes_cap, t->n_processes + 1, sizeof(p)) < 0) {
		free(p.comm);
		return -ENOMEM;
	}
	t->processes[t->n_processes] = p;
	return (int)t->n_processes++;
}

int timeline_add_thread(struct timeline *t, uint32_t process, uint32_t tid)
{
	if (process >= t->n_processes)
		return -EINVAL;
	if (t->n_threads >= INT_MAX ||
	    array_reserve(&t->threads, &t->threads_cap, t->n_threads + 1, sizeof(*t->threads)) < 0)
		return -ENOMEM;
	t->threads[t->n_threads] = (struct timeline_thread){process, tid, NULL};
	return (int)t->n_threads++;
}

int timeline_add_function(struct timeline *t, const char *name, const char *binary)
{
	struct timeline_function f = {strdup(name), strdup(binary)};

	if (!f.name || !f.binary || t->n_functions >= INT_MAX ||
	    array_reserve(&t->functions, &t->functions_cap, t->n_functions + 1, sizeof(f)) < 0) {
		free(f.name);
		free(f.binary);
		return -ENOMEM;
	}
	t->functions[t->n_functions] = f;
	return (int)t->n_functions++;
}

static uint64_t end_of(const struct timeline_span *s)
{
	return s->start_ns + s->duration_ns;
}

static bool is_kept(const struct timeline *t, uint64_t start_ns, uint64_t end_ns)
{
	return end_ns >= t->from_ns && (!t->until_ns || start_ns < t->until_ns);
}

static void extend(struct timeline *t, uint64_t start_ns, uint64_t end_ns)
{
	t->zero_ns = t->has_times ? MIN(t->zero_ns, start_ns) : start_ns;
	t->end_ns = MAX(t->end_ns, end_ns);
	t->has_times = true;
}

int timeline_add_span(struct timeline *t, const struct timeline_span *span)
{
	struct timeline_span s = *span;

	if (s.thread >= t->n_threads || s.function >= t->n_functions)
		return -EINVAL;
	s.duration_ns = MIN(s.duration_ns, UINT64_MAX - s.start_ns);
	s.offcpu_ns = MIN(s.offcpu_ns, s.duration_ns);
	if (!is_kept(t, s.start_ns, end_of(&s)))
		return 0;
	if (t->most && t->n_spans >= t->most) {
		t->more++;
		return 0;
	}
	if (array_reserve(&t->spans, &t->spans_cap, t->n_spans + 1, sizeof(s)) < 0)
		return -ENOMEM;
	extend(t, s.start_ns, end_of(&s));
	t->has_offcpu |= s.offcpu_ns > 0;
	t->spans[t->n_spans++] = s;
	return 0;
}

int timeline_add_value(struct timeline *t, uint32_t process, const char *name, uint64_t time_ns,
		       double value)
{
	struct timeline_value v = {.time_ns = time_ns, .value = value};
	int counter;

	if (process >= t->n_processes)
		return -EINVAL;
	if (!is_kept(t, time_ns, time_ns))
		return 0;
	if (t->most && t->counters.n_values >= t->most) {
		t->more++;
		return 0;
	}
	counter = timeline_counters_find(&t->counters, process, name);
	if (counter < 0)
		return counter;
	v.counter = (uint32_t)counter;
	extend(t, time_ns, time_ns);
	return timeline_counters_add(&t->counters, &v);
}

int timeline_add_sample(struct timeline *t, enum timeline_sample_kind kind,
			const struct timeline_sample *sample)
{
	struct timeline_sample s = *sample;
	uint64_t end_ns;

	if (s.thread >= t->n_threads || s.stack > t->samples.n_stacks)
		return -EINVAL;
	s.ns = MIN(s.ns, UINT64_MAX - s.time_ns);
	end_ns = s.time_ns + s.ns;
	if (!is_kept(t, s.time_ns, end_ns))
		return 0;
	if (t->most && timeline_samples_count(&t->samples) >= t->most) {
		t->more_samples++;
		return 0;
	}
	extend(t, s.time_ns, end_ns);
	return timeline_samples_add(&t->samples, kind, &s);
}

int timeline_name_thread(struct timeline *t, uint32_t thread, const char *name)
{
	struct timeline_thread *to = &t->threads[thread];

	return to->name ? 0 : strdup_to(&to->name, name);
}

int timeline_add_use(struct timeline *t, const struct timeline_use *use)
{
	if (use->process >= t->n_processes || use->end_us <= use->start_us)
		return -EINVAL;
	if (array_reserve(&t->uses, &t->uses_cap, t->n_uses + 1, sizeof(*t->uses)) < 0)
		return -ENOMEM;
	t->uses[t->n_uses++] = *use;
	return 0;
}

void timeline_release(struct timeline *t)
{
	for (size_t i = 0; i < t->n_processes; i++)
		free(t->processes[i].comm);
	for (size_t i = 0; i < t->n_threads; i++)
		free(t->threads[i].name);
	timeline_samples_release(&t->samples);
	for (size_t i = 0; i < t->n_functions; i++) {
		free(t->functions[i].name);
		free(t->functions[i].binary);
	}
	free(t->processes);
	free(t->threads);
	free(t->functions);
	free(t->spans);
	free(t->uses);
	timeline_counters_release(&t->counters);
	*t = (struct timeline){};
}

static void extend_by_value(void *arg, uint64_t time_ns)
{
	extend(arg, time_ns, time_ns);
}

void timeline_cut(struct timeline *t, uint64_t from_ns, uint64_t until_ns)
{
	size_t n = 0;

	t->zero_ns = t->end_ns = 0;
	t->has_times = false;
	for (size_t i = 0; i < t->n_spans; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (end_of(s) < from_ns || s->start_ns >= until_ns)
			continue;
		extend(t, s->start_ns, end_of(s));
		t->spans[n++] = *s;
	}
	t->n_spans = n;
	timeline_counters_cut(&t->counters, from_ns, until_ns, extend_by_value, t);
}

/* Callers before what they called. */
static int by_start(const void *pa, const void *pb)
{
	const struct timeline_span *a = pa, *b = pb;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns ? -1 : 1;
	return (int)a->depth - (int)b->depth;
}

/* The spans of each thread next to each other, at first[thread] to first[thread + 1]. */
static int group(struct timeline *t, size_t *first)
{
	struct timeline_span *to = malloc(MAX(t->n_spans, 1U) * sizeof(*to));
	size_t at = 0;

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_spans; i++)
		first[t->spans[i].thread + 1]++;
	for (size_t i = 0; i < t->n_threads; i++) {
		size_t n = first[i + 1];

		first[i + 1] = at;
		at += n;
	}
	/* first[i + 1] is where the next span of thread i goes: in the end, where those of i + 1
	 * begin. */
	for (size_t i = 0; i < t->n_spans; i++)
		to[first[t->spans[i].thread + 1]++] = t->spans[i];
	free(t->spans);
	t->spans = to;
	t->spans_cap = MAX(t->n_spans, 1U);
	for (size_t i = 0; i < t->n_threads; i++)
		if (first[i + 1] > first[i])
			qsort(t->spans + first[i], first[i + 1] - first[i], sizeof(*to), by_start);
	return 0;
}

struct sorting {
	const struct timeline *t;
	const size_t *first;
	uint64_t *process_start; /* when each process first began a span */
};

/* Processes, and threads in them, by their first span. */
static int by_first_span(const void *pa, const void *pb, void *arg)
{
	const struct sorting *s = arg;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	uint32_t of_a = s->t->threads[a].process, of_b = s->t->threads[b].process;
	uint64_t start_a = s->t->spans[s->first[a]].start_ns;
	uint64_t start_b = s->t->spans[s->first[b]].start_ns;

	if (s->process_start[of_a] != s->process_start[of_b])
		return s->process_start[of_a] < s->process_start[of_b] ? -1 : 1;
	if (of_a != of_b)
		return of_a < of_b ? -1 : 1;
	if (start_a != start_b)
		return start_a < start_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* The threads that have spans, as they are shown: how many. */
static int order_threads(const struct timeline *t, const size_t *first, uint32_t *order)
{
	_cleanup_(freep) uint64_t *start = malloc(MAX(t->n_processes, 1U) * sizeof(*start));
	struct sorting sorting = {t, first, start};
	int n = 0;

	if (!start)
		return -ENOMEM;
	memset(start, 0xff, t->n_processes * sizeof(*start));
	for (size_t i = 0; i < t->n_threads; i++) {
		uint64_t *mine = &start[t->threads[i].process];

		if (first[i + 1] == first[i])
			continue;
		*mine = MIN(*mine, t->spans[first[i]].start_ns);
		order[n++] = (uint32_t)i;
	}
	qsort_r(order, (size_t)n, sizeof(*order), by_first_span, &sorting);
	return n;
}

/* A row is free again when the span in it and all below it have ended; how many rows there are. */
static size_t assign_rows(struct timeline *t, struct timeline_span *spans, size_t n, uint16_t *row,
			  size_t *sizes)
{
	uint64_t ends[TIMELINE_MAX_ROWS];
	size_t open = 0, rows = 0;

	memset(sizes, 0, TIMELINE_MAX_ROWS * sizeof(*sizes));
	for (size_t i = 0; i < n; i++) {
		while (open && ends[open - 1] <= spans[i].start_ns)
			open--;
		if (open == TIMELINE_MAX_ROWS) {
			row[i] = TIMELINE_MAX_ROWS;
			t->too_deep++;
			continue;
		}
		row[i] = (uint16_t)open;
		sizes[open]++;
		ends[open++] = end_of(&spans[i]);
		rows = MAX(rows, open);
	}
	return rows;
}

struct arranging {
	uint16_t *row;
	struct timeline_span *sorted; /* a thread's spans, row by row */
	int (*each)(void *arg, uint32_t thread, const struct timeline_span *spans, size_t n);
	void *arg;
};

static int arrange_thread(struct timeline *t, uint32_t thread, struct timeline_span *spans,
			  size_t n, const struct arranging *a)
{
	size_t sizes[TIMELINE_MAX_ROWS], at[TIMELINE_MAX_ROWS], used = 0, rows;

	if (t->limit && n > t->limit) {
		t->beyond_limit += n - t->limit;
		n = t->limit;
	}
	rows = assign_rows(t, spans, n, a->row, sizes);
	for (size_t i = 0; i < rows; i++) {
		at[i] = used;
		used += sizes[i];
	}
	for (size_t i = 0; i < n; i++)
		if (a->row[i] < TIMELINE_MAX_ROWS)
			a->sorted[at[a->row[i]]++] = spans[i];
	for (size_t i = 0; i < rows; i++) {
		int r = a->each(a->arg, thread, a->sorted + at[i] - sizes[i], sizes[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int timeline_arrange(struct timeline *t,
		     int (*each)(void *arg, uint32_t thread, const struct timeline_span *spans,
				 size_t n),
		     void *arg)
{
	_cleanup_(freep) size_t *first = calloc(t->n_threads + 1, sizeof(*first));
	_cleanup_(freep) uint32_t *order = malloc(MAX(t->n_threads, 1U) * sizeof(*order));
	_cleanup_(freep) uint16_t *row = NULL;
	_cleanup_(freep) struct timeline_span *sorted = NULL;
	size_t most = 0;
	int n_order, r;

	if (!first || !order)
		return -ENOMEM;
	t->too_deep = t->beyond_limit = 0;
	r = group(t, first);
	if (r < 0)
		return r;
	n_order = order_threads(t, first, order);
	if (n_order < 0)
		return n_order;
	for (size_t i = 0; i < t->n_threads; i++)
		most = MAX(most, first[i + 1] - first[i]);
	row = malloc(MAX(most, 1U) * sizeof(*row));
	sorted = malloc(MAX(most, 1U) * sizeof(*sorted));
	if (!row || !sorted)
		return -ENOMEM;
	for (int i = 0; i < n_order && r >= 0; i++) {
		uint32_t thread = order[i];

		r = arrange_thread(t, thread, t->spans + first[thread],
				   first[thread + 1] - first[thread],
				   &(struct arranging){row, sorted, each, arg});
	}
	return r;
}
