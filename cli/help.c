/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "help.h"

#include "options.h"
#include "render/text.h"

enum { OPTION_COLUMN = 28, VERB_COLUMN = 12, EXAMPLES = 2 };

static const char *const examples[VERB_COUNT][EXAMPLES] = {
	[VERB_status] = {"sonde status", "sonde status --json | jq .losses"},
	[VERB_doctor] = {"sonde doctor",
			 "sonde doctor --json | jq '.checks[] | select(.ok | not)'"},
	[VERB_probes] =
		{"sonde probes -p 4711 'parse_*'",
		 "sonde probes 'uprobe:/usr/bin/redis-server:*Command' --where 'arg1 > 4KiB'"},
	[VERB_trace] =
		{"sonde trace -p 4711 'libsqlite3:sqlite3_*' --min-duration 1ms",
		 "sonde trace -p 4711 'libc:open*' --args --where 'ret < 0 && str(args.file) =~ "
		 "\"/etc/*\"'"},
	[VERB_record] =
		{"sonde record -F 99 -a -d 5 -o all.sonde",
		 "sonde record 'handle_*' kprobe:vfs_write -o app.sonde -- ./app --port 8080"},
	[VERB_replay] = {"sonde replay app.sonde --speed 10 --min-duration 1ms --args",
			 "sonde replay app.sonde --where 'ret < 0' -o failed.sonde"},
	[VERB_attach] = {"sonde attach --name api -F 49 'uprobe:/usr/sbin/nginx:ngx_http_*' -a",
			 "sonde attach --name api --where 'duration > 10ms && ret < 0'"},
	[VERB_detach] = {"sonde detach api", "sonde detach api --json"},
	[VERB_list] = {"sonde list", "sonde list -i app.sonde"},
	[VERB_report] = {"sonde report --sort p99 -n 20",
			 "sonde report -i app.sonde --kind cpu --by thread"},
	[VERB_graph] = {"sonde graph -i app.sonde --min-percent 1",
			"sonde graph --session api --depth 5"},
	[VERB_flame] = {"sonde flame -i app.sonde -o app.html",
			"sonde flame --kind cpu -p 4711 -o cpu.svg"},
	[VERB_spans] = {"sonde spans -i app.sonde --sort duration -n 20",
			"sonde spans -f --where 'duration > 5ms && ret < 0'"},
	[VERB_timeline] = {"sonde timeline -i app.sonde -r 1.5s~1.6s",
			   "sonde timeline --since 10m --where 'duration > 1ms' -n 100"},
	[VERB_events] = {"sonde events --since 10m", "sonde events -n 20 --json"},
	[VERB_debuginfo] = {"sonde debuginfo --session api",
			    "sonde debuginfo -i app.sonde --fetch --urls "
			    "https://debuginfod.debian.net"},
	[VERB_export] = {"sonde export -i app.sonde -o app.json.gz",
			 "sonde export --since 1h --kind cpu -o hour.pb.gz"},
	[VERB_import] = {"sonde import trace.json.gz -o trace.sonde",
			 "perf script | sonde import - -o app.sonde"},
	[VERB_sql] = {"sonde sql -i app.sonde 'SELECT function, sum(calls) FROM span GROUP BY 1'",
		      "sonde sql -i app.sonde --csv - < query.sql"},
	[VERB_diff] =
		{"sonde diff before.sonde after.sonde",
		 "sonde diff baseline:main now --fail-if 'mean(parse_*) > +5%' --report r.xml"},
	[VERB_baseline] = {"sonde baseline save main -i app.sonde", "sonde baseline list"},
	[VERB_completion] = {"sonde completion bash > /etc/bash_completion.d/sonde",
			     "source <(sonde completion bash)"},
	[VERB_version] = {"sonde version", "sonde version --json"},
	[VERB_help] = {"sonde help", "sonde help trace"},
};

