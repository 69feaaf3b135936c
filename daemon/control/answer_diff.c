/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/answer_diff.h"

#include "control/answer.h"

static void put_change(struct json_writer *w, const char *key, const struct change *c)
{
	json_object_begin(w, key);
	json_double(w, "before", c->before);
	json_double(w, "after", c->after);
	json_double(w, "change", c->change);
	json_double(w, "low", c->low);
	json_double(w, "high", c->high);
	json_bool(w, "significant", c->significant);
	json_bool(w, "trimmed", c->trimmed);
	json_object_end(w);
}

static void put_row(struct json_writer *w, const struct comparison *c,
		    const struct compare_row *row)
{
	const struct compare_sum *before = &row->sums[COMPARE_BEFORE];
	const struct compare_sum *after = &row->sums[COMPARE_AFTER];

	json_object_begin(w, NULL);
	json_string(w, "key", row->key);
	json_string(w, "binary", row->binary);
	json_bool(w, "significant", row->significant);
	answer_int(w, "calls_before", before->calls);
	answer_int(w, "calls_after", after->calls);
	answer_int(w, "samples_before", before->samples);
	answer_int(w, "samples_after", after->samples);
	answer_int(w, "total_before_ns", before->total_ns);
	answer_int(w, "total_after_ns", after->total_ns);
	json_object_begin(w, "values");
	for (int m = 0; m < COMPARE_METRICS; m++)
		if (compare_applies(c->kind, m))
			put_change(w, compare_metric_name(m), &row->changes[m]);
	json_object_end(w);
	json_object_end(w);
}

void answer_diff_rows(struct json_writer *w, const struct comparison *c, size_t limit)
{
	json_array_begin(w, "rows");
	for (size_t i = 0; i < c->n_rows && (!limit || i < limit); i++)
		put_row(w, c, &c->rows[i]);
	json_array_end(w);
	answer_int(w, "total_rows", c->n_rows);
}

void answer_diff_side(struct json_writer *w, const struct comparison *c, size_t side)
{
	json_double(w, "seconds", c->seconds[side]);
	answer_int(w, "blocks", c->blocks[side]);
	answer_int(w, "calls", c->sums[side].calls);
	answer_int(w, "samples", c->sums[side].samples);
	answer_int(w, "total_ns", c->sums[side].total_ns);
}

static void put_finding(struct json_writer *w, const struct gate_finding *f)
{
	static const char *const verdicts[] = {[GATE_HOLDS] = "holds",
					       [GATE_HOLDS_NOT] = "holds_not",
					       [GATE_UNDECIDED] = "undecided"};
	static const char *const reasons[] = {[GATE_NO_FUNCTION] = "no_function",
					      [GATE_FEW_CALLS] = "few_calls",
					      [GATE_FEW_WINDOWS] = "few_windows"};

	json_object_begin(w, NULL);
	json_string(w, "comparison", f->comparison->text);
	json_string(w, "metric", compare_metric_name(f->comparison->metric));
	json_string(w, "verdict", verdicts[f->verdict]);
	if (f->reason != GATE_DECIDED)
		json_string(w, "reason", reasons[f->reason]);
	answer_int(w, "have", f->have);
	answer_int(w, "need", f->need);
	if (f->row) {
		json_string(w, "function", f->row->key);
		json_string(w, "binary", f->row->binary);
		put_change(w, "value", &f->change);
	}
	json_object_end(w);
}

void answer_gate(struct json_writer *w, const struct gate *g, const struct gate_result *r)
{
	json_object_begin(w, NULL);
	json_string(w, "gate", g->text);
	json_string(w, "verdict",
		    r->verdict == GATE_HOLDS	   ? "failed"
		    : r->verdict == GATE_HOLDS_NOT ? "passed"
						   : "undecided");
	json_array_begin(w, "findings");
	for (size_t i = 0; i < r->n_findings; i++)
		put_finding(w, &r->findings[i]);
	json_array_end(w);
	json_object_end(w);
}
