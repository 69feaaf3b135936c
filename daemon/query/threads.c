/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "threads.h"

#include "report.h"
#include "sonde/base/table.h"
#include "stat.h"

struct thread {
	uint32_t process, tid;
	const char *comm;
	struct span_stat stat;
};

struct threads {
	struct thread *items;
	size_t n, cap;
	struct table index; /* (process, tid) → index */
};

int threads_new(struct threads **ret)
{
	struct threads *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

struct threads *threads_free(struct threads *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		hist_release(&t->items[i].stat.hist);
	free(t->items);
	table_release(&t->index);
	free(t);
	return NULL;
}

static struct thread *find_thread(struct threads *t, const struct span_row *row)
{
	uint64_t key = (uint64_t)row->span.process << 32 | row->span.tid;
	uint32_t *slot;
	bool is_new;

	if (array_reserve(&t->items, &t->cap, t->n + 1, sizeof(*t->items)) < 0)
		return NULL;
	slot = table_put(&t->index, key, &is_new);
	if (!slot)
		return NULL;
	if (is_new) {
		*slot = (uint32_t)t->n;
		t->items[t->n++] = (struct thread){
			.process = row->span.process, .tid = row->span.tid, .comm = row->comm};
	}
	return &t->items[*slot];
}

int threads_add(void *arg, const struct span_row *row)
{
	struct thread *thread = find_thread(arg, row);
	uint64_t duration = row->span.duration_ns;
	struct span_stat *s;
	int r;

	if (!thread)
		return -ENOMEM;
	s = &thread->stat;
	r = hist_add(&s->hist, duration, 1);
	if (r < 0)
		return r;
	if (!s->calls || duration < s->min_ns)
		s->min_ns = duration;
	s->max_ns = MAX(s->max_ns, duration);
	s->calls++;
	s->errors += !!(row->span.flags & SPAN_ERROR);
	s->total_ns += duration;
	s->self_ns += row->span.self_ns;
	return 0;
}

static int add_row(struct report *report, const struct thread *t)
{
	struct report_row *row = &report->rows[report->n_rows];
	char *text;

	if (asprintf(&text, "%u %s", t->tid, t->comm && t->comm[0] ? t->comm : "[unknown]") < 0)
		return -ENOMEM;
	report->texts[report->n_texts++] = text;
	*row = (struct report_row){
		.key = text,
		.binary = "",
		.calls = t->stat.calls,
		.errors = t->stat.errors,
		/* The self times of all spans add up to the time in the outermost ones. */
		.total_ns = t->stat.self_ns,
		.self_ns = t->stat.self_ns,
		.avg_ns = stat_average(&t->stat),
		.p50_ns = stat_quantile(&t->stat, 0.50),
		.p99_ns = stat_quantile(&t->stat, 0.99),
		.max_ns = t->stat.max_ns,
	};
	report->n_rows++;
	report->total_ns += t->stat.self_ns;
	return 0;
}

int threads_report(const struct threads *t, enum report_sort sort, size_t limit, struct report **ret)
{
	_cleanup_(report_freep) struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return -ENOMEM;
	report->rows = calloc(t->n + 1, sizeof(*report->rows));
	report->texts = calloc(t->n + 1, sizeof(*report->texts));
	if (!report->rows || !report->texts)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		int r = add_row(report, &t->items[i]);

		if (r < 0)
			return r;
	}
	report_sort_rows(report, sort, limit);
	*ret = TAKE_PTR(report);
	return 0;
}
