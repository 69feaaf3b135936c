/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/grid.h"
#include "render/session.h"
#include "render/text.h"
#include "render/tree.h"

static void function_cell(struct grid *g, reply_t *row, const struct strbuf *prefix)
{
	const char *binary = reply_str(row, "binary"), *func = reply_str(row, "func");
	bool kernel = streq(reply_str(row, "kind"), "kernel");

	grid_function(g, prefix->len ? prefix->data : "", *func ? func : "[unknown]",
		      reply_bool(row, "inlined"), kernel ? "[kernel]" : binary);
}

static void span_row(struct grid *g, reply_t *reply, reply_t *row)
{
	grid_percent(g, text_percent(reply_u64(row, "total_ns"), reply_u64(reply, "total_ns")));
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_duration(g, reply_u64(row, "self_ns"));
	grid_count(g, reply_u64(row, "calls"));
	grid_duration(g, reply_u64(row, "avg_ns"));
	grid_duration(g, reply_u64(row, "p99_ns"));
}

static void cpu_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_samples");

	grid_percent(g, text_percent(reply_u64(row, "samples"), total));
	grid_percent(g, text_percent(reply_u64(row, "self_samples"), total));
	grid_count(g, reply_u64(row, "samples"));
}

static void wait_row(struct grid *g, reply_t *reply, reply_t *row)
{
	uint64_t total = reply_u64(reply, "total_ns");

	grid_percent(g, text_percent(reply_u64(row, "total_ns"), total));
	grid_percent(g, text_percent(reply_u64(row, "self_ns"), total));
	grid_duration(g, reply_u64(row, "total_ns"));
	grid_count(g, reply_u64(row, "samples"));
}

static void graph_text(struct output *o, reply_t *reply, const void *arg)
{
	static const struct grid_column span[] = {
		{"TOTAL%", true}, {"TOTAL", true}, {"SELF", true}, {"CALLS", true},
		{"AVG", true},	  {"P99", true},   {"FUNCTION"},
	};
	static const struct grid_column cpu[] = {
		{"TOTAL%", true}, {"SELF%", true}, {"SAMPLES", true}, {"FUNCTION"}};
	static const struct grid_column waits[] = {
		{"TOTAL%", true}, {"SELF%", true}, {"TOTAL", true}, {"WAITS", true}, {"FUNCTION"}};
	enum answer_kind kind = answer_kind(reply);
	_cleanup_(grid_freep) struct grid *g = kind == ANSWER_CPU ? grid_new(cpu, ARRAY_SIZE(cpu))
					       : kind == ANSWER_WAITS
						       ? grid_new(waits, ARRAY_SIZE(waits))
						       : grid_new(span, ARRAY_SIZE(span));
	_cleanup_(strbuf_release) struct strbuf prefix = {0};
	_cleanup_(tree_freep) struct tree *t = NULL;
	reply_t *row;

	(void)arg;
	if (!g || tree_new(reply, "rows", &t) < 0) {
		output_data(o)->failed = true;
		return;
	}
	while ((row = tree_next(t, &prefix))) {
		if (kind == ANSWER_CPU)
			cpu_row(g, reply, row);
		else if (kind == ANSWER_WAITS)
			wait_row(g, reply, row);
		else
			span_row(g, reply, row);
		function_cell(g, row, &prefix);
	}
	grid_print(g, o);
	if (!reply_first(reply, "rows"))
		output_note(o, "sonde: no %s in this session yet", answer_kind_plural(kind));
}

int cmd_graph(struct cli *cli)
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
	return r < 0 ? r : query_run_samples(cli, "Graph", params.data, &view, NULL);
}
