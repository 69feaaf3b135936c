/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compare.h"

#include <math.h>

#include "compare_cells.h"
#include "compare_trim.h"
#include "sonde/base/strbuf.h"

const char *compare_metric_name(enum compare_metric m)
{
	static const char *const names[COMPARE_METRICS] = {
		[COMPARE_CALLS] = "calls",
		[COMPARE_ERRORS] = "errors",
		[COMPARE_ERROR_RATE] = "error_rate",
		[COMPARE_MEAN] = "mean",
		[COMPARE_P50] = "p50",
		[COMPARE_P90] = "p90",
		[COMPARE_P99] = "p99",
		[COMPARE_MAX] = "max",
		[COMPARE_TOTAL] = "total",
		[COMPARE_SELF] = "self",
		[COMPARE_SAMPLES] = "samples",
		[COMPARE_SHARE] = "share",
	};

	return names[m];
}

bool compare_applies(enum query_kind kind, enum compare_metric m)
{
	return query_is_about_samples(kind) ? m > COMPARE_MAX : m != COMPARE_SAMPLES;
}

static double quantile_of(enum compare_metric m)
{
	return m == COMPARE_P50 ? 0.50 : m == COMPARE_P90 ? 0.90 : 0.99;
}

static bool is_quantile(enum compare_metric m)
{
	return m == COMPARE_P50 || m == COMPARE_P90 || m == COMPARE_P99;
}

/* The two sums whose ratio the figure is, in one block. */
static void parts(const struct compare_side *side, const struct compare_cell *cell, size_t block,
		  enum compare_metric m, bool by_count, double *ret_y, double *ret_x)
{
	const struct compare_sum *sum = &cell->sum;

	*ret_x = side->seconds[block];
	switch (m) {
	case COMPARE_CALLS:
		*ret_y = (double)sum->calls;
		break;
	case COMPARE_ERRORS:
		*ret_y = (double)sum->errors;
		break;
	case COMPARE_ERROR_RATE:
		*ret_y = (double)sum->errors;
		*ret_x = (double)sum->calls;
		break;
	case COMPARE_MEAN:
		*ret_y = (double)cell->calls_ns;
		*ret_x = (double)sum->calls;
		break;
	case COMPARE_MAX:
		*ret_y = (double)sum->max_ns;
		*ret_x = sum->calls ? 1 : 0;
		break;
	case COMPARE_TOTAL:
		*ret_y = (double)sum->total_ns;
		break;
	case COMPARE_SELF:
		*ret_y = (double)sum->self_ns;
		break;
	case COMPARE_SAMPLES:
		*ret_y = (double)sum->samples;
		break;
	case COMPARE_SHARE:
		*ret_y = (double)(by_count ? sum->samples : sum->total_ns);
		*ret_x = (double)side->all[block];
		break;
	default:
		*ret_y = *ret_x = 0;
		break;
	}
}

static struct estimate estimate(const struct comparison *c, const struct compare_side *side,
				size_t key, enum compare_metric m)
{
	const struct compare_cell *cells = compare_cells_of(side, key);
	double y[COMPARE_MAX_BLOCKS], x[COMPARE_MAX_BLOCKS];
	const struct hist *hists[COMPARE_MAX_BLOCKS];

	for (size_t i = 0; i < side->n_blocks; i++) {
		hists[i] = &cells[i].hist;
		parts(side, &cells[i], i, m, c->kind == QUERY_CPU, &y[i], &x[i]);
	}
	return is_quantile(m) ? estimate_quantile(hists, side->n_blocks, quantile_of(m),
						  COMPARE_BUSY * c->drift)
			      : estimate_ratio(y, x, side->n_blocks);
}

/*
 * Two tests may find that the mean has changed: of all calls, and without the slowest. Each has a
 * part of the error that the confidence leaves (Bonferroni, weighted), most of it the second, which
 * finds more: what changes slow calls only changes the mean of all by much.
 */
static const double trimmed_part = 0.9;

static struct change change_of_mean(const struct comparison *c, size_t key, double confidence)
{
	const struct compare_blocks *b = c->data;
	struct estimate all[COMPARE_SIDES];
	double error = 1 - confidence;
	struct change change, trimmed;
	struct trimmed t;
	/* Out of memory: that of all calls alone, as when none is slow. */
	bool both = compare_trim(b, key, &t) == 0 && t.any;

