/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flame_times.h"

#include <inttypes.h>

void flame_process_text(char buf[static 16], uint64_t pid)
{
	snprintf(buf, 16, "pid %" PRIu32, (uint32_t)pid);
}

/* The rows of the thread at hand: each lies below the one before. */
struct rows {
	struct flame_tree *tree;
	const struct timeline *t;
	uint32_t thread;
	char pid[16];
	size_t n;
	const struct timeline_span *spans[TIMELINE_MAX_ROWS];
	size_t at[TIMELINE_MAX_ROWS], len[TIMELINE_MAX_ROWS]; /* at: the one that goes on now */
	struct flame_frame frames[TIMELINE_MAX_ROWS + 1];
};

static void name_span(const struct rows *rows, const struct timeline_span *span,
		      struct flame_frame *ret)
{
	const struct timeline_function *f = &rows->t->functions[span->function];

	*ret = (struct flame_frame){.name = f->name, .binary = f->binary, .kind = FLAME_SPAN};
}

static int each_row(void *arg, uint32_t thread, const struct timeline_span *spans, size_t n)
{
	struct rows *rows = arg;
	const struct timeline_process *p = &rows->t->processes[rows->t->threads[thread].process];

	if (!rows->n || thread != rows->thread)
		rows->n = 0;
	rows->thread = thread;
	rows->spans[rows->n] = spans;
	rows->len[rows->n++] = n;
	memset(rows->at, 0, rows->n * sizeof(*rows->at));
	flame_process_text(rows->pid, p->pid);
	rows->frames[0] =
		(struct flame_frame){.name = p->comm, .binary = rows->pid, .kind = FLAME_PROCESS};
	for (size_t i = 0; i < n; i++) {
		int r;

		for (size_t k = 0; k + 1 < rows->n; k++) {
			while (rows->at[k] + 1 < rows->len[k] &&
			       rows->spans[k][rows->at[k] + 1].start_ns <= spans[i].start_ns)
				rows->at[k]++;
			name_span(rows, &rows->spans[k][rows->at[k]], &rows->frames[k + 1]);
		}
		name_span(rows, &spans[i], &rows->frames[rows->n]);
		r = flame_tree_began(rows->tree, rows->frames, rows->n + 1, spans[i].start_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

int flame_times_add(struct flame_tree *tree, struct timeline *t)
{
	_cleanup_(freep) struct rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows->tree = tree;
	rows->t = t;
	return timeline_arrange(t, each_row, rows);
}
