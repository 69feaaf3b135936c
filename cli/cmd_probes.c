/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/grid.h"
#include "render/text.h"

static void probes_text(struct output *o, reply_t *reply, const void *arg)
{
	static const struct grid_column columns[] = {
		{"SYMBOL"}, {"OFFSET", true}, {"SKIPPED", true}, {"STRATEGY"}, {"BINARY"}, {"NOTE"},
	};
	_cleanup_(grid_freep) struct grid *g = grid_new(columns, ARRAY_SIZE(columns));
	uint64_t total = reply_u64(reply, "total"), shown = reply_count(reply, "probes");
	struct strbuf *out = output_data(o);

	(void)arg;
	if (!g) {
		out->failed = true;
		return;
	}
	reply_foreach(probe, reply, "probes")
	{
		grid_text(g, reply_str(probe, "symbol"));
		grid_text(g, reply_str(probe, "offset"));
		grid_printf(g, "%llu", (unsigned long long)reply_u64(probe, "skipped_bytes"));
		grid_text(g, reply_str(probe, "strategy"));
		grid_text(g, reply_str(probe, "binary"));
		grid_text(g, reply_str(probe, "note"));
	}
	grid_print(g, o);
	if (shown)
		strbuf_putc(out, '\n');
	text_counted(out, total, "function");
	if (shown < total)
		strbuf_printf(out, ", the first %llu shown", (unsigned long long)shown);
	strbuf_putc(out, '\n');
}

int cmd_probes(struct cli *cli)
{
	static const struct view view = {.text = probes_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r = request_check(o, &cli->error);

	if (r < 0)
		return r;
	request_begin(&w, &params);
	request_session_options(&w, o, NULL);
	if (o->count.set)
		json_u64(&w, "limit", o->count.value);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run(cli, "Probes", params.data, &view, NULL);
}
