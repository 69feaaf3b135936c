/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diff.h"

#include <math.h>

#include "grid.h"
#include "session.h"
#include "sonde/base/format.h"
#include "text.h"

bool diff_is_spans(reply_t *reply)
{
	return streq(reply_str(reply, "kind"), "span");
}

void diff_coverage(reply_t *reply, const char *side, uint64_t *ret_seen, uint64_t *ret_lost)
{
	reply_t *session = reply_get(reply_get(reply, side), "session");
	reply_t *coverage = reply_get(session, "coverage");
	bool spans = diff_is_spans(reply);

	*ret_seen = reply_u64(coverage, spans ? "spans_seen" : "samples_seen");
	*ret_lost = reply_u64(coverage, spans ? "spans_lost" : "samples_lost");
}

static void put_percent(struct strbuf *out, double change)
{
	double percent = 100 * change;

	/* Rounded to nothing is neither more nor less. */
	if (fabs(percent) < 0.05)
		strbuf_puts(out, "0.0");
	else if (fabs(percent) < 1000)
		strbuf_printf(out, "%+.1f", percent);
	else
		strbuf_printf(out, "%+.3g", percent);
}

void diff_change(struct strbuf *out, reply_t *value)
{
	double before = reply_double(value, "before"), after = reply_double(value, "after");
	double change = reply_double(value, "change");

	if (!isnan(change) && after > 0) {
		put_percent(out, change);
		strbuf_puts(out, " %");
	} else if ((isnan(before) || before <= 0) && after > 0) {
		strbuf_puts(out, "new");
	} else if (before > 0) {
		strbuf_puts(out, "gone");
	}
}

void diff_interval(struct strbuf *out, reply_t *value)
{
	double low = reply_double(value, "low"), high = reply_double(value, "high");

	if (isnan(low) || isnan(high))
		return;
	put_percent(out, low);
	strbuf_puts(out, " … ");
	put_percent(out, high);
	strbuf_puts(out, " %");
}

void diff_figure(struct strbuf *out, const char *metric, double figure)
{
	static const char *const durations[] = {"mean", "p50",	 "p90", "p99",
						"max",	"total", "self"};
	char buf[FORMAT_MAX];

	if (isnan(figure)) {
		strbuf_puts(out, "-");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
		if (streq(durations[i], metric)) {
			strbuf_puts(out, format_duration(buf, (uint64_t)MAX(figure, 0)));
			return;
		}
	if (streq(metric, "share") || streq(metric, "error_rate"))
		strbuf_printf(out, "%.2f %%", 100 * figure);
	else if (figure >= 100)
		strbuf_puts(out, format_count(buf, (uint64_t)(figure + 0.5)));
	else
		strbuf_printf(out, "%.3g", figure);
}

void diff_evidence(struct strbuf *out, const char *metric, reply_t *value)
{
	diff_figure(out, metric, reply_double(value, "before"));
	strbuf_puts(out, " → ");
	diff_figure(out, metric, reply_double(value, "after"));
	strbuf_puts(out, ", ");
	diff_change(out, value);
	strbuf_puts(out, " (");
	diff_interval(out, value);
	strbuf_putc(out, ')');
}

void diff_verdict(struct strbuf *out, reply_t *finding)
{
	const char *verdict = reply_str(finding, "verdict"), *reason = reply_str(finding, "reason");

	if (streq(reason, "no_function"))
		strbuf_puts(out, "no such function on either side");
	else if (streq(reason, "few_calls"))
		strbuf_printf(out, "not judged: rests on %llu calls, --min-calls is %llu",
			      (unsigned long long)reply_u64(finding, "have"),
			      (unsigned long long)reply_u64(finding, "need"));
	else if (streq(reason, "few_windows"))
		strbuf_puts(out, "not judged: less than two windows with calls on a side");
	else
		strbuf_puts(out, streq(verdict, "holds") ? "holds" : "does not hold");
}

/* A change: what may be chance is dim, or has a "~" where there is no colour. */
static void change_cell(struct grid *g, struct output *o, reply_t *value)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};
	bool significant = reply_bool(value, "significant");
	/* Of what is new there is no interval, yet it is known whether it may be chance. */
	bool known = !isnan(reply_double(value, "low")) || isnan(reply_double(value, "change"));
	/* Of a trimmed mean the change may go the other way than that of the mean of all. */
	bool more = reply_bool(value, "trimmed")
			    ? reply_double(value, "change") > 0
			    : reply_double(value, "after") > reply_double(value, "before");
	bool plain = !*output_style(o, STYLE_DIM);

	diff_change(&b, value);
	if (b.len && plain && !significant)
		grid_printf(g, "%s%s", known ? "~" : "?", b.data);
	else
		grid_text(g, b.len ? b.data : "");
	grid_style(g, !significant ? STYLE_DIM : more ? STYLE_BAD : STYLE_GOOD);
}

