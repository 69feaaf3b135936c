/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spans.h"
#include "group.h"

#include <fnmatch.h>

enum { DEFAULT_LIMIT = 1000000 };

struct process_name {
	char *comm, *container; /* container NULL: in none */
	char *host;		/* NULL: there is only one */
	uint32_t pid, ns_pid;
	bool is_wanted;
};

struct probe_name {
	char *name, *binary;
	char *category; /* NULL: it has none */
	bool is_wanted;
};

/* Indexed by the model's ids; [0] is never wanted. */
struct spans_names {
	struct process_name *processes;
	struct probe_name *probes;
	uint32_t *probe_of;  /* of each path */
	uint32_t *caller_of; /* of each path: the probe of its parent, 0 for none */
	size_t n_processes, n_probes, n_paths;
};

/*
 * Up to the limit rows are simply collected. From then on they are a heap with the row on top
 * that is the first to go.
 */
struct spans_query {
	const struct spans_names *names;
	struct spans_filter filter;
	bool *is_wanted; /* of each probe */
	struct span_row *rows;
	size_t n_rows, cap;
	bool is_heap;
	uint64_t counters;
};

static bool glob_matches(const char *glob, const char *s)
{
	return !glob || fnmatch(glob, s, 0) == 0;
}

static int take_processes(struct spans_names *n, struct model *m, const struct selectors *selectors)
{
	bool several = model_has_several_hosts(m);

	for (size_t id = 1; id <= n->n_processes; id++) {
		const struct model_process *p = model_process_get(m, id);
		const char *comm = model_string_get(m, p->comm);
		struct process_name *to = &n->processes[id];

		to->pid = p->pid;
		to->ns_pid = p->ns_pid;
		to->is_wanted = selectors_match(selectors, m, p);
		if (!to->is_wanted)
			continue;
		to->comm = strdup(comm);
		if (p->container)
			to->container = strdup(model_string_get(m, p->container));
		if (!to->comm || (p->container && !to->container))
			return -ENOMEM;
		if (several && strdup_to(&to->host, model_string_get(m, model_process_host(m, p))))
			return -ENOMEM;
	}
	return 0;
}

static int take_probes(struct spans_names *n, struct model *m, const char *name_glob)
{
	for (size_t id = 1; id <= n->n_probes; id++) {
		const struct model_probe *p = model_probe_get(m, id);
		const struct model_file *file = model_file_get(m, p->file);
		const char *name = model_string_get(m, model_probe_label(p));
		struct snapshot_frame frame = {
			.kind = FRAME_SPAN,
			.file_path = file ? model_string_get(m, file->path) : "",
		};
		struct probe_name *to = &n->probes[id];
		const char *category;
		size_t len = model_probe_category(m, p, &category);

		/* Those that are not wanted may be callers of those that are. */
		to->is_wanted = glob_matches(name_glob, name);
		to->name = strdup(name);
		to->binary = strdup(frame_binary(&frame));
		to->category = len ? strndup(category, len) : NULL;
		if (!to->name || !to->binary || (len && !to->category))
			return -ENOMEM;
	}
	return 0;
}

int spans_names_take(struct model *m, const struct selectors *selectors, const char *name_glob,
		     struct spans_names **ret)
{
	_cleanup_(spans_names_freep) struct spans_names *n = calloc(1, sizeof(*n));
	struct model_counts counts;
	int r;

	if (!n)
		return -ENOMEM;
	model_counts(m, &counts);
	n->n_processes = counts.processes;
	n->n_probes = counts.probes;
	n->n_paths = counts.paths;
	n->processes = calloc(n->n_processes + 1, sizeof(*n->processes));
	n->probes = calloc(n->n_probes + 1, sizeof(*n->probes));
	n->probe_of = calloc(n->n_paths + 1, sizeof(*n->probe_of));
	n->caller_of = calloc(n->n_paths + 1, sizeof(*n->caller_of));
	if (!n->processes || !n->probes || !n->probe_of || !n->caller_of)
		return -ENOMEM;
	r = take_processes(n, m, selectors);
	if (r >= 0)
		r = take_probes(n, m, name_glob);
	if (r < 0)
		return r;
	for (size_t id = 1; id <= n->n_paths; id++) {
		const struct model_path *path = model_path_get(m, id);

		if (path->probe > n->n_probes || path->parent >= id)
			return -EBADMSG;
		n->probe_of[id] = path->probe;
		n->caller_of[id] = n->probe_of[path->parent];
	}
	*ret = TAKE_PTR(n);
	return 0;
}

