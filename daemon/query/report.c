/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include "group.h"
#include "stat.h"

/* A row in the making, one for each group. */
struct sum {
	struct span_stat stat; /* spans: all calls */
	uint64_t inclusive;    /* spans: less the time of calls inside a call of the same group */
	uint64_t samples, self, ns, self_ns; /* samples, and what they stand for */
	uint64_t inlined;		     /* of samples */
	uint64_t in_spans, in_spans_self;    /* spans: samples in them, and in none inside */
	size_t mark; /* the last statistic whose samples counted, from 1 on */
};

/* Kept apart from the sums: it is touched for every frame of every stack and should stay cached. */
struct visit {
	uint64_t samples, ns, inlined;
	uint32_t mark;	   /* the last leaf counted, index + 1 */
	bool inlined_only; /* in that one, as far as it was climbed */
};

struct builder {
	const struct snapshot *s;
	enum report_by by;
	bool several_hosts; /* then a process's number alone does not name it */
	struct groups groups;
	uint32_t *of; /* the group of each frame, path or process, as `by` has it */
	struct sum *sums;
	size_t n_sums;
	struct report *report;
};

static void builder_release(struct builder *b)
{
	groups_release(&b->groups);
	free(b->of);
	for (size_t i = 0; b->sums && i < b->n_sums; i++)
		hist_release(&b->sums[i].stat.hist);
	free(b->sums);
	report_free(b->report);
}

/* Names that a process does not have are shown as such, not as an empty column. */
static const char *text_or_unknown(const char *s)
{
	return s && s[0] ? s : "[unknown]";
}

static int process_text(struct builder *b, const struct snapshot_process *p, const char **ret)
{
	char inner[16] = "", *text;
	bool apart = b->several_hosts && p->host && p->host[0];

	switch (b->by) {
	case BY_COMM:
		*ret = text_or_unknown(p->comm);
		return 0;
	case BY_CGROUP:
		*ret = text_or_unknown(p->cgroup);
		return 0;
	case BY_HOST:
		*ret = text_or_unknown(p->host);
		return 0;
	case BY_CONTAINER:
		*ret = p->container && *p->container ? p->container : "[host]";
		return 0;
	default:
		break;
	}
	if (!p->pid) { /* of old history: it stands for several */
		if (asprintf(&text, "short-lived %s", text_or_unknown(p->comm)) < 0)
			return -ENOMEM;
		*ret = b->report->texts[b->report->n_texts++] = text;
		return 0;
	}
	if (p->ns_pid)
		snprintf(inner, sizeof(inner), "(%u) ", p->ns_pid);
	if (asprintf(&text, "%u %s%s%s%s", p->pid, inner, text_or_unknown(p->comm),
		     apart ? " on " : "", apart ? p->host : "") < 0)
		return -ENOMEM;
	*ret = b->report->texts[b->report->n_texts++] = text;
	return 0;
}