static void interval_cell(struct grid *g, reply_t *value)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};

	diff_interval(&b, value);
	grid_text(g, b.len ? b.data : "");
	grid_style(g, reply_bool(value, "significant") ? STYLE_NONE : STYLE_DIM);
}

static void figure_cell(struct grid *g, reply_t *value, const char *metric, const char *side)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};

	diff_figure(&b, metric, reply_double(value, side));
	grid_text(g, b.data ? b.data : "");
}

/* Before, after, and the change between. */
static void three_cells(struct grid *g, struct output *o, reply_t *values, const char *metric)
{
	reply_t *value = reply_get(values, metric);

	figure_cell(g, value, metric, "before");
	figure_cell(g, value, metric, "after");
	change_cell(g, o, value);
}

static void span_row(struct grid *g, struct output *o, reply_t *row)
{
	static const char *const others[] = {"p50", "p99", "calls", "self", "errors"};
	reply_t *values = reply_get(row, "values");

	three_cells(g, o, values, "total");
	three_cells(g, o, values, "mean");
	interval_cell(g, reply_get(values, "mean"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		change_cell(g, o, reply_get(values, others[i]));
	grid_function(g, "", reply_str(row, "key"), false, reply_str(row, "binary"));
	grid_style(g, reply_bool(row, "significant") ? STYLE_NONE : STYLE_DIM);
}

static void sample_row(struct grid *g, struct output *o, reply_t *row)
{
	reply_t *values = reply_get(row, "values");

	three_cells(g, o, values, "share");
	interval_cell(g, reply_get(values, "share"));
	three_cells(g, o, values, "total");
	change_cell(g, o, reply_get(values, "self"));
	grid_function(g, "", reply_str(row, "key"), false, reply_str(row, "binary"));
	grid_style(g, reply_bool(row, "significant") ? STYLE_NONE : STYLE_DIM);
}

static void gates_text(struct output *o, reply_t *reply)
{
	struct strbuf *out = output_data(o);

	reply_foreach(gate, reply, "gates")
	{
		const char *verdict = reply_str(gate, "verdict");
		bool passed = streq(verdict, "passed");
		enum style style = passed ? STYLE_GOOD : STYLE_BAD;

		strbuf_printf(out, "\n%s%s%s  ", output_style(o, style),
			      passed			 ? "PASSED"
			      : streq(verdict, "failed") ? "FAILED"
							 : "NOT JUDGED",
			      output_style_end(o, style));
		text_append_safe(out, reply_str(gate, "gate"));
		strbuf_putc(out, '\n');
		reply_foreach(finding, gate, "findings")
		{
			_cleanup_(strbuf_release) struct strbuf line = {0};
			reply_t *value = reply_get(finding, "value");

			strbuf_printf(&line, "  %s: ", reply_str(finding, "comparison"));
			if (value) {
				strbuf_printf(&line, "%s: ", reply_str(finding, "function"));
				diff_evidence(&line, reply_str(finding, "metric"), value);
				strbuf_puts(&line, ": ");
			}
			diff_verdict(&line, finding);
			text_append_safe(out, line.data);
			strbuf_putc(out, '\n');
		}
	}
}

void diff_text(struct output *o, reply_t *reply, const void *arg)
{
	const struct diff_view *view = arg;
	const struct grid_column spans[] = {
		{"TOTAL/s", true}, {"AFTER", true},   {"CHANGE", true},	  {"MEAN", true},
		{"AFTER", true},   {"CHANGE", true},  {"INTERVAL", true}, {"P50", true},
		{"P99", true},	   {"CALLS/s", true}, {"SELF/s", true},	  {"ERRORS/s", true},
		{view->key_title},
	};
	const struct grid_column samples[] = {
		{"SHARE", true},    {"AFTER", true},  {"CHANGE", true},
		{"INTERVAL", true}, {"TIME/s", true}, {"AFTER", true},
		{"CHANGE", true},   {"SELF/s", true}, {view->key_title},
	};
	bool is_span = diff_is_spans(reply);
	_cleanup_(grid_freep) struct grid *g = is_span ? grid_new(spans, ARRAY_SIZE(spans))
						       : grid_new(samples, ARRAY_SIZE(samples));

	if (!g) {
		output_data(o)->failed = true;
		return;
	}
	reply_foreach(row, reply, "rows")
	{
		if (is_span)
			span_row(g, o, row);
		else
			sample_row(g, o, row);
	}
	grid_print(g, o);
	if (!reply_first(reply, "rows"))
		output_note(o, "sonde: no %s on either side", is_span ? "spans" : "samples");
	gates_text(o, reply);
}

bool diff_passed(reply_t *reply)
{
	if (reply_get(reply, "refused"))
		return false;
	reply_foreach(gate, reply,
		      "gates") if (!streq(reply_str(gate, "verdict"), "passed")) return false;
	return true;
}

static void side_note(struct output *o, reply_t *reply, const char *side, const char *name)
{
	reply_t *s = reply_get(reply, side);
	bool span = diff_is_spans(reply);
	char n[FORMAT_MAX];
	uint64_t seen, lost;

	diff_coverage(reply, side, &seen, &lost);
	output_note(o, "sonde: %s: %s, %.1f s, %s %s in %llu blocks, coverage %.1f %%", side, name,
		    reply_double(s, "seconds"),
		    format_count(n, reply_u64(s, span ? "calls" : "samples")),
		    span ? "spans" : "samples", (unsigned long long)reply_u64(s, "blocks"),
		    100 - text_percent(lost, seen));
}

/* Whether the change of a mean that is shown is another one than that of the two means beside it.
 */
static bool departs(reply_t *reply)
{
	enum { SEEN_PERCENT = 1 };

	reply_foreach(row, reply, "rows")
	{
		reply_t *mean = reply_get(reply_get(row, "values"), "mean");
		double of_all = reply_double(mean, "after") / reply_double(mean, "before") - 1;

		if (reply_bool(mean, "trimmed") &&
		    fabs(of_all - reply_double(mean, "change")) * 100 >= SEEN_PERCENT)
			return true;
	}
	return false;
}

void diff_notes(struct output *o, reply_t *reply, const struct diff_view *view)
{
	static const char *const sides[] = {"before", "after"};
	double confidence = reply_double(reply, "confidence");
	uint64_t total = reply_u64(reply, "total_rows");

	side_note(o, reply, "before", view->before);
	side_note(o, reply, "after", view->after);
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		if (reply_u64(reply_get(reply, sides[i]), "blocks") < 2)
			output_note(o,
				    "sonde: %s has less than two windows: nothing is known of how "
				    "its figures vary; record for some seconds",
				    sides[i]);
	if (total >= 10)
		output_note(o,
			    "sonde: at %.4g %% confidence chance alone makes about %.0f of %llu "
			    "rows differ",
			    100 * confidence, (1 - confidence) * (double)total,
			    (unsigned long long)total);
	reply_foreach(note, reply, "notes") output_note(o, "sonde: %s", reply_text(note));
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		raw_note(o, sides[i], reply_get(reply, sides[i]));
	if (departs(reply))
		output_note(o, "sonde: where the mean of all calls has not changed significantly, "
			       "its CHANGE is that without the slowest 5 %% of the calls");
	if (reply_get(reply, "refused"))
		output_note(o, "sonde: no gate was judged: %s", reply_str(reply, "refused"));
}