struct spans_names *spans_names_free(struct spans_names *n)
{
	if (!n)
		return NULL;
	for (size_t i = 0; n->processes && i <= n->n_processes; i++) {
		free(n->processes[i].comm);
		free(n->processes[i].container);
		free(n->processes[i].host);
	}
	for (size_t i = 0; n->probes && i <= n->n_probes; i++) {
		free(n->probes[i].name);
		free(n->probes[i].binary);
		free(n->probes[i].category);
	}
	free(n->processes);
	free(n->probes);
	free(n->probe_of);
	free(n->caller_of);
	free(n);
	return NULL;
}

int spans_query_new(const struct spans_names *names, const struct spans_filter *filter,
		    struct spans_query **ret)
{
	_cleanup_(spans_query_freep) struct spans_query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->names = names;
	q->filter = *filter;
	q->filter.name = NULL;
	if (!q->filter.limit)
		q->filter.limit = DEFAULT_LIMIT;
	q->is_wanted = calloc(names->n_probes + 1, sizeof(*q->is_wanted));
	if (!q->is_wanted)
		return -ENOMEM;
	for (size_t i = 1; i <= names->n_probes; i++) {
		const struct probe_name *p = &names->probes[i];

		q->is_wanted[i] = p->is_wanted && glob_matches(filter->name, p->name);
	}
	*ret = TAKE_PTR(q);
	return 0;
}

#define COMPARE(a, b)                                                                              \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

/* A total order but for spans that are the same in all that is shown. */
static int compare_time(const void *pa, const void *pb)
{
	const struct span_row *row_a = pa, *row_b = pb;
	const struct raw_span *a = &row_a->span, *b = &row_b->span;

	COMPARE(a->start_ns, b->start_ns);
	COMPARE(a->depth, b->depth);
	COMPARE(b->duration_ns, a->duration_ns);
	COMPARE(a->process, b->process);
	COMPARE(a->tid, b->tid);
	COMPARE(a->path, b->path);
	COMPARE(a->self_ns, b->self_ns);
	COMPARE(a->ret, b->ret);
	COMPARE(a->flags, b->flags);
	return span_more_compare(&row_a->more, &row_b->more);
}

/* Longest first. */
static int compare_duration(const void *pa, const void *pb)
{
	const struct span_row *a = pa, *b = pb;

	COMPARE(b->span.duration_ns, a->span.duration_ns);
	return compare_time(pa, pb);
}

/* Whether a goes before b does when there is room for one of them only. */
static bool goes_first(const struct spans_query *q, const struct span_row *a,
		       const struct span_row *b)
{
	switch (q->filter.sort) {
	case SPANS_BY_DURATION:
		return compare_duration(a, b) > 0;
	case SPANS_OLDEST:
		return compare_time(a, b) > 0;
	case SPANS_BY_TIME:
		break;
	}
	return compare_time(a, b) < 0;
}

static void sift_down(struct spans_query *q, size_t i)
{
	struct span_row row = q->rows[i];

	for (size_t child; (child = 2 * i + 1) < q->n_rows; i = child) {
		if (child + 1 < q->n_rows && goes_first(q, &q->rows[child + 1], &q->rows[child]))
			child++;
		if (!goes_first(q, &q->rows[child], &row))
			break;
		q->rows[i] = q->rows[child];
	}
	q->rows[i] = row;
}

/* Arguments and values of a row that is kept are one block, which begins with the arguments. */
void span_row_release(struct span_row *row)
{
	free((void *)(row->more.args ? (const void *)row->more.args : row->more.values));
}

int span_row_copy(struct span_row *to, const struct span_row *row)
{
	size_t args_len = row->more.args ? RECORD_ARGS * sizeof(*row->more.args) : 0;
	size_t len = row->more.values_len;
	uint8_t *block;

	*to = *row;
	if (args_len + len == 0)
		return 0;
	block = malloc(args_len + len);
	if (!block)
		return -ENOMEM;
	if (args_len) {
		memcpy(block, row->more.args, args_len);
		to->more.args = (const uint64_t *)block;
	}
	if (len) {
		memcpy(block + args_len, row->more.values, len);
		to->more.values = block + args_len;
	}
	return 0;
}

