/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call paths of probed functions among spans written in source code. The kernel side knows the path
 * of the span that is open when a call begins, and calls come before the batch that says what that
 * span is: a call's path is made when it is first needed.
 */
#include "control/session_source_private.h"

#include "sonde/base/format.h"

enum { MAX_PATHS = 1 << 16, MAX_DEPTH = 2 * RECORD_MAX_OPEN };

void session_sources_path(struct session *s, const struct record_path *r)
{
	struct session_sources *sources = s->sources;
	uint32_t *slot;
	bool is_new;

	if (sources->n_paths >= MAX_PATHS ||
	    array_reserve(&sources->paths, &sources->paths_cap, sources->n_paths + 1,
			  sizeof(*sources->paths)) < 0)
		return;
	slot = table_put(&sources->path_index, r->path, &is_new);
	if (!slot || !is_new)
		return;
	*slot = (uint32_t)sources->n_paths;
	sources->paths[sources->n_paths++] = (struct source_call_path){
		r->path, r->parent, r->source, r->probe, r->in_source != 0};
}

static const struct source_call_path *path_of(const struct session *s, uint64_t path)
{
	const uint32_t *slot = table_get(&s->sources->path_index, path);

	return slot ? &s->sources->paths[*slot] : NULL;
}

/* Paths of calls that are around this one and not made yet, itself first; how many. */
static size_t unmade(const struct session *s, uint64_t path,
		     const struct source_call_path *ret[static MAX_DEPTH])
{
	size_t n = 0;

	while (path && n < MAX_DEPTH && !table_get(&s->paths, path)) {
		ret[n] = path_of(s, path);
		if (!ret[n])
			break;
		path = ret[n++]->parent;
	}
	return n;
}

static uint32_t made(const struct session *s, uint64_t path)
{
	const uint32_t *known = path ? table_get(&s->paths, path) : NULL;

	return known ? *known : 0;
}

static void make_path(struct session *s, const struct source_call_path *p)
{
	const struct source_call_path *around = path_of(s, p->parent);
	const struct source_below below = {made(s, p->parent), around ? around->source : 0};
	uint32_t parent = below.path, *slot;

	if (p->in_source)
		parent = source_tree_path(s->sources->tree, p->source, 0, s->sources->last_file,
					  &below);
	slot = table_put(&s->paths, p->path, NULL);
	if (slot)
		*slot = model_path(s->context->model, parent, s->first_probe + p->probe);
}

uint32_t session_sources_call(struct session *s, uint64_t path, struct source_below *ret)
{
	const struct source_call_path *chain[MAX_DEPTH], *p = path_of(s, path);
	size_t n = unmade(s, path, chain);

	while (n-- > 0)
		make_path(s, chain[n]);
	if (ret)
		*ret = (struct source_below){made(s, path), p ? p->source : 0};
	return made(s, path);
}

uint32_t session_sources_call_path(struct session *s, uint64_t path)
{
	return session_sources_call(s, path, NULL);
}

bool session_sources_knows(struct session *s, uint64_t path)
{
	const struct source_call_path *chain[MAX_DEPTH];
	size_t n = unmade(s, path, chain);

	while (n-- > 0)
		if (chain[n]->in_source && !source_tree_knows(s->sources->tree, chain[n]->source))
			return false;
	return true;
}

/* ---- the time of spans that calls are made in ---- */

static struct source_thread *thread_of(const struct session *s, const struct record_span *r)
{
	const struct session_sources *sources = s->sources;
	const uint32_t *thread = table_get(&sources->by_tid, source_tid_key(r->pid, r->tid));

	return thread && *thread && *thread <= sources->n_threads ? &sources->threads[*thread - 1]
								  : NULL;
}

void session_sources_arrived(struct session *s, const struct record_span *r)
{
	const struct source_call_path *p = path_of(s, r->path);
	struct source_thread *t = p && p->in_source ? thread_of(s, r) : NULL;
	struct source_called *last;

	if (!t)
		return;
	if (t->n_called >= SOURCE_MAX_CALLED ||
	    array_reserve(&t->called, &t->called_cap, t->n_called + 1, sizeof(*t->called)) < 0) {
		/* Which of the spans of this path it was in is not known then. */
		last = t->n_called ? &t->called[t->n_called - 1] : NULL;
		if (last && last->path == p->source)
			last->ns += r->duration_ns;
		return;
	}
	t->called[t->n_called++] =
		(struct source_called){p->source, r->start_ns + r->duration_ns / 2, r->duration_ns};
}

uint64_t session_sources_take_called(struct source_thread *t, uint64_t path, uint64_t end_ns)
{
	uint64_t sum = 0;
	size_t kept = 0;

	for (size_t i = 0; i < t->n_called; i++) {
		const struct source_called *c = &t->called[i];

		/* Spans of one path come one after the other: the next one's are later. The clock
		 * of programs is not quite the kernel's, so the middle of the call is what counts.
		 */
		if (c->path == path && c->middle_ns <= end_ns)
			sum += c->ns;
		else
			t->called[kept++] = *c;
	}
	t->n_called = kept;
	return sum;
}

bool session_sources_waits(struct session *s, const struct record_span *r)
{
	const struct source_thread *t = thread_of(s, r);

	if (!session_sources_knows(s, r->path))
		return true;
	for (size_t i = t ? t->n_marks : 0; i-- > 0;)
		if (t->marks[i].start_ns == r->start_ns)
			return true;
	return false;
}

void session_sources_called(struct session *s, const struct record_span *r, struct raw_span *span)
{
	const struct model_path *path = model_path_get(s->context->model, span->path);
	uint64_t inside = session_sources_settle(s, r);

	if (path)
		span->depth = (uint16_t)MIN(path->depth, (uint32_t)UINT16_MAX);
	span->self_ns -= MIN(inside, span->self_ns);
}
