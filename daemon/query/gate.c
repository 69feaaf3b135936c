/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_node.h"

#include <fnmatch.h>
#include <math.h>

void gate_result_release(struct gate_result *r)
{
	free(r->findings);
	*r = (struct gate_result){};
}

/* A figure that says something of single calls: it needs many of them to be worth anything. */
static bool is_of_calls(enum compare_metric m)
{
	return m == COMPARE_ERROR_RATE || m == COMPARE_MEAN || m == COMPARE_P50 ||
	       m == COMPARE_P90 || m == COMPARE_P99 || m == COMPARE_MAX;
}

static int check_kind(const struct gate *g, const struct comparison *c, struct error *e)
{
	bool samples = query_is_about_samples(c->kind);
	int r;

	for (size_t i = 0; i < g->n_comparisons; i++) {
		if (compare_applies(c->kind, g->comparisons[i].metric))
			continue;
		r = error_set(e, EINVAL, "BadArgument", "`%s` is about %s, and %s are compared",
			      g->comparisons[i].text, samples ? "spans" : "samples",
			      samples ? "samples" : "spans");
		error_fix(e, samples ? "compare spans: --kind span; or use total, self, share, "
				       "samples"
				     : "compare samples: --kind cpu");
		return r;
	}
	return 0;
}

static bool holds(enum gate_op op, double got, double wanted)
{
	switch (op) {
	case GATE_GREATER:
		return got > wanted;
	case GATE_LESS:
		return got < wanted;
	case GATE_GREATER_EQUAL:
		return got >= wanted;
	case GATE_LESS_EQUAL:
		return got <= wanted;
	}
	return false;
}

/* What a value that is no change is compared with: of rates, the whole of the side. */
static double whole(const struct gate_finding *f, size_t side, double otherwise)
{
	const struct compare_sum *sum = &f->row->sums[side];

	switch (f->comparison->metric) {
	case COMPARE_CALLS:
		return (double)sum->calls;
	case COMPARE_ERRORS:
		return (double)sum->errors;
	case COMPARE_SAMPLES:
		return (double)sum->samples;
	case COMPARE_TOTAL:
		return (double)sum->total_ns;
	case COMPARE_SELF:
		return (double)sum->self_ns;
	default:
		return otherwise;
	}
}

/* How many calls (samples) the comparison rests on, where it needs any. */
static uint64_t rests_on(const struct comparison *c, const struct gate_finding *f)
{
	const struct compare_sum *sums = f->row->sums;
	bool samples = query_is_about_samples(c->kind);
	uint64_t before = samples ? sums[COMPARE_BEFORE].samples : sums[COMPARE_BEFORE].calls;
	uint64_t after = samples ? sums[COMPARE_AFTER].samples : sums[COMPARE_AFTER].calls;

	if (f->comparison->kind != GATE_CHANGE)
		return is_of_calls(f->comparison->metric) ? after : UINT64_MAX;
	/* Of what is gone, or new, one side has none. */
	return is_of_calls(f->comparison->metric) ? MIN(before, after) : MAX(before, after);
}

static void decide(struct gate_finding *f)
{
	const struct gate_comparison *g = f->comparison;
	double got = f->change.change;

	if (g->kind != GATE_CHANGE) {
		f->change.before = whole(f, COMPARE_BEFORE, f->change.before);
		f->change.after = whole(f, COMPARE_AFTER, f->change.after);
		f->verdict = holds(g->op, f->change.after, g->value) ? GATE_HOLDS : GATE_HOLDS_NOT;
		return;
	}
	if (!f->change.known) {
		f->verdict = GATE_UNDECIDED;
		f->reason = GATE_FEW_WINDOWS;
		return;
	}
	/* From nothing to something is more than any percentage. */
	if (isnan(got))
		got = f->change.after > 0 ? INFINITY : 0;
	f->verdict =
		f->change.significant && holds(g->op, got, g->value) ? GATE_HOLDS : GATE_HOLDS_NOT;
}

