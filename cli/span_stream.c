/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span_stream.h"

#include "render/output.h"
#include "render/session.h"
#include "render/text.h"
#include "request.h"
#include "sonde/base/format.h"
#include "varlink/message.h"
#include "watch.h"

/* How long the rest of the stream may take after Stop; what is written out at the latest. */
enum { STOP_PATIENCE_MS = 30000, FLUSH_BYTES = 64 * 1024 };

static int send_stop(struct span_stream *t)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	if (t->stopped_ns || t->over)
		return 0;
	t->stopped_ns = now_monotonic_ns();
	request_begin(&w, &params);
	json_string(&w, "name", t->session);
	r = request_end(&w, &t->cli->error);
	return r < 0 ? r : connection_aside(t->connection, "Stop", params.data, &t->cli->error);
}

static void show_spans(struct span_stream *t, reply_t *reply)
{
	const struct options *o = t->cli->options;

	t->unshown += reply_u64(reply, "skipped");
	reply_foreach(span, reply, "spans")
	{
		if (o->count.set && t->shown >= o->count.value) {
			t->unshown++;
			continue;
		}
		output_span(t->cli->output, span, o->args);
		t->shown++;
	}
}

/* One more reply, if one is there. 0, -errno. */
static int take_reply(struct span_stream *t)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	const struct options *o = t->cli->options;
	bool continues;
	int r = connection_next(t->connection, 0, &reply, &continues, &t->cli->error);

	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return r;
	show_spans(t, reply);
	if (!continues) {
		t->over = true;
		t->last = TAKE_PTR(reply);
	} else if (o->count.set && t->shown >= o->count.value) {
		r = send_stop(t);
	}
	if (r >= 0 && (!connection_has_message(t->connection) ||
		       output_data(t->cli->output)->len > FLUSH_BYTES))
		r = output_flush(t->cli->output, &t->cli->error);
	return r;
}

static int stream(struct span_stream *t, struct watch *w)
{
	while (!t->over) {
		int timeout = t->stopped_ns ? 1000 : -1, r;

		if (connection_has_message(t->connection))
			timeout = 0;
		r = watch_wait(w, connection_fd(t->connection), timeout);
		if (r < 0)
			return error_set(&t->cli->error, -r, "Internal", "cannot wait: %s",
					 strerror(-r));
		if ((r & WATCH_SIGNAL) && t->stopped_ns &&
		    now_monotonic_ns() - t->stopped_ns > WATCH_GRACE_NS)
			return error_set(&t->cli->error, EINTR, "Interrupted",
					 "interrupted before the totals had come");
		if (t->stopped_ns &&
		    now_monotonic_ns() - t->stopped_ns > STOP_PATIENCE_MS * NSEC_PER_MSEC)
			return error_set(&t->cli->error, ETIMEDOUT, "Disconnected",
					 "the daemon did not end the session in time");
		if (r & (WATCH_SIGNAL | WATCH_OVER)) {
			int stopped = send_stop(t);

			if (stopped < 0)
				return stopped;
		}
		r = take_reply(t);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The first reply says that all is in place. From then on signals end the stream, and not the
 * command: before anything is shown.
 */
static int await_begin(struct span_stream *t, struct watch **ret)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	reply_t *session;
	bool continues;
	int r = connection_next(t->connection, -1, &reply, &continues, &t->cli->error);

	if (r >= 0)
		r = watch_new(t->cli->options, t->watches_processes, t->command, ret,
			      &t->cli->error);
	if (r < 0)
		return r;
	session = reply_get(reply, "session");
	t->session = strdup(reply_str(session, "name"));
	if (!t->session)
		return error_set(&t->cli->error, ENOMEM, "Internal", "out of memory");
	left_out_note(t->cli->output, reply);
	notes_note(t->cli->output, reply);
	if (!t->silent)
		output_span_head(t->cli->output);
	show_spans(t, reply);
	if (!continues) {
		t->over = true;
		t->last = TAKE_PTR(reply);
	}
	return output_flush(t->cli->output, &t->cli->error);
}

void span_stream_totals(const struct span_stream *t)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};
	reply_t *session = reply_get(t->last, "session");
	char buf[FORMAT_MAX];

	text_counted(&line, session ? reply_u64(session, "spans") : t->shown + t->unshown, "span");
	strbuf_printf(&line, ", %s not shown, ", format_count(buf, t->unshown));
	losses_text(&line, session, "losses");
	if (strbuf_error(&line) == 0)
		output_note(t->cli->output, "%s", line.data);
}

int span_stream_run(struct span_stream *t)
{
	_cleanup_(watch_freep) struct watch *w = NULL;
	struct cli *cli = t->cli;
	int r = await_begin(t, &w);

	if (r >= 0 && t->command)
		r = command_start(t->command, &cli->exit_status, &cli->error);
	if (r >= 0)
		r = stream(t, w);
	/* What else there is to be shown comes behind. */
	return r < 0 || t->silent ? r : output_finish(cli->output, &cli->error);
}

void span_stream_release(struct span_stream *t)
{
	free(t->session);
	message_free_json(t->last);
}