static int keep_row(struct spans_query *q, const struct span_row *row)
{
	struct span_row copy;
	int r;

	if (q->n_rows < q->filter.limit) {
		if (array_reserve(&q->rows, &q->cap, q->n_rows + 1, sizeof(*q->rows)) < 0)
			return -ENOMEM;
		r = span_row_copy(&q->rows[q->n_rows], row);
		if (r >= 0)
			q->n_rows++;
		return r;
	}
	for (size_t i = q->is_heap ? 0 : q->n_rows / 2; i-- > 0;)
		sift_down(q, i);
	q->is_heap = true;
	if (!goes_first(q, &q->rows[0], row))
		return 0;
	r = span_row_copy(&copy, row);
	if (r < 0)
		return r;
	span_row_release(&q->rows[0]);
	q->rows[0] = copy;
	sift_down(q, 0);
	return 0;
}

/* Whether the times of a span, or of all spans of a chunk, leave any that could be wanted. */
static bool in_time(const struct spans_filter *f, uint64_t first_ns, uint64_t last_ns)
{
	return last_ns >= f->since_ns && (!f->until_ns || first_ns < f->until_ns);
}

static bool is_too_early(const struct spans_filter *f, const struct raw_span *span)
{
	return span->start_ns < f->ends_after_ns &&
	       span->duration_ns <= f->ends_after_ns - span->start_ns;
}

int spans_query_set(struct spans_query *q, const struct span_set *set)
{
	const struct spans_names *names = q->names;

	for (size_t i = 0; i < set->n; i++) {
		const struct raw_span *span = &set->spans[i];
		const struct process_name *process;
		const struct probe_name *probe;
		struct span_row row;
		uint32_t caller;
		int r;

		q->counters += !!(span->flags & SPAN_COUNTER);
		if (span->duration_ns < q->filter.min_duration_ns ||
		    (q->filter.errors_only && !(span->flags & SPAN_ERROR)) ||
		    !in_time(&q->filter, span->start_ns, span->start_ns) ||
		    is_too_early(&q->filter, span) || span->process > names->n_processes ||
		    span->path > names->n_paths)
			continue;
		process = &names->processes[span->process];
		if (!process->is_wanted || !q->is_wanted[names->probe_of[span->path]])
			continue;
		probe = &names->probes[names->probe_of[span->path]];
		caller = names->caller_of[span->path];
		row = (struct span_row){
			.span = *span,
			.more = more_pool_get(&set->more, i),
			.pid = process->pid,
			.ns_pid = process->ns_pid,
			.comm = process->comm,
			.container = process->container,
			.host = process->host,
			.name = probe->name,
			.binary = probe->binary,
			.category = probe->category,
			.caller = caller ? names->probes[caller].name : "",
		};
		if (q->filter.match && !q->filter.match(q->filter.match_arg, &row))
			continue;
		r = q->filter.each ? q->filter.each(q->filter.arg, &row) : keep_row(q, &row);
		if (r < 0)
			return r;
	}
	return 0;
}

int spans_query_chunk(struct spans_query *q, const struct span_chunk *chunk)
{
	_cleanup_(span_set_release) struct span_set set = {};
	int r;

	if (!in_time(&q->filter, chunk->first_ns, chunk->last_ns) ||
	    chunk->last_ns < q->filter.ends_after_ns)
		return 0;
	r = chunk_decode(chunk->data, chunk->size, &set);
	return r < 0 ? r : spans_query_set(q, &set);
}

uint64_t spans_query_counters(const struct spans_query *q)
{
	return q->counters;
}

int spans_query_finish(struct spans_query *q, const struct span_row **ret_rows, size_t *ret_n)
{
	if (q->n_rows)
		qsort(q->rows, q->n_rows, sizeof(*q->rows),
		      q->filter.sort == SPANS_BY_DURATION ? compare_duration : compare_time);
	/* More may be added after this: the heap is then made anew. */
	q->is_heap = false;
	*ret_rows = q->rows;
	*ret_n = q->n_rows;
	return 0;
}

struct spans_query *spans_query_free(struct spans_query *q)
{
	if (!q)
		return NULL;
	for (size_t i = 0; i < q->n_rows; i++)
		span_row_release(&q->rows[i]);
	free(q->is_wanted);
	free(q->rows);
	free(q);
	return NULL;
}