static int add_finding(struct gate_result *r, const struct gate_finding *f)
{
	if (array_reserve(&r->findings, &r->findings_cap, r->n_findings + 1, sizeof(*r->findings)) <
	    0)
		return -ENOMEM;
	r->findings[r->n_findings++] = *f;
	return 0;
}

/* Adds a finding for each function that matches; those with enough calls are counted. */
static int match(const struct gate_comparison *g, const struct comparison *c,
		 const struct gate_options *o, struct gate_result *r, size_t *ret_judged)
{
	*ret_judged = 0;
	for (size_t i = 0; i < c->n_rows; i++) {
		struct gate_finding f = {.comparison = g, .row = &c->rows[i], .need = o->min_calls};

		if (fnmatch(g->glob, f.row->key, 0) != 0 && !streq(g->glob, f.row->key))
			continue;
		f.change = f.row->changes[g->metric];
		f.have = rests_on(c, &f);
		if (f.have < f.need) {
			f.verdict = GATE_UNDECIDED;
			f.reason = GATE_FEW_CALLS;
		} else {
			++*ret_judged;
		}
		if (add_finding(r, &f) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int compare_one(const struct gate_comparison *g, const struct comparison *c,
		       const struct gate_options *o, struct gate_result *r,
		       enum gate_verdict *ret_verdict)
{
	struct gate_finding none = {
		.comparison = g, .verdict = GATE_UNDECIDED, .reason = GATE_NO_FUNCTION};
	size_t first = r->n_findings, judged;
	bool undecided = false, any = false;

	if (match(g, c, o, r, &judged) < 0)
		return -ENOMEM;
	*ret_verdict = GATE_UNDECIDED;
	if (r->n_findings == first)
		return add_finding(r, &none);
	for (size_t i = first; i < r->n_findings; i++) {
		struct gate_finding *f = &r->findings[i];

		if (f->reason != GATE_DECIDED)
			continue;
		f->change = compare_change(c, f->row, g->metric,
					   1 - (1 - o->confidence) / (double)judged);
		decide(f);
		any |= f->verdict == GATE_HOLDS;
		undecided |= f->verdict == GATE_UNDECIDED;
	}
	*ret_verdict = any ? GATE_HOLDS : undecided || !judged ? GATE_UNDECIDED : GATE_HOLDS_NOT;
	return 0;
}

static enum gate_verdict combine(const struct gate_node *node, const enum gate_verdict *verdicts)
{
	enum gate_verdict a = verdicts[node->left], b = verdicts[node->right];

	switch (node->kind) {
	case GATE_NOT:
		return a == GATE_UNDECIDED ? a : a == GATE_HOLDS ? GATE_HOLDS_NOT : GATE_HOLDS;
	case GATE_AND:
		return a == GATE_HOLDS_NOT || b == GATE_HOLDS_NOT ? GATE_HOLDS_NOT
		       : a == GATE_UNDECIDED			  ? a
								  : b;
	case GATE_OR:
		return a == GATE_HOLDS || b == GATE_HOLDS ? GATE_HOLDS
		       : a == GATE_UNDECIDED		  ? a
							  : b;
	case GATE_COMPARISON:
		break;
	}
	return GATE_UNDECIDED;
}

int gate_evaluate(const struct gate *g, const struct comparison *c, const struct gate_options *o,
		  struct error *e, struct gate_result *ret)
{
	_cleanup_(freep) enum gate_verdict *verdicts = calloc(g->n_nodes, sizeof(*verdicts));
	_cleanup_(gate_result_release) struct gate_result result = {};
	int r = check_kind(g, c, e);

	if (!verdicts)
		r = -ENOMEM;
	/* Comparisons have their nodes in the order of the text, and so have their findings. */
	for (size_t i = 0; i < g->n_nodes && r >= 0; i++) {
		if (g->nodes[i].kind == GATE_COMPARISON)
			r = compare_one(&g->comparisons[g->nodes[i].left], c, o, &result,
					&verdicts[i]);
		else
			verdicts[i] = combine(&g->nodes[i], verdicts);
	}
	if (r < 0)
		return r;
	result.verdict = verdicts[g->n_nodes - 1];
	*ret = result;
	result = (struct gate_result){};
	return 0;
}
