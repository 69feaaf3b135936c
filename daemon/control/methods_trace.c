/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trace: spans sent as they end, for as long as the caller listens. */
#include "control/methods.h"

#include "control/session_calls.h"
#include "sonde/base/log.h"

enum {
	STREAM_BACKLOG = 4 << 20, /* unread bytes beyond which spans are skipped, and counted */
	SPANS_A_REPLY = 512,
};

static const char *file_path(const struct model *m, uint32_t file)
{
	const struct model_file *f = model_file_get(m, file);

	return f ? model_string_get(m, f->path) : "";
}

static void fill_row(struct daemon *d, const struct raw_span *span, const struct span_more *more,
		     struct span_row *ret)
{
	const struct model_path *path = model_path_get(d->model, span->path);
	const struct model_probe *probe = path ? model_probe_get(d->model, path->probe) : NULL;
	const struct model_process *process = model_process_get(d->model, span->process);
	uint32_t pid = process ? process->pid : 0;
	uint32_t comm = processes_thread_name(d->processes, pid, span->tid);

	/* Anew: reading the name may have added processes. */
	process = model_process_get(d->model, span->process);
	*ret = (struct span_row){
		.span = *span,
		.more = *more,
		.pid = pid,
		.ns_pid = process ? process->ns_pid : 0,
		.comm = model_string_get(d->model, comm),
		.container = process ? model_string_get(d->model, process->container) : NULL,
		.name = probe ? model_string_get(d->model, probe->name) : "",
		.binary = probe ? file_path(d->model, probe->file) : "",
	};
}

struct stream *stream_of(struct daemon *d, const struct session *s)
{
	for (struct stream *t = d->streams; t; t = t->next)
		if (t->session == s)
			return t;
	return NULL;
}

/* Frames are named here and now: the few of stacks that were asked for, each once. */
void methods_name_stack(struct daemon *d, const struct span_row *row)
{
	_cleanup_(unnamed_frames_freep) struct unnamed_frames *frames = NULL;

	if (!row->more.stack || span_texts_unnamed(d->texts, row, 1, &frames) < 0 || !frames)
		return;
	unnamed_frames_prepare(frames, d->symbolizer);
	if (unnamed_frames_resolve(frames, processes_name_frame, d->symbolizer) >= 0)
		(void)span_texts_learn(d->texts, frames);
}

static void write_spans(struct daemon *d, struct stream *t, size_t first, size_t n,
			struct json_writer *w)
{
	const struct session_options *o = &t->session->options;
	const struct window *window = &t->session->window;
	const struct answer_span_options options = {
		.monotonic_to_epoch_ns = d->context.monotonic_to_epoch_ns,
		.args = o->args || o->n_captures > 0,
		.texts = d->texts,
	};
	struct span_row row;

	json_array_begin(w, "spans");
	for (size_t i = first; i < first + n; i++) {
		const struct span_more more = more_pool_get(&window->more, i);

		fill_row(d, &window->spans[i], &more, &row);
		methods_name_stack(d, &row);
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
	stream_flush(d, t);
	session_roll(s, true);
	log_info("session %s ended: %llu spans, %llu not sent", s->name,
		 (unsigned long long)s->n_spans, (unsigned long long)t->skipped);
	if (!call_gone(t->call))
		send_spans(d, t, 0, 0, true);
	call_on_gone(t->call, NULL, NULL);
	call_unref(t->call);
	remove_stream(d, t);
	free(t);
	d->by_slot[s->slot] = NULL;
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

void method_trace(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct error error = {0};
	struct json_writer w;
	struct stream *t;

	if (!call_more(call)) {
		error_set(&error, EINVAL, "BadArgument",
			  "Trace answers with a stream: call it with \"more\"");
		methods_fail(call, &error);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		error_set(&error, ENOMEM, "Internal", "out of memory");
		methods_fail(call, &error);
		return;
	}
	t->daemon = d;
	t->session = methods_start_session(d, call, SESSION_TRACE, NULL);
	if (!t->session) {
		free(t);
		return;
	}
	t->call = call;
	t->next = d->streams;
	d->streams = t;
	call_on_gone(call, stream_gone, t);
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	json_array_begin(&w, "spans");
	json_array_end(&w);
	json_u64(&w, "skipped", 0);
	methods_write_session(&w, "session", t->session);
	methods_write_left_out(&w, t->session->probes, t->session);
	methods_write_notes(&w, t->session->calls ? session_calls_plan(t->session->calls) : NULL);
	json_object_end(&w);
	call_reply(call, &out, true);
}