	for (size_t s = 0; s < COMPARE_SIDES; s++) {
		all[s] = estimate(c, &b->sides[s], key, COMPARE_MEAN);
		if (both) {
			double drift = COMPARE_BUSY * c->drift * t.slow[s] * all[s].value;

			all[s].drift = drift * drift;
		}
	}
	change = change_between(&all[0], &all[1], false,
				both ? 1 - error * (1 - trimmed_part) : confidence, c->drift);
	if (!both || change.significant)
		return change;
	trimmed = change_between(&t.mean[0], &t.mean[1], false, 1 - error * trimmed_part, c->drift);
	if (!trimmed.known)
		return change;
	trimmed.before = change.before;
	trimmed.after = change.after;
	trimmed.trimmed = true;
	return trimmed;
}

struct change compare_change(const struct comparison *c, const struct compare_row *row,
			     enum compare_metric metric, double confidence)
{
	const struct compare_blocks *b = c->data;
	/* How fast the machine is makes no difference to these. */
	bool steady = metric == COMPARE_ERROR_RATE || metric == COMPARE_SHARE;
	struct estimate before, after;
	struct change change;

	if (metric == COMPARE_MEAN)
		return change_of_mean(c, row->index, confidence);
	before = estimate(c, &b->sides[COMPARE_BEFORE], row->index, metric);
	after = estimate(c, &b->sides[COMPARE_AFTER], row->index, metric);
	change = change_between(&before, &after, is_quantile(metric), confidence,
				steady ? 0 : c->drift);
	if (metric != COMPARE_MAX)
		return change;
	/* How it varies is known by the longest calls of the windows; what it is, is the longest.
	 */
	if (!isnan(change.before))
		change.before = (double)row->sums[COMPARE_BEFORE].max_ns;
	if (!isnan(change.after))
		change.after = (double)row->sums[COMPARE_AFTER].max_ns;
	return change;
}

static void add_sum(struct compare_sum *to, const struct compare_sum *from)
{
	to->calls += from->calls;
	to->errors += from->errors;
	to->total_ns += from->total_ns;
	to->self_ns += from->self_ns;
	to->max_ns = MAX(to->max_ns, from->max_ns);
	to->samples += from->samples;
}

/* "a > b > c"; the row owns no text, the comparison does. */
static const char *path_text(struct compare_blocks *b, size_t node)
{
	uint32_t chain[64];
	struct strbuf text = {};
	size_t n = 0;

	for (uint32_t at = (uint32_t)node + 1; at && n < ARRAY_SIZE(chain);
	     at = b->nodes[at - 1].parent)
		chain[n++] = at - 1;
	if (n == ARRAY_SIZE(chain) && b->nodes[chain[n - 1]].parent)
		strbuf_puts(&text, "… > ");
	while (n-- > 0) {
		strbuf_puts(&text, b->groups.items[b->nodes[chain[n]].group].name);
		if (n)
			strbuf_puts(&text, " > ");
	}
	if (strbuf_error(&text) < 0) {
		strbuf_release(&text);
		return NULL;
	}
	return b->texts[b->n_texts++] = text.data;
}

/*
 * Whether a function has changed: of calls, what one takes; or the total, by more than what the
 * machine has let the program do in a second may differ.
 */
static bool is_significant(const struct comparison *c, const struct compare_row *row)
{
	const struct compare_blocks *b = c->data;
	struct estimate before, after;

	if (query_is_about_samples(c->kind))
		return row->changes[COMPARE_TOTAL].significant;
	if (row->changes[COMPARE_MEAN].significant)
		return true;
	before = estimate(c, &b->sides[COMPARE_BEFORE], row->index, COMPARE_TOTAL);
	after = estimate(c, &b->sides[COMPARE_AFTER], row->index, COMPARE_TOTAL);
	return change_between(&before, &after, false, 1 - (1 - c->confidence) * (1 - trimmed_part),
			      COMPARE_BUSY * c->drift)
		.significant;
}

