/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trace: spans sent as they end, for as long as the caller listens. */
#include "control/methods.h"

#include "control/replay_session.h"
#include "control/session_calls.h"
#include "control/span_rows.h"
#include "sonde/base/log.h"

enum {
	STREAM_BACKLOG = 4 << 20, /* unread bytes beyond which spans are skipped, and counted */
	SPANS_A_REPLY = 512,
};

/* By the name that the thread has; a recording has only that of its process. */
static bool fill_row(const struct session_context *c, const struct raw_span *span,
		     const struct span_more *more, struct span_row *ret)
{
	const struct model_process *process = model_process_peek(c->model, span->process);
	uint32_t comm = process ? processes_thread_name(c->processes, process->pid, span->tid) : 0;

	/* Anew: reading the name may have added processes. */
	if (!span_row_of(c->model, span, more, ret))
		return false;
	if (comm)
		ret->comm = model_string_get(c->model, comm);
	return true;
}

struct stream *stream_of(struct daemon *d, const struct session *s)
{
	for (struct stream *t = d->streams; t; t = t->next)
		if (t->session == s)
			return t;
	return NULL;
}

/* Frames are named here and now: the few of stacks that were asked for, each once. */
void methods_name_stack(struct daemon *d, struct span_texts *texts, const struct span_row *row)
{
	_cleanup_(unnamed_frames_freep) struct unnamed_frames *frames = NULL;

	if (!row->more.stack || span_texts_unnamed(texts, row, 1, &frames) < 0 || !frames)
		return;
	unnamed_frames_prepare(frames, d->symbolizer);
	if (unnamed_frames_resolve(frames, methods_name_frame, d) >= 0)
		(void)span_texts_learn(texts, frames);
}

static void write_spans(struct daemon *d, struct stream *t, size_t first, size_t n,
			struct json_writer *w)
{
	const struct session_context *c = t->session->context;
	const struct session_options *o = &t->session->options;
	const struct window *window = &t->session->window;
	const struct answer_span_options options = {
		.monotonic_to_epoch_ns = c->monotonic_to_epoch_ns,
		.args = o->args || o->n_captures > 0 || t->session->replay,
		.texts = c->texts,
	};
	struct span_row row;

	json_array_begin(w, "spans");
	for (size_t i = first; i < first + n; i++) {
		const struct span_more more = more_pool_get(&window->more, i);

		if (!fill_row(c, &window->spans[i], &more, &row))
			continue;
		methods_name_stack(d, c->texts, &row);
		answer_span(w, &row, &options);
	}
	json_array_end(w);
}

/* Spans first … first + n - 1 of the session's window. */
static void send_spans(struct daemon *d, struct stream *t, size_t first, size_t n, bool last)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	write_spans(d, t, first, n, &w);
	json_u64(&w, "skipped", t->skipped - t->reported);
	t->reported = t->skipped;
	if (last)
		methods_write_session(&w, "session", t->session);
	if (last && t->session->replay)
		replay_write_notes(t->session->replay, &w);
	json_object_end(&w);
	call_reply(t->call, &out, !last);
}

void stream_flush(struct daemon *d, struct stream *t)
{
	struct window *w = &t->session->window;

	for (size_t i = 0; i < w->n_spans; i += SPANS_A_REPLY) {
		size_t n = MIN(w->n_spans - i, (size_t)SPANS_A_REPLY);

		if (call_gone(t->call) || call_backlog(t->call) > STREAM_BACKLOG)
			t->skipped += n;
		else
			send_spans(d, t, i, n, false);
	}
	window_drop_spans(w);
}

static void remove_stream(struct daemon *d, struct stream *t)
{
	struct stream **at = &d->streams;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
}

/* Ends the session and sends the last reply with the totals. Not from inside a batch. */
static int end_stream(sd_event_source *source, void *arg)
{
	struct stream *t = arg;
	struct session *s = t->session;
	struct daemon *d = t->daemon;

	sd_event_source_unref(source);
	session_stop(s);
	daemon_catch_up(d);
	daemon_sources_finish(d, s);
	stream_flush(d, t);
	session_roll(s, true);
	log_info("session %s ended: %llu spans, %llu not sent", s->name,
		 (unsigned long long)s->n_spans, (unsigned long long)t->skipped);
	if (t->error.name[0])
		call_fail(t->call, &t->error);
	else if (!call_gone(t->call))
		send_spans(d, t, 0, 0, true);
	call_on_gone(t->call, NULL, NULL);
	call_on_writable(t->call, NULL, NULL);
	call_unref(t->call);
	remove_stream(d, t);
	free(t);
	daemon_remove_session(d, s);
	return 0;
}

void stream_finish(struct daemon *d, struct stream *t)
{
	sd_event_source *source;

	if (t->finishing)
		return;
	t->finishing = true;
	t->daemon = d;
	/* Later, from the loop: the caller may be in the middle of a batch or of a list. */
	if (sd_event_add_defer(d->event, &source, end_stream, t) < 0)
		log_error("session %s: out of memory at its end", t->session->name);
}

static void stream_gone(void *arg)
{
	struct stream *t = arg;

	stream_finish(t->daemon, t);
}

struct stream *stream_begin(struct daemon *d, struct session *s, struct call *call)
{
	struct stream *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct stream){.daemon = d, .session = s, .call = call, .next = d->streams};
	d->streams = t;
	call_on_gone(call, stream_gone, t);
	return t;
}

void stream_open_reply(struct session *s, struct json_writer *w, struct strbuf *out)
{
	json_begin(w, out);
	json_object_begin(w, NULL);
	json_array_begin(w, "spans");
	json_array_end(w);
	json_u64(w, "skipped", 0);
	methods_write_session(w, "session", s);
}

bool methods_need_stream(struct call *call)
{
	struct error error = {0};

	if (call_more(call))
		return true;
	error_set(&error, EINVAL, "BadArgument", "%s answers with a stream: call it with \"more\"",
		  call_method(call));
	methods_fail(call, &error);
	return false;
}

void method_trace(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;
	struct session *s;
	struct stream *t;

	if (!methods_need_stream(call))
		return;
	s = methods_start_session(d, call, SESSION_TRACE, NULL);
	if (!s)
		return;
	t = stream_begin(d, s, call);
	if (!t) {
		methods_fail_memory(call);
		daemon_remove_session(d, s);
		return;
	}
	stream_open_reply(s, &w, &out);
	methods_write_left_out(&w, s->probes, s);
	methods_write_notes(&w, s->calls ? session_calls_plan(s->calls) : NULL);
	json_object_end(&w);
	call_reply(call, &out, true);
}
