/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probed functions inside spans written in source code. The kernel side knows the path of the span
 * that is open when an outermost call begins, and calls come before the batch that has the span.
 */
#include "control/session_source_private.h"

#include "sonde/base/format.h"

enum { MAX_AROUND = 1 << 16 };

uint32_t session_sources_around(struct session *s, const struct record_path *r)
{
	struct session_sources *sources = s->sources;
	uint32_t *slot;
	bool is_new;

	if (sources->n_around < MAX_AROUND &&
	    array_reserve(&sources->around, &sources->around_cap, sources->n_around + 1,
			  sizeof(*sources->around)) >= 0) {
		slot = table_put(&sources->below, r->path, &is_new);
		if (slot && is_new) {
			*slot = (uint32_t)sources->n_around;
			sources->around[sources->n_around++] = r->parent;
		}
	}
	return source_tree_path(sources->tree, r->parent, 0, sources->last_file);
}

static void add_called(struct source_thread *t, uint64_t path, uint64_t ns)
{
	for (uint32_t i = 0; i < SOURCE_CALLED; i++)
		if (t->called[i].path == path) {
			t->called[i].child_ns += ns;
			return;
		}
	t->called[t->next_called] = (struct source_level){path, ns};
	t->next_called = (t->next_called + 1) % SOURCE_CALLED;
}

void session_sources_called(struct session *s, const struct record_span *r, struct raw_span *span)
{
	const struct session_sources *sources = s->sources;
	const struct model_path *path = model_path_get(s->context->model, span->path);
	const uint32_t *below = table_get(&sources->below, r->path);
	const uint32_t *thread = table_get(&sources->by_tid, source_tid_key(r->pid, r->tid));

	if (path)
		span->depth = (uint16_t)MIN(path->depth, (uint32_t)UINT16_MAX);
	if (below && thread && *thread && *thread <= sources->n_threads)
		add_called(&sources->threads[*thread - 1], sources->around[*below], r->duration_ns);
}