static int group_processes(struct builder *b)
{
	b->of = calloc(b->s->n_processes + 1, sizeof(*b->of));
	b->report->texts = calloc(b->s->n_processes + 1, sizeof(*b->report->texts));
	if (!b->of || !b->report->texts)
		return -ENOMEM;
	b->several_hosts = snapshot_has_several_hosts(b->s);
	for (size_t i = 0; i < b->s->n_processes; i++) {
		struct group group = {.binary = ""};
		int r = process_text(b, &b->s->processes[i], &group.name);

		if (r >= 0)
			r = groups_put(&b->groups, &group, &b->of[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int group_threads(struct builder *b)
{
	b->of = calloc(b->s->n_samples + 1, sizeof(*b->of));
	if (!b->of)
		return -ENOMEM;
	for (size_t i = 0; i < b->s->n_samples; i++) {
		struct group group = {text_or_unknown(b->s->samples[i].thread), "", 0};
		int r = groups_put(&b->groups, &group, &b->of[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int group_specs(struct builder *b)
{
	b->of = calloc(b->s->n_paths + 1, sizeof(*b->of));
	if (!b->of)
		return -ENOMEM;
	for (size_t i = 0; i < b->s->n_paths; i++) {
		struct group group = {text_or_unknown(b->s->paths[i].spec), "", 0};
		int r = groups_put(&b->groups, &group, &b->of[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_groups(struct builder *b, enum query_kind kind)
{
	switch (b->by) {
	case BY_FUNC:
		return groups_of_frames(&b->groups, b->s, kind, false, &b->of);
	case BY_PROBE:
		return kind == QUERY_SPAN ? group_specs(b) : -EINVAL;
	case BY_CATEGORY:
		return kind == QUERY_SPAN ? groups_of_categories(&b->groups, b->s, &b->of)
					  : -EINVAL;
	case BY_COMM:
	case BY_PID:
	case BY_CONTAINER:
	case BY_CGROUP:
	case BY_HOST:
		return group_processes(b);
	case BY_THREAD:
		return query_is_about_samples(kind) ? group_threads(b) : -EOPNOTSUPP;
	}
	return -EINVAL;
}

/* A distinct stack and the samples of all its rows. */
struct leaf {
	uint32_t stack;
	uint64_t samples, ns;
};

/* Not an array by stack: there are far more stacks, those of callers, than ever hold a sample. */
static int collect_leaves(const struct snapshot *s, struct leaf *leaves, size_t *ret_n)
{
	_cleanup_(table_release) struct table index = {};
	size_t n = 0;

	for (size_t i = 0; i < s->n_samples; i++) {
		bool is_new;
		uint32_t *slot = table_put(&index, s->samples[i].stack, &is_new);

		if (!slot)
			return -ENOMEM;
		if (is_new) {
			*slot = n;
			leaves[n++] = (struct leaf){.stack = s->samples[i].stack};
		}
		leaves[*slot].samples += s->samples[i].count;
		leaves[*slot].ns += s->samples[i].ns;
	}
	*ret_n = n;
	return 0;
}

/* A sample is inlined if no frame of the function in its stack is one of its own. */
static void count_visit(struct visit *visit, uint32_t mark, const struct leaf *leaf, bool inlined)
{
	if (visit->mark != mark) {
		visit->mark = mark;
		visit->samples += leaf->samples;
		visit->ns += leaf->ns;
		visit->inlined_only = inlined;
		visit->inlined += inlined ? leaf->samples : 0;
	} else if (visit->inlined_only && !inlined) {
		visit->inlined_only = false;
		visit->inlined -= leaf->samples;
	}
}

/*
 * Each distinct stack is climbed once; a function that is met again on the way up bears the mark
 * of that stack already.
 */
static int sum_functions(struct builder *b)
{
	const struct snapshot *s = b->s;
	const uint32_t *of = b->of;
	_cleanup_(freep) struct leaf *leaves = calloc(s->n_samples + 1, sizeof(*leaves));
	_cleanup_(freep) struct visit *visits = calloc(b->groups.n + 1, sizeof(*visits));
	size_t n_leaves;
	int r;

	if (!leaves || !visits)
		return -ENOMEM;
	r = collect_leaves(s, leaves, &n_leaves);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_leaves; i++) {
		struct sum *self = &b->sums[of[s->stacks[leaves[i].stack].frame]];

		self->self += leaves[i].samples;
		self->self_ns += leaves[i].ns;
		for (uint32_t at = leaves[i].stack + 1; at; at = s->stacks[at - 1].parent) {
			uint32_t frame = s->stacks[at - 1].frame;

			count_visit(&visits[of[frame]], i + 1, &leaves[i],
				    s->frames[frame].inlined);
		}
	}
	for (size_t i = 0; i < b->groups.n; i++) {
		b->sums[i].samples = visits[i].samples;
		b->sums[i].ns = visits[i].ns;
		b->sums[i].inlined = visits[i].inlined;
	}
	return 0;
}

static int sum_samples(struct builder *b)
{
	const struct snapshot *s = b->s;

	for (size_t i = 0; i < s->n_samples; i++) {
		b->report->total_samples += s->samples[i].count;
		b->report->total_ns += s->samples[i].ns;
	}
	if (b->by == BY_FUNC)
		return sum_functions(b);
	for (size_t i = 0; i < s->n_samples; i++) {
		struct sum *sum = &b->sums[b->of[b->by == BY_THREAD ? i : s->samples[i].process]];

		sum->samples += s->samples[i].count;
		sum->self += s->samples[i].count;
		sum->ns += s->samples[i].ns;
		sum->self_ns += s->samples[i].ns;
	}
	return 0;
}

static uint32_t span_group(const struct builder *b, uint32_t process, uint32_t path)
{
	if (b->by == BY_FUNC || b->by == BY_CATEGORY)
		return b->of[b->s->paths[path].frame];
	return b->of[b->by == BY_PROBE ? path : process];
}

/* Whether the time of these calls is part of that of a finished call of the same group. */
static bool is_nested(const struct builder *b, const struct table *finished,
		      const struct snapshot_stat *stat)
{
	uint32_t group = span_group(b, stat->process, stat->path);
	uint32_t at = b->s->paths[stat->path].parent;

	for (; at; at = b->s->paths[at - 1].parent)
		if (span_group(b, stat->process, at - 1) == group &&
		    table_get(finished, (uint64_t)stat->process << 32 | at))
			return true;
	return false;
}

/* Samples in calls are in those around them, too; once in each group. */
static void sum_samples_in(struct builder *b, size_t i)
{
	const struct snapshot_stat *stat = &b->s->stats[i];

	b->report->total_samples += stat->samples;
	b->sums[span_group(b, stat->process, stat->path)].in_spans_self += stat->samples;
	for (uint32_t at = stat->path + 1; at && stat->samples; at = b->s->paths[at - 1].parent) {
		struct sum *sum = &b->sums[span_group(b, stat->process, at - 1)];

		sum->in_spans += sum->mark == i + 1 ? 0 : stat->samples;
		sum->mark = i + 1;
	}
}

static int sum_spans(struct builder *b)
{
	_cleanup_(table_release) struct table finished = {};
	const struct snapshot *s = b->s;

	for (size_t i = 0; i < s->n_stats; i++) {
		const struct snapshot_stat *stat = &s->stats[i];
		uint64_t key = (uint64_t)stat->process << 32 | (stat->path + 1);

		if (stat->stat.calls && !table_put(&finished, key, NULL))
			return -ENOMEM;
	}
	for (size_t i = 0; i < s->n_stats; i++) {
		const struct snapshot_stat *stat = &s->stats[i];
		struct sum *sum = &b->sums[span_group(b, stat->process, stat->path)];
		int r = stat_add(&sum->stat, &stat->stat);

		if (r < 0)
			return r;
		if (!is_nested(b, &finished, stat))
			sum->inclusive += stat->stat.total_ns;
		b->report->total_ns += stat->stat.self_ns;
		sum_samples_in(b, i);
	}
	return 0;
}

static struct report_row make_row(struct builder *b, size_t i)
{
	const struct group *group = &b->groups.items[i];
	struct sum *sum = &b->sums[i];
	struct report_row row = {.key = group->name, .binary = group->binary};

	if (sum->samples) {
		row.samples = sum->samples;
		row.self_samples = sum->self;
		row.inlined_samples = sum->inlined;
		row.total_ns = sum->ns;
		row.self_ns = sum->self_ns;
		return row;
	}
	row.samples = sum->in_spans;
	row.self_samples = sum->in_spans_self;
	row.calls = sum->stat.calls;
	row.errors = sum->stat.errors;
	row.self_ns = sum->stat.self_ns;
	/* Calls inside one that goes on for longer than the finished calls around it. */
	row.total_ns = MAX(sum->inclusive, sum->stat.self_ns);
	row.avg_ns = stat_average(&sum->stat);
	row.p50_ns = stat_quantile(&sum->stat, 0.50);
	row.p99_ns = stat_quantile(&sum->stat, 0.99);
	row.max_ns = sum->stat.max_ns;
	row.hist = hist_take(&sum->stat.hist);
	return row;
}

static uint64_t sort_value(const struct report_row *row, enum report_sort sort)
{
	switch (sort) {
	case SORT_TOTAL:
		return row->total_ns;
	case SORT_SELF:
		return row->self_ns;
	case SORT_CALLS:
		return row->calls;
	case SORT_ERRORS:
		return row->errors;
	case SORT_AVG:
		return row->avg_ns;
	case SORT_P50:
		return row->p50_ns;
	case SORT_P99:
		return row->p99_ns;
	case SORT_MAX:
		return row->max_ns;
	case SORT_SAMPLES:
		return row->samples;
	}
	return 0;
}

static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct report_row *a = pa, *b = pb;
	enum report_sort sort = *(const enum report_sort *)arg;
	uint64_t va[] = {sort_value(a, sort), a->total_ns, a->samples};
	uint64_t vb[] = {sort_value(b, sort), b->total_ns, b->samples};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(va); i++)
		if (va[i] != vb[i])
			return va[i] < vb[i] ? 1 : -1;
	r = strcmp(a->key, b->key);
	return r ? r : strcmp(a->binary, b->binary);
}

void report_sort_rows(struct report *report, enum report_sort sort, size_t limit)
{
	qsort_r(report->rows, report->n_rows, sizeof(*report->rows), compare_rows, &sort);
	while (limit && report->n_rows > limit)
		hist_release(&report->rows[--report->n_rows].hist);
}

static int make_rows(struct builder *b, enum report_sort sort, size_t limit)
{
	struct report *report = b->report;

	report->rows = calloc(b->groups.n + 1, sizeof(*report->rows));
	if (!report->rows)
		return -ENOMEM;
	/* Functions that were only seen as callers that have not returned have nothing to show. */
	for (size_t i = 0; i < b->groups.n; i++)
		if (b->sums[i].samples || b->sums[i].stat.calls)
			report->rows[report->n_rows++] = make_row(b, i);
	report_sort_rows(report, sort, limit);
	return 0;
}

int query_report(const struct snapshot *s, enum query_kind kind, enum report_by by,
		 enum report_sort sort, size_t limit, struct report **ret)
{
	_cleanup_(builder_release) struct builder b = {.s = s, .by = by};
	int r;

	b.report = calloc(1, sizeof(*b.report));
	if (!b.report)
		return -ENOMEM;
	r = make_groups(&b, kind);
	if (r < 0)
		return r;
	b.n_sums = b.groups.n;
	b.sums = calloc(b.n_sums + 1, sizeof(*b.sums));
	if (!b.sums)
		return -ENOMEM;
	r = query_is_about_samples(kind) ? sum_samples(&b) : sum_spans(&b);
	if (r >= 0)
		r = make_rows(&b, sort, limit);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b.report);
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_texts; i++)
		free(r->texts[i]);
	for (size_t i = 0; i < r->n_rows; i++)
		hist_release(&r->rows[i].hist);
	free(r->texts);
	free(r->rows);
	free(r);
	return NULL;
}
