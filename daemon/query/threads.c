/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "threads.h"

#include "report.h"
#include "stat.h"

/* A window adds spans up by (process, path); here the thread stands for the path. */
struct threads {
	struct window sums;
	const char **comms; /* of each of its statistics */
	size_t comms_cap;
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
	window_release(&t->sums);
	free(t->comms);
	free(t);
	return NULL;
}

int threads_add(void *arg, const struct span_row *row)
{
	struct threads *t = arg;
	struct raw_span span = row->span;
	size_t known = t->sums.n_stats;
	int r;

	if (span.flags & SPAN_COUNTER)
		return 0;
	span.path = span.tid;
	if (array_reserve(&t->comms, &t->comms_cap, known + 1, sizeof(*t->comms)) < 0)
		return -ENOMEM;
	r = window_add_span(&t->sums, &span, NULL, false);
	if (r >= 0 && t->sums.n_stats > known)
		t->comms[known] = row->comm;
	return r;
}

static int add_row(struct report *report, const struct span_stat *stat, const char *comm)
{
	struct report_row *row = &report->rows[report->n_rows];
	char *text;

	if (asprintf(&text, "%u %s", stat->path, comm && comm[0] ? comm : "[unknown]") < 0)
		return -ENOMEM;
	report->texts[report->n_texts++] = text;
	*row = (struct report_row){
		.key = text,
		.binary = "",
		.calls = stat->calls,
		.errors = stat->errors,
		/* The self times of all spans add up to the time in the outermost ones. */
		.total_ns = stat->self_ns,
		.self_ns = stat->self_ns,
		.avg_ns = stat_average(stat),
		.p50_ns = stat_quantile(stat, 0.50),
		.p99_ns = stat_quantile(stat, 0.99),
		.max_ns = stat->max_ns,
	};
	report->n_rows++;
	if (hist_merge(&row->hist, &stat->hist) < 0)
		return -ENOMEM;
	report->total_ns += stat->self_ns;
	return 0;
}

int threads_report(const struct threads *t, enum report_sort sort, size_t limit,
		   struct report **ret)
{
	_cleanup_(report_freep) struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return -ENOMEM;
	report->rows = calloc(t->sums.n_stats + 1, sizeof(*report->rows));
	report->texts = calloc(t->sums.n_stats + 1, sizeof(*report->texts));
	if (!report->rows || !report->texts)
		return -ENOMEM;
	for (size_t i = 0; i < t->sums.n_stats; i++) {
		int r = add_row(report, &t->sums.stats[i], t->comms[i]);

		if (r < 0)
			return r;
	}
	report_sort_rows(report, sort, limit);
	*ret = TAKE_PTR(report);
	return 0;
}
