/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "baseline.h"
#include "connect.h"
#include "debuginfo.h"
#include "query.h"
#include "render/picture.h"
#include "render/session.h"
#include "render/timeline_spans.h"
#include "timeline_page.h"
#include "varlink/message.h"

struct picture {
	struct picture_options options;
	bool by_time, in_spans;
	reply_t *before; /* what it is compared with, or NULL */
	struct error *error;
};

static void flame_text(struct output *o, reply_t *reply, const void *arg)
{
	const struct picture *p = arg;
	int r = picture_write(output_data(o), reply, p->before, &p->options);

	if (r < 0)
		error_set(p->error, -r, "Internal", "cannot draw the flame graph: %s",
			  strerror(-r));
	if (!reply_first(reply, "stacks"))
		output_note(o, "sonde: no stacks in %s",
			    p->in_spans ? "such spans" : "this session yet");
	else if (p->by_time && answer_kind(reply) != ANSWER_SPANS)
		output_note(o, "sonde: --order time is for spans: the order is by size");
}

static int ask_file(struct cli *cli, const char *operand, const char *params,
		    struct cJSON **ret_reply)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(side_file_release) struct side_file file = {};
	int r = side_file_open(cli->options, operand, &file, &cli->error);

	if (r >= 0)
		r = connection_open_files(cli->options, file.path, NULL, &c, &cli->error);
	return r < 0 ? r : connection_call(c, "Stacks", params, ret_reply, &cli->error);
}

static void write_both(struct json_writer *w, struct output *output, reply_t *before,
		       reply_t *after)
{
	reply_write(w, "before", before, NULL, NULL);
	reply_write(w, "after", after, NULL, NULL);
	output_document_end(output);
}

/* Pictures tell processes apart by name only: of a day the answer is a fraction as long. */
static void request_stacks(struct json_writer *w, const struct options *o,
			   enum picture_format format)
{
	/* A tenth of a pixel of a page that is a thousand wide. */
	const double seen_percent = 0.01;

	request_query(w, o);
	if (!o->json)
		json_string(w, "by", format == PICTURE_HTML ? "auto" : "comm");
	if (o->min_percent.set)
		json_double(w, "min_percent", o->min_percent.value);
	else if (!o->json && !o->diff && format != PICTURE_FOLDED)
		json_double(w, "min_percent", seen_percent);
}

/* Each recording is asked for itself; what is merged is the picture. */
static int compare(struct cli *cli, struct picture *p, const struct view *view)
{
	_cleanup_(message_free_jsonp) struct cJSON *before = NULL, *after = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct options o = *cli->options;
	struct json_writer w, *document;
	int r;

	if (o.n_operands != 2 || o.inputs.n)
		return usage_error(&o, &cli->error,
				   "--diff takes two recordings: sonde flame "
				   "--diff BEFORE AFTER");
	o.session = NULL;
	request_begin(&w, &params);
	request_stacks(&w, &o, p->options.format);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = ask_file(cli, o.operands[0], params.data, &before);
	if (r >= 0)
		r = ask_file(cli, o.operands[1], params.data, &after);
	if (r < 0)
		return r;
	if (!streq(reply_str(before, "unit"), reply_str(after, "unit")))
		return usage_error(&o, &cli->error,
				   "one of them has spans and the other has none: "
				   "compare samples with --kind cpu");
	p->before = before;
	document = output_document(cli->output);
	if (document)
		write_both(document, cli->output, before, after);
	else
		output_answer(cli->output, after, view, p);
	notes_note(cli->output, before);
	notes_note(cli->output, after);
	coverage_note(cli->output, before);
	coverage_note(cli->output, after);
	return EXIT_OK;
}

static int check_order(const struct options *o, const struct picture *p, struct error *e)
{
	if (o->order && (o->json || p->options.format != PICTURE_HTML))
		return usage_error(o, e, "--order is for pages: -o FILE.html");
	if (p->by_time && o->diff)
		return usage_error(o, e, "--order time is not for comparisons");
	if (p->by_time && o->kind && !streq(o->kind, "span"))
		return usage_error(o, e, "--order time is for spans");
	return 0;
}

static int draw(struct cli *cli, const char *params, struct picture *p, const struct view *view)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	_cleanup_(timeline_release) struct timeline times = {};
	int r = connection_open(cli->options, &c, &cli->error);

	if (r >= 0)
		r = debuginfo_prepare(cli, c);
	if (r >= 0)
		r = connection_call(c, "Stacks", params, &reply, &cli->error);
	/* Stacks are merged and have no times: raw spans tell them. */
	if (r >= 0 && p->by_time && answer_kind(reply) == ANSWER_SPANS) {
		r = timeline_collect(cli, c, &times);
		p->options.times = &times;
	}
	return r < 0 ? r : query_show(cli, reply, view, p);
}

int cmd_flame(struct cli *cli)
{
	static const struct view view = {.text = flame_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct picture p = {.options = {.title = o->title, .order = o->order},
			    .by_time = o->order && streq(o->order, "time"),
			    .in_spans = o->in,
			    .error = &cli->error};
	struct json_writer w;
	int r;

	if (!o->json && picture_format_of(o->output, &p.options.format) < 0)
		return usage_error(o, &cli->error,
				   "-o %s: its name must end in .html, .svg, .folded or .txt",
				   o->output);
	r = check_order(o, &p, &cli->error);
	if (r < 0)
		return r;
	if (o->diff) {
		r = compare(cli, &p, &view);
		return cli->error.name[0] && r >= 0 ? -EIO : r;
	}
	if (o->n_operands)
		return usage_error(o, &cli->error,
				   "flame takes recordings with --diff BEFORE "
				   "AFTER, or one with -i FILE");
	request_begin(&w, &params);
	request_stacks(&w, o, p.options.format);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = draw(cli, params.data, &p, &view);
	return cli->error.name[0] ? -EIO : r;
}
