/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/grid.h"
#include "render/text.h"

/* "push %rbp +4": what is probed, and how far behind the function's start. */
static void place_cell(struct grid *g, reply_t *probe)
{
	uint64_t skipped = reply_u64(probe, "skipped_bytes");

	if (skipped)
		grid_printf(g, "%s +%llu", reply_str(probe, "instruction"),
			    (unsigned long long)skipped);
	else
		grid_text(g, reply_str(probe, "instruction"));
	grid_style(g, streq(reply_str(probe, "hit"), "stepped") ? STYLE_WARM : STYLE_NONE);
}

static void returns_cell(struct grid *g, reply_t *probe)
{
	uint64_t sites = reply_u64(probe, "sites");

	if (streq(reply_str(probe, "returns"), "sites"))
		grid_printf(g, "%llu site%s", (unsigned long long)sites, sites == 1 ? "" : "s");
	else
		grid_text(g, reply_str(probe, "returns"));
}

/* Why the ends of calls are seen by sites, each reason of a file once. */
static void print_reasons(struct output *o, reply_t *reply)
{
	const char *last = "", *last_binary = "";

	reply_foreach(probe, reply, "probes")
	{
		const char *reason = reply_str(probe, "reason");
		const char *binary = reply_str(probe, "binary"), *slash = strrchr(binary, '/');

		if (!*reason || (streq(reason, last) && streq(binary, last_binary)))
			continue;
		/* "it", which is not the file: a library's calls may end otherwise elsewhere. */
		output_note(o, "sonde: %s: the ends of calls are probed at their sites, as %s%s",
			    slash ? slash + 1 : binary,
			    startswith(reason, "it ")	 ? "the program "
			    : startswith(reason, "its ") ? "the program's "
							 : "",
			    startswith(reason, "it ")	 ? reason + strlen("it ")
			    : startswith(reason, "its ") ? reason + strlen("its ")
							 : reason);
		last = reason;
		last_binary = binary;
	}
}

static void print_conditions(struct output *o, reply_t *reply)
{
	struct strbuf *out = output_data(o);

	reply_foreach(condition, reply, "conditions")
	{
		const char *option = reply_str(condition, "option");
		const char *kernel = reply_str(condition, "kernel");
		const char *daemon = reply_str(condition, "daemon");

		strbuf_printf(out, "\n--%s, as for ",
			      streq(option, "stack_if") ? "stack-if" : option);
		text_append_safe(out, reply_str(condition, "function"));
		strbuf_puts(out, "\n  the kernel decides  ");
		text_append_safe(out, *kernel ? kernel : "nothing");
		strbuf_puts(out, "\n  the daemon decides  ");
		text_append_safe(out, *daemon ? daemon : "nothing");
		reply_foreach(use, condition, "uses")
		{
			strbuf_puts(out, "\n    ");
			text_append_safe(out, reply_str(use, "text"));
			strbuf_puts(out, ": ");
			text_append_safe(out, reply_str(use, "type"));
		}
		strbuf_putc(out, '\n');
	}
}

static bool has_spans(reply_t *reply)
{
	reply_foreach(probe, reply, "probes")
	{
		const char *returns = reply_str(probe, "returns");

		if (streq(returns, "batch") || streq(returns, "span"))
			return true;
	}
	return false;
}

static void probes_text(struct output *o, reply_t *reply, const void *arg)
{
	static const struct grid_column columns[] = {
		{"SYMBOL"},	{"OFFSET", true}, {"PROBED"}, {"ENDS"},
		{"COST", true}, {"LINK"},	  {"BINARY"}, {"NOTE"},
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
		uint64_t cost = reply_u64(probe, "cost_ns");

		grid_text(g, reply_str(probe, "symbol"));
		grid_text(g, reply_str(probe, "offset"));
		place_cell(g, probe);
		returns_cell(g, probe);
		if (cost)
			grid_duration(g, cost);
		else
			grid_text(g, "?");
		grid_text(g, reply_str(probe, "strategy"));
		grid_text(g, reply_str(probe, "binary"));
		grid_text(g, reply_str(probe, "note"));
	}
	grid_print(g, o);
	if (shown)
		strbuf_putc(out, '\n');
	text_counted(out, total, has_spans(reply) ? "probe" : "function");
	if (shown < total)
		strbuf_printf(out, ", the first %llu shown", (unsigned long long)shown);
	strbuf_putc(out, '\n');
	print_conditions(o, reply);
	print_reasons(o, reply);
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
