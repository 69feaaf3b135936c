/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "report.h"
#include "render/grid.h"
#include "render/session.h"
#include "render/spark.h"
#include "render/text.h"
#include "render/tree.h"

static void function_cell(struct grid *g, reply_t *row, const struct strbuf *prefix, double percent)
{
	const char *binary = reply_str(row, "binary"), *func = reply_str(row, "func");
	bool kernel = streq(reply_str(row, "kind"), "kernel");

	grid_function(g, prefix->len ? prefix->data : "", *func ? func : "[unknown]",
		      reply_bool(row, "inlined"), kernel ? "[kernel]" : binary);
	grid_style(g, grid_share_style(percent));
}

/* These return the share of all, in percent: of calls and waits by time, of samples by their
 * number. */
static double span_row(struct grid *g, reply_t *reply, reply_t *row)
{
	double percent = text_percent(reply_u64(row, "total_ns"), reply_u64(reply, "total_ns"));

	grid_percent(g, percent);
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_duration(g, reply_u64(row, "self_ns"));
	grid_count(g, reply_u64(row, "calls"));
	grid_duration(g, reply_u64(row, "avg_ns"));
	grid_duration(g, reply_u64(row, "p99_ns"));
	grid_count(g, reply_u64(row, "self_samples"));
	return percent;
}

static double cpu_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_samples");
	double percent = text_percent(reply_u64(row, "samples"), total);

	grid_percent(g, percent);
	grid_percent(g, text_percent(reply_u64(row, "self_samples"), total));
	grid_count(g, reply_u64(row, "samples"));
	return percent;
}

static double wait_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_ns");
	double percent = text_percent(reply_u64(row, "total_ns"), total);

	grid_percent(g, percent);
	grid_percent(g, text_percent(reply_u64(row, "self_ns"), total));
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_count(g, reply_u64(row, "samples"));
	return percent;
}

static void add_rows(struct grid *g, struct output *o, reply_t *reply, struct tree *t,
		     const struct spark_axis *axis)
{
	_cleanup_(strbuf_release) struct strbuf prefix = {0};
	enum answer_kind kind = answer_kind(reply);
	reply_t *row;

	while ((row = tree_next(t, &prefix))) {
		double percent = kind == ANSWER_CPU	? cpu_row(g, reply, row)
				 : kind == ANSWER_WAITS ? wait_row(g, reply, row)
							: span_row(g, reply, row);

		if (kind == ANSWER_SPANS)
			grid_spark(g, o, axis, row);
		function_cell(g, row, &prefix, percent);
	}
}

static void graph_text(struct output *o, reply_t *reply, const void *arg)
{
	struct spark_axis axis = spark_axis_of(reply, "rows");
	char title[2 * FORMAT_MAX];
	const struct grid_column span[] = {
		{"TOTAL%", true},
		{"TOTAL", true, 1},
		{"SELF", true, 4},
		{"CALLS", true},
		{"AVG", true, 3},
		{"P99", true, 2},
		{reply_u64(reply, "total_samples") ? "SAMPLES" : NULL, true, 6},
		{spark_title(&axis, title), false, 5},
		{"FUNCTION"},
	};
	static const struct grid_column cpu[] = {
		{"TOTAL%", true}, {"SELF%", true, 2}, {"SAMPLES", true, 1}, {"FUNCTION"}};
	static const struct grid_column waits[] = {{"TOTAL%", true},
						   {"SELF%", true, 3},
						   {"TOTAL", true, 1},
						   {"WAITS", true, 2},
						   {"FUNCTION"}};
	const struct options *opt = arg;
	enum answer_kind kind = answer_kind(reply);
	_cleanup_(grid_freep) struct grid *g = kind == ANSWER_CPU ? grid_new(cpu, ARRAY_SIZE(cpu))
					       : kind == ANSWER_WAITS
						       ? grid_new(waits, ARRAY_SIZE(waits))
						       : grid_new(span, ARRAY_SIZE(span));
	_cleanup_(tree_freep) struct tree *t = NULL;

	if (!g || tree_new(reply, "rows", &t) < 0) {
		output_data(o)->failed = true;
		return;
	}
	add_rows(g, o, reply, t, &axis);
	grid_print(g, o);
	if (!reply_first(reply, "rows"))
		output_note(o, "sonde: no %s in %s", answer_kind_plural(kind),
			    opt->in ? "such spans" : "this session yet");
}

int graph_show(struct cli *cli)
{
	static const struct view view = {.text = graph_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query(&w, o);
	if (o->min_percent.set)
		json_double(&w, "min_percent", o->min_percent.value);
	if (o->depth.set)
		json_u64(&w, "max_depth", o->depth.value);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run_samples(cli, "Graph", params.data, &view, o);
}

int cmd_graph(struct cli *cli)
{
	const struct options *o = cli->options;

	if (o->tree && o->flat)
		return usage_error(o, &cli->error, "either --tree or --flat");
	if (o->flat && (o->min_percent.set || o->depth.set))
		return usage_error(o, &cli->error, "a flat profile (--flat) has no %s",
				   o->depth.set ? "--depth" : "--min-percent");
	if (o->by && !o->flat)
		return usage_error(o, &cli->error,
				   "a call tree has no --by-category: give --flat, too");
	return o->flat ? report_show(cli) : graph_show(cli);
}
