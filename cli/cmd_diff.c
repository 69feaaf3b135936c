/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "baseline.h"
#include "connect.h"
#include "render/diff.h"
#include "render/diff_report.h"
#include "request.h"
#include "varlink/message.h"

static int check_options(const struct options *o, struct error *e)
{
	bool stack = o->by && streq(o->by, "stack");

	if (o->before.set != o->after.set || (o->span.set && !o->before.set))
		return usage_error(o, e, "--before and --after go together, and --span with them");
	if (o->before.set && o->n_operands)
		return usage_error(o, e, "either recordings, or --before and --after");
	if (!o->before.set && o->n_operands != 2)
		return usage_error(o, e,
				   "say what to compare: BEFORE and AFTER, each a FILE, "
				   "baseline:NAME or now");
	if (stack && o->kind && streq(o->kind, "span"))
		return usage_error(o, e, "--by stack is of samples; of spans it is --by path");
	if (o->confidence.set && (o->confidence.value < 50 || o->confidence.value > 99.99))
		return usage_error(o, e, "--confidence must be from 50 to 99.99");
	if (o->min_coverage.set && !(o->min_coverage.value > 0))
		return usage_error(o, e, "--min-coverage must be above 0");
	for (size_t i = 0; i < o->report.n; i++)
		if (diff_report_format(o->report.items[i]) == REPORT_NONE)
			return usage_error(o, e, "--report %s: its name must end in .xml or .md",
					   o->report.items[i]);
	return 0;
}

static int make_request(struct strbuf *params, const struct options *given, const char *before,
			const char *after, struct error *e)
{
	struct options o = *given;
	struct json_writer w;

	/* --session is of the daemon that `now` is about, not of a file. */
	o.session = NULL;
	if (o.by && streq(o.by, "stack") && !o.kind)
		o.kind = "cpu";
	request_begin(&w, params);
	json_string(&w, "before", before);
	json_string(&w, "after", after);
	request_query(&w, &o);
	if (o.by)
		json_string(&w, "by", o.by);
	if (o.confidence.set)
		json_double(&w, "confidence", o.confidence.value / 100);
	if (o.drift.set)
		json_double(&w, "drift", o.drift.value / 100);
	if (o.min_coverage.set)
		json_double(&w, "min_coverage", o.min_coverage.value / 100);
	if (o.min_calls.set)
		json_u64(&w, "min_calls", o.min_calls.value);
	if (o.count.set)
		json_u64(&w, "limit", o.count.value);
	if (o.fail_if.n) {
		json_array_begin(&w, "gates");
		for (size_t i = 0; i < o.fail_if.n; i++)
			json_string(&w, NULL, o.fail_if.items[i]);
		json_array_end(&w);
	}
	return request_end(&w, e);
}

static int ask(struct cli *cli, const struct side_file files[static 2], struct cJSON **ret_reply)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	int r = make_request(&params, cli->options, files[0].path, files[1].path, &cli->error);

	if (r >= 0)
		r = connection_open_files(cli->options, files[0].path, files[1].path, &c,
					  &cli->error);
	return r < 0 ? r : connection_call(c, "Diff", params.data, ret_reply, &cli->error);
}

/* What was before one time, and after another, as if each were a session until then. */
static int open_times(const struct options *given, struct side_file *before,
		      struct side_file *after, struct error *e)
{
	uint64_t span_us = (given->span.set ? given->span.value : 3600 * NSEC_PER_SEC) / 1000;
	struct options o = *given;
	int r;

	o.since = (struct number){true, given->before.value - MIN(span_us, given->before.value)};
	o.until = given->before;
	r = side_file_open(&o, "now", before, e);
	if (r < 0)
		return r;
	o.since = given->after;
	o.until = (struct number){true, given->after.value + span_us};
	return side_file_open(&o, "now", after, e);
}

static int open_sides(const struct options *given, struct side_file *before,
		      struct side_file *after, struct error *e)
{
	int r;

	if (given->before.set)
		return open_times(given, before, after, e);
	r = side_file_open(given, given->operands[0], before, e);
	return r < 0 ? r : side_file_open(given, given->operands[1], after, e);
}

int cmd_diff(struct cli *cli)
{
	const struct options *o = cli->options;
	const char *by = o->by ? o->by : "func";
	const struct view view = {.text = diff_text, .key_name = by};
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	_cleanup_(side_file_release) struct side_file before = {}, after = {};
	struct diff_view shown;
	int r = check_options(o, &cli->error);

	if (r < 0)
		return r;
	shown = (struct diff_view){
		.before = o->before.set ? "--before" : o->operands[0],
		.after = o->after.set ? "--after" : o->operands[1],
		.key_title = streq(by, "func") ? "FUNCTION" : "PATH",
	};
	r = open_sides(o, &before, &after, &cli->error);
	if (r >= 0)
		r = ask(cli, (struct side_file[]){before, after}, &reply);
	if (r < 0)
		return r;
	output_answer(cli->output, reply, &view, &shown);
	r = output_finish(cli->output, &cli->error);
	for (size_t i = 0; i < o->report.n && r >= 0; i++)
		r = diff_report_write(o->report.items[i], reply, &shown, &cli->error);
	if (r < 0)
		return r;
	diff_notes(cli->output, reply, &shown);
	return diff_passed(reply) ? EXIT_OK : EXIT_FAILED;
}