static void option_line(struct strbuf *out, const struct option_def *d)
{
	_cleanup_(strbuf_release) struct strbuf left = {0};
	size_t width;

	strbuf_puts(&left, "  ");
	if (d->letter)
		strbuf_printf(&left, "-%c, ", d->letter);
	else
		strbuf_puts(&left, "    ");
	strbuf_printf(&left, "--%s%s%s", d->name, d->argument ? " " : "",
		      d->argument ? d->argument : "");
	if (strbuf_error(&left) < 0)
		return;
	strbuf_puts(out, left.data);
	width = text_width(left.data);
	if (width + 2 > OPTION_COLUMN) {
		strbuf_putc(out, '\n');
		width = 0;
	}
	text_spaces(out, OPTION_COLUMN - width);
	strbuf_puts(out, d->help);
	if (d->choices) {
		strbuf_puts(out, ": ");
		for (const char *c = d->choices; *c; c++)
			if (*c == '|')
				strbuf_puts(out, ", ");
			else
				strbuf_putc(out, *c);
	}
	strbuf_putc(out, '\n');
}

static void option_lines(struct strbuf *out, const struct verb *v, bool global)
{
	for (size_t i = 0; i < option_defs_count; i++) {
		const struct option_def *d = &option_defs[i];

		if ((d->verbs == OPTION_GLOBAL) == global && option_taken_by(d, v))
			option_line(out, d);
	}
}

static void verb_help(struct strbuf *out, const struct verb *v)
{
	bool any = false;

	for (size_t i = 0; i < option_defs_count; i++)
		any |= option_defs[i].verbs != OPTION_GLOBAL && option_taken_by(&option_defs[i], v);
	strbuf_printf(out, "Usage: sonde %s [OPTION...]%s%s\n\n", v->name, *v->operands ? " " : "",
		      v->operands);
	strbuf_printf(out, "%s: %s.\n", v->name, v->summary);
	if (strstr(v->operands, "SPEC"))
		strbuf_puts(out,
			    "\nSPEC: FUNC_GLOB, LIB:FUNC_GLOB, uprobe:/path:FUNC_GLOB, "
			    "usdt:/path:PROVIDER:NAME, of the kernel\nkprobe:FUNC_GLOB, "
			    "kprobe:MODULE:FUNC_GLOB, fentry:FUNC_GLOB, or !GLOB to leave out.\n");
	if (option_known(v, "where"))
		strbuf_puts(out, "\nEXPR: a condition such as 'duration > 10ms && ret < 0': man 7 "
				 "sonde-conditions.\n");
	if (any) {
		strbuf_puts(out, "\nOptions:\n");
		option_lines(out, v, false);
	}
	strbuf_puts(out, "\nOptions of every verb:\n");
	option_lines(out, v, true);
	strbuf_puts(out, "\nExamples:\n");
	for (size_t i = 0; i < EXAMPLES; i++)
		strbuf_printf(out, "  %s\n", examples[v - verbs][i]);
	strbuf_printf(out, "\nSee also: man sonde-%s\n", v->name);
}

static void main_help(struct strbuf *out)
{
	strbuf_puts(out,
		    "Usage: sonde [OPTION...] VERB [OPTION...] [OPERAND...] [-- COMMAND]\n\n"
		    "sonde profiles programs that are already running: spans of their functions "
		    "and CPU samples.\n\nVerbs:\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		strbuf_printf(out, "  %-*s%s\n", VERB_COLUMN, verbs[i].name, verbs[i].summary);
	strbuf_puts(out, "\nOptions of every verb:\n");
	option_lines(out, NULL, true);
	strbuf_puts(out, "\nExamples:\n");
	for (size_t i = 0; i < EXAMPLES; i++)
		strbuf_printf(out, "  %s\n", examples[i ? VERB_record : VERB_trace][0]);
	strbuf_puts(out, "\nExit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 no such "
			 "process, probe,\nsession or file, 77 a privilege or kernel feature is "
			 "missing.\n\nSee also: sonde VERB --help, man sonde\n");
}

void help_text(struct strbuf *out, const struct verb *v)
{
	if (v)
		verb_help(out, v);
	else
		main_help(out);
}
