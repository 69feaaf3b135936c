/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "report.h"
#include "render/grid.h"
#include "render/session.h"
#include "render/spark.h"
#include "render/text.h"

static const char *key_title(const char *by)
{
	static const char *const titles[][2] = {{"probe", "PROBE"},   {"category", "CATEGORY"},
						{"comm", "COMM"},     {"pid", "PID"},
						{"thread", "THREAD"}, {"container", "CONTAINER"},
						{"cgroup", "CGROUP"}, {"host", "HOST"}};

	for (size_t i = 0; by && i < ARRAY_SIZE(titles); i++)
		if (streq(titles[i][0], by))
			return titles[i][1];
	return "FUNCTION";
}

static void key_cell(struct grid *g, reply_t *row, double percent)
{
	const char *key = reply_str(row, "key"), *binary = reply_str(row, "binary");
	uint64_t inlined = reply_u64(row, "inlined_samples");

	/* As perf does it: one that sometimes is a function of its own is not marked. */
	grid_function(g, "", key, inlined && inlined == reply_u64(row, "samples"), binary);
	grid_style(g, grid_share_style(percent));
}

/* These return the share of all, in percent, by which the key is coloured. */
static double span_row(struct grid *g, reply_t *reply, reply_t *row)
{
	double percent = text_percent(reply_u64(row, "total_ns"), reply_u64(reply, "total_ns"));
	uint64_t errors = reply_u64(row, "errors");

	grid_percent(g, percent);
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_duration(g, reply_u64(row, "self_ns"));
	grid_count(g, reply_u64(row, "calls"));
	grid_duration(g, reply_u64(row, "avg_ns"));
	grid_duration(g, reply_u64(row, "p50_ns"));
	grid_duration(g, reply_u64(row, "p99_ns"));
	grid_duration(g, reply_u64(row, "max_ns"));
	grid_count(g, errors);
	grid_style(g, errors ? STYLE_BAD : STYLE_NONE);
	grid_count(g, reply_u64(row, "self_samples"));
	return percent;
}

static double cpu_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_samples");
	double percent = text_percent(reply_u64(row, "self_samples"), total);

	grid_percent(g, percent);
	grid_percent(g, text_percent(reply_u64(row, "samples"), total));
	grid_count(g, reply_u64(row, "samples"));
	return percent;
}

static double wait_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_ns");
	double percent = text_percent(reply_u64(row, "self_ns"), total);

	grid_percent(g, percent);
	grid_percent(g, text_percent(reply_u64(row, "total_ns"), total));
	grid_duration(g, reply_u64(row, "self_ns"));
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_count(g, reply_u64(row, "samples"));
	return percent;
}

static void add_rows(struct grid *g, struct output *o, reply_t *reply,
		     const struct spark_axis *axis)
{
	enum answer_kind kind = answer_kind(reply);

	reply_foreach(row, reply, "rows")
	{
		double percent = kind == ANSWER_CPU	? cpu_row(g, reply, row)
				 : kind == ANSWER_WAITS ? wait_row(g, reply, row)
							: span_row(g, reply, row);

		if (kind == ANSWER_SPANS)
			grid_spark(g, o, axis, row);
		key_cell(g, row, percent);
	}
}

static void report_text(struct output *o, reply_t *reply, const void *arg)
{
	const struct options *opt = arg;
	struct spark_axis axis = spark_axis_of(reply, "rows");
	char title[2 * FORMAT_MAX];
	const struct grid_column span[] = {
		{"TOTAL%", true},
		{"TOTAL", true, 1},
		{"SELF", true, 4},
		{"CALLS", true},
		{"AVG", true, 3},
		{"P50", true, 6},
		{"P99", true, 2},
		{"MAX", true, 5},
		{"ERRORS", true, 7},
		{reply_u64(reply, "total_samples") ? "SAMPLES" : NULL, true, 9},
		{spark_title(&axis, title), false, 8},
		{key_title(opt->by)},
	};
	const struct grid_column cpu[] = {
		{"SELF%", true}, {"TOTAL%", true}, {"SAMPLES", true, 1}, {key_title(opt->by)}};
	const struct grid_column waits[] = {{"SELF%", true},	{"TOTAL%", true},
					    {"SELF", true, 2},	{"TOTAL", true, 1},
					    {"WAITS", true, 3}, {key_title(opt->by)}};
	enum answer_kind kind = answer_kind(reply);
	_cleanup_(grid_freep) struct grid *g = kind == ANSWER_CPU ? grid_new(cpu, ARRAY_SIZE(cpu))
					       : kind == ANSWER_WAITS
						       ? grid_new(waits, ARRAY_SIZE(waits))
						       : grid_new(span, ARRAY_SIZE(span));

	if (!g) {
		output_data(o)->failed = true;
		return;
	}
	add_rows(g, o, reply, &axis);
	grid_print(g, o);
	if (!reply_first(reply, "rows"))
		output_note(o, "sonde: no %s in %s", answer_kind_plural(kind),
			    opt->in ? "such spans" : "this session yet");
}

int report_show(struct cli *cli)
{
	const struct options *o = cli->options;
	const struct view view = {.text = report_text, .key_name = o->by ? o->by : "func"};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query(&w, o);
	if (o->by)
		json_string(&w, "by", o->by);
	if (o->sort)
		json_string(&w, "sort", o->sort);
	if (o->count.set)
		json_u64(&w, "limit", o->count.value);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run_samples(cli, "Report", params.data, &view, o);
}

int cmd_report(struct cli *cli)
{
	const struct options *o = cli->options;

	if (o->tree && o->flat)
		return usage_error(o, &cli->error, "either --tree or --flat");
	if (o->tree && (o->by || o->sort || o->count.set))
		return usage_error(o, &cli->error, "a tree (--tree) has no %s",
				   o->by     ? "--by"
				   : o->sort ? "--sort"
					     : "--limit (-n)");
	if (o->tree)
		return graph_show(cli);
	return report_show(cli);
}