static int make_row(struct comparison *c, size_t key, struct compare_row *row)
{
	struct compare_blocks *b = c->data;
	const struct group *group =
		&b->groups.items[b->by == COMPARE_FUNC ? key : b->nodes[key].group];
	const struct change *total = &row->changes[COMPARE_TOTAL];

	row->index = (uint32_t)key;
	row->binary = group->binary;
	row->key = b->by == COMPARE_FUNC ? group->name : path_text(b, key);
	if (!row->key)
		return -ENOMEM;
	for (int m = 0; m < COMPARE_METRICS; m++) {
		if (compare_applies(b->kind, m))
			row->changes[m] = compare_change(c, row, m, c->confidence);
		else
			row->changes[m] = (struct change){NAN, NAN, NAN, NAN, NAN};
	}
	row->significant = is_significant(c, row);
	row->weight = isnan(total->before) || isnan(total->after)
			      ? 0
			      : fabs(total->after - total->before);
	return 0;
}

static int compare_rows(const void *pa, const void *pb)
{
	const struct compare_row *a = pa, *b = pb;
	int r;

	if (a->significant != b->significant)
		return a->significant ? -1 : 1;
	if (a->weight < b->weight || a->weight > b->weight)
		return a->weight > b->weight ? -1 : 1;
	r = strcmp(a->key, b->key);
	return r ? r : strcmp(a->binary, b->binary);
}

static int make_rows(struct comparison *c)
{
	struct compare_blocks *b = c->data;

	c->rows = calloc(b->n_keys + 1, sizeof(*c->rows));
	b->texts = calloc(b->n_keys + 1, sizeof(*b->texts));
	if (!c->rows || !b->texts)
		return -ENOMEM;
	for (size_t key = 0; key < b->n_keys; key++) {
		struct compare_row *row = &c->rows[c->n_rows];
		uint64_t any = 0;
		int r;

		for (size_t s = 0; s < COMPARE_SIDES; s++) {
			const struct compare_cell *cells = compare_cells_of(&b->sides[s], key);

			for (size_t i = 0; i < b->sides[s].n_blocks; i++)
				add_sum(&row->sums[s], &cells[i].sum);
			any |= row->sums[s].calls | row->sums[s].samples;
		}
		/* Callers that have not returned, on either side, have nothing to show. */
		if (!any)
			continue;
		r = make_row(c, key, row);
		if (r < 0)
			return r;
		c->n_rows++;
	}
	qsort(c->rows, c->n_rows, sizeof(*c->rows), compare_rows);
	return 0;
}

static void sum_sides(struct comparison *c)
{
	const struct compare_blocks *b = c->data;
	bool samples = query_is_about_samples(b->kind);

	for (size_t s = 0; s < COMPARE_SIDES; s++) {
		const struct compare_side *side = &b->sides[s];

		c->blocks[s] = side->snapshot->n_windows ? side->n_blocks : 0;
		for (size_t i = 0; i < side->n_blocks; i++)
			c->seconds[s] += side->seconds[i];
		/* The time of a sample is that of some span, too. */
		for (size_t i = 0; samples && i < side->snapshot->n_samples; i++) {
			c->sums[s].samples += side->snapshot->samples[i].count;
			c->sums[s].total_ns += side->snapshot->samples[i].ns;
		}
		for (size_t i = 0; !samples && i < side->snapshot->n_stats; i++) {
			c->sums[s].calls += side->snapshot->stats[i].stat.calls;
			c->sums[s].errors += side->snapshot->stats[i].stat.errors;
			c->sums[s].total_ns += side->snapshot->stats[i].stat.self_ns;
		}
	}
}

int query_compare(const struct snapshot *const sides[static COMPARE_SIDES], enum query_kind kind,
		  enum compare_by by, double confidence, double drift, struct comparison **ret)
{
	_cleanup_(comparison_freep) struct comparison *c = calloc(1, sizeof(*c));
	int r;

	if (!c || !(c->data = calloc(1, sizeof(*c->data))))
		return -ENOMEM;
	c->kind = c->data->kind = kind;
	c->data->by = by;
	c->confidence = confidence;
	c->drift = drift;
	r = compare_fill(c->data, sides);
	if (r < 0)
		return r;
	sum_sides(c);
	r = make_rows(c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct comparison *comparison_free(struct comparison *c)
{
	if (!c)
		return NULL;
	if (c->data)
		compare_blocks_release(c->data);
	free(c->data);
	free(c->rows);
	free(c);
	return NULL;
}
