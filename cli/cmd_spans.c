/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "render/session.h"
#include "render/text.h"
#include "sonde/base/format.h"
#include "varlink/message.h"
#include "watch.h"

/* What comes before what is followed, unless something else is asked for: as tail(1). */
enum { DEFAULT_BEFORE = 10 };

struct spans {
	struct cli *cli;
	struct connection *connection;
	uint64_t shown, skipped;
	bool over; /* the last reply has come */
};

/*
 * Takes one reply, and writes out what it has unless more replies are there. -ETIMEDOUT: there is
 * none in time.
 */
static int take_reply(struct spans *s, int timeout_ms)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	struct output *output = s->cli->output;
	struct error *e = &s->cli->error;
	bool continues;
	int r = connection_next(s->connection, timeout_ms, &reply, &continues, e);

	if (r < 0)
		return r;
	reply_foreach(span, reply, "spans")
	{
		output_span(output, span, true);
		s->shown++;
	}
	s->skipped += reply_u64(reply, "skipped");
	s->over = !continues;
	if (s->over && !s->shown && !s->cli->options->follow)
		output_note(output, "sonde: no such spans in this session");
	r = s->over ? output_finish(output, e) : output_flush(output, e);
	if (r < 0 || !s->over)
		return r;
	notes_note(output, reply);
	coverage_note(output, reply);
	return 0;
}

static int show(struct spans *s)
{
	while (!s->over) {
		int r = take_reply(s, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Until the session ends, or a signal: that is how a person ends it, and no failure. */
static int follow(struct spans *s)
{
	_cleanup_(watch_freep) struct watch *w = NULL;
	/* Processes that are looked at may end: the session goes on all the same. */
	int r = watch_new(s->cli->options, false, NULL, &w, &s->cli->error);

	/* The first reply comes at once, or an error. */
	if (r >= 0)
		r = take_reply(s, -1);
	if (r < 0)
		return r;
	output_span_head(s->cli->output);
	r = s->over ? 0 : output_flush(s->cli->output, &s->cli->error);
	if (r < 0)
		return r;
	while (!s->over) {
		bool waiting = connection_has_message(s->connection);

		r = watch_wait(w, connection_fd(s->connection), waiting ? 0 : -1);
		if (r < 0)
			return error_set(&s->cli->error, -r, "Internal", "cannot wait: %s",
					 strerror(-r));
		if (r & WATCH_SIGNAL)
			break;
		r = take_reply(s, 0);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
	}
	return output_finish(s->cli->output, &s->cli->error);
}

static void totals(const struct spans *s)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};
	char buf[FORMAT_MAX];

	text_counted(&line, s->shown, "span");
	if (s->skipped)
		strbuf_printf(&line, ", %s more were skipped: they came faster than they were read",
			      format_count(buf, s->skipped));
	if (strbuf_error(&line) == 0)
		output_note(s->cli->output, "%s", line.data);
}

static int check(const struct options *o, struct error *e)
{
	if (!o->follow)
		return 0;
	if (o->inputs.n)
		return usage_error(o, e, "a recording does not go on: leave out --follow");
	if (o->until.set)
		return usage_error(o, e,
				   "what is followed has no end: leave out --follow or "
				   "--until");
	if (o->sort && streq(o->sort, "duration"))
		return usage_error(o, e,
				   "what is followed comes in the order of time: leave out "
				   "--follow or --sort duration");
	return 0;
}

static void write_params(struct json_writer *w, const struct options *o)
{
	uint64_t limit = o->count.set ? o->count.value : 0;

	if (o->follow && !limit && !o->since.set)
		limit = DEFAULT_BEFORE;
	request_spans(w, o);
	if (o->sort)
		json_string(w, "sort", o->sort);
	if (limit)
		json_u64(w, "limit", limit);
	if (o->follow)
		json_bool(w, "follow", true);
}

int cmd_spans(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct spans s = {.cli = cli};
	struct json_writer w;
	int r = check(o, &cli->error);

	if (r < 0)
		return r;
	request_begin(&w, &params);
	write_params(&w, o);
	r = request_end(&w, &cli->error);
	if (r < 0)
		return r;
	if (o->follow)
		output_streaming(cli->output);
	r = connection_open(o, &c, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Spans", params.data, &cli->error);
	s.connection = c;
	if (r >= 0)
		r = o->follow ? follow(&s) : show(&s);
	if (r >= 0 && o->follow)
		totals(&s);
	return r < 0 ? r : EXIT_OK;
}
