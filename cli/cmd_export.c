/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/drive.h"
#include "render/output.h"
#include "verbs.h"

static void list_formats(struct strbuf *out)
{
	for (size_t i = 0; i < export_formats_count; i++) {
		const struct export_format *f = export_formats[i];

		strbuf_printf(out, "%-12s %-22.*s %s\n", f->name, (int)strcspn(f->extensions, "|"),
			      f->extensions, f->summary);
	}
}

static void known_names(struct strbuf *out, bool extensions)
{
	for (size_t i = 0; i < export_formats_count; i++) {
		const char *text =
			extensions ? export_formats[i]->extensions : export_formats[i]->name;

		if (!*text)
			continue;
		if (out->len)
			strbuf_puts(out, ", ");
		strbuf_append(out, text, strcspn(text, "|"));
	}
}

static int choose(const struct options *o, const struct export_format **ret, struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf names = {};
	bool to_file = options_to_file(o);

	*ret = o->format ? export_format_find(o->format)
	       : to_file ? export_format_of(o->output)
			 : NULL;
	if (*ret)
		return 0;
	known_names(&names, !o->format);
	if (strbuf_error(&names) < 0)
		return -ENOMEM;
	if (o->format)
		return usage_error(o, e, "there is no format \"%s\", but %s", o->format,
				   names.data);
	if (to_file)
		return usage_error(o, e,
				   "-o %s: its name says no format: give --format, or end it in "
				   "one of %s",
				   o->output, names.data);
	return usage_error(o, e, "say which format: --format chrome, or -o FILE.json");
}

/* What chooses or sorts rows of an answer is for formats of answers. */
static int check_answer(const struct options *o, const struct export_format *format,
			struct error *e)
{
	const char *answer = o->answer ? o->answer : "report";
	bool is_report = streq(answer, "report");

	if (!(format->carries & EXPORT_ANSWER) && (o->answer || o->by || o->sort || o->count.set))
		return usage_error(o, e,
				   "%s has everything, in an order of its own: --answer, --by, "
				   "--sort and -n are for json, csv and md",
				   format->name);
	if (o->in && (streq(answer, "spans") || !(format->carries & ~EXPORT_SPANS)))
		return usage_error(
			o, e,
			"--in chooses samples, of which %s has none: spans are chosen by "
			"a condition (--where)",
			o->answer ? "--answer spans" : format->name);
	if (o->framing && !streq(format->name, "dftracer"))
		return usage_error(o, e, "--framing is for dftracer");
	if (!is_report && (o->by || o->sort || o->count.set))
		return usage_error(o, e, "--by, --sort and -n are for --answer report");
	if (!streq(answer, "spans") && (o->name || o->min_duration.set || o->errors))
		if (format->carries & EXPORT_ANSWER)
			return usage_error(o, e,
					   "--name, --min-duration and --errors choose spans: give "
					   "--answer spans, or a condition (--where)");
	return 0;
}

int cmd_export(struct cli *cli)
{
	const struct options *o = cli->options;
	const struct export_format *format;
	int r;

	if (o->format && streq(o->format, "help")) {
		list_formats(output_data(cli->output));
		return EXIT_OK;
	}
	if (o->inputs.n && o->socket_given)
		return usage_error(o, &cli->error,
				   "either a recording (-i) or a daemon (--socket)");
	r = choose(o, &format, &cli->error);
	if (r < 0)
		return r;
	r = check_answer(o, format, &cli->error);
	if (r < 0)
		return r;
	if (o->kind && !streq(o->kind, "span") && !(format->carries & ~EXPORT_SPANS))
		return usage_error(
			o, &cli->error,
			"%s carries spans and no samples: choose another format, such as "
			"pprof or speedscope",
			format->name);
	if (format->binary && !options_to_file(o) && isatty(STDOUT_FILENO))
		return usage_error(o, &cli->error,
				   "%s is not text for a terminal: write it to a file with -o",
				   format->name);
	output_streaming(cli->output);
	r = export_drive(cli, format);
	return r < 0 ? r : EXIT_OK;
}
