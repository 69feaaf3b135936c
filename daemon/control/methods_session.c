/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods that make, end and list sessions. */
#include "control/methods.h"

#include "control/always.h"
#include "control/replay_session.h"
#include "control/session_events.h"
#include "control/session_file.h"

#include "control/session_calls.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "varlink/params.h"

static void fail(struct call *call, int r, struct error *error)
{
	error_set(error, -r, "Internal", "%s", strerror(-r));
	methods_fail(call, error);
}

static void write_strings(struct json_writer *w, char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_string(w, NULL, list[i]);
}

void methods_write_left_out(struct json_writer *w, const struct probe_set *set,
			    const struct session *s)
{
	char *const *list;
	size_t n;

	json_array_begin(w, "left_out");
	if (set)
		write_strings(w, set->notes, set->n_notes);
	if (s && s->attachment) {
		list = attachment_left_out(s->attachment, &n);
		write_strings(w, list, n);
	}
	if (s && s->kernel_attachment) {
		list = kernel_attachment_left_out(s->kernel_attachment, &n);
		write_strings(w, list, n);
	}
	json_array_end(w);
}

void methods_write_notes(struct json_writer *w, const struct call_plan *plan)
{
	_cleanup_(freep) char *hint = call_plan_hint(plan);

	if (!hint)
		return;
	json_array_begin(w, "notes");
	json_string(w, NULL, hint);
	json_array_end(w);
}

struct session *methods_start_session(struct daemon *d, struct call *call, enum session_kind kind,
				      const char *recording)
{
	static const char *const prefix[] = {"session", "trace", "record", "replay"};
	struct session_options o = {0};
	struct session *s = NULL, *old;
	struct error error = {0};
	int r = 0;

	if (methods_session_options(call, &o) < 0)
		return NULL;
	if (o.n_specs == 0 && o.frequency_hz == 0 && !o.offcpu)
		r = error_set(&error, EINVAL, "BadArgument",
			      "nothing to collect: no probe specification, no frequency, no waits");
	if (r == 0 && !o.name && asprintf(&o.name, "%s-%u", prefix[kind], ++d->name_counter) < 0)
		r = -ENOMEM;
	old = r == 0 ? daemon_find_session(d, o.name) : NULL;
	if (old && old->active) {
		r = error_set(&error, EEXIST, "SessionExists", "there is a session \"%s\" already",
			      o.name);
		error_fix(&error, "detach it first (sonde detach %s), or choose another --name",
			  o.name);
	} else if (old) {
		daemon_remove_session(d, old);
	}
	if (r == 0)
		r = session_start(&d->context, &o, kind, recording, &error, &s);
	session_options_release(&o);
	if (r < 0) {
		fail(call, r, &error);
		return NULL;
	}
	daemon_add_session(d, s);
	session_event_attached(d, s, call_uid(call));
	log_info("uid %u started session %s: %zu probes, %u Hz, %s", call_uid(call), s->name,
		 s->probes ? s->probes->n : 0, s->options.frequency_hz, s->targets);
	return s;
}

static void reply_started(struct call *call, struct session *s)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	methods_write_session(&w, "session", s);
	methods_write_left_out(&w, s->probes, s);
	methods_write_notes(&w, s->calls ? session_calls_plan(s->calls) : NULL);
	json_object_end(&w);
	methods_reply(call, &out);
}

/* A file for the next start, and the session that it says, now. */
static struct session *start_lasting(struct daemon *d, struct call *call, struct error *error)
{
	struct session_options o = {};
	struct session *s = NULL;
	const cJSON *options = NULL;
	int r;

	if (!d->keeper) {
		error_set(error, ENOTSUP, "NotSupported", "this daemon keeps no history");
		error_fix(error, "set keep = yes in section [history] of its configuration");
		return NULL;
	}
	r = param_object(call_params(call), "options", PARAM_REQUIRED, &options, error);
	if (r >= 0)
		r = methods_read_session_options(options, &o, error);
	if (r >= 0 && o.name && daemon_find_session(d, o.name)) {
		r = error_set(error, EEXIST, "SessionExists", "there is a session \"%s\" already",
			      o.name);
		session_options_release(&o);
	}
	if (r >= 0)
		r = session_file_write(d->config->sessions, options, error);
	if (r >= 0)
		r = always_add(d, &o, error, &s);
	session_options_release(&o);
	error_set(error, r < 0 ? -r : 0, "Internal", "%s", strerror(r < 0 ? -r : 0));
	return r < 0 ? NULL : s;
}

void method_attach(struct daemon *d, struct call *call)
{
	struct error error = {};
	struct session *s;
	bool persist = false;

	if (param_bool(call_params(call), "persist", PARAM_OPTIONAL, &persist, &error) < 0) {
		methods_fail(call, &error);
		return;
	}
	if (persist) {
		s = start_lasting(d, call, &error);
		if (!s) {
			methods_fail(call, &error);
			return;
		}
		log_info("uid %u made session %s, which starts with the daemon from now on",
			 call_uid(call), s->name);
	} else {
		s = methods_start_session(d, call, SESSION_ATTACHED, NULL);
	}

	if (s)
		reply_started(call, s);
}

void method_list(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	json_array_begin(&w, "sessions");
	for (struct session *s = d->sessions; s; s = s->next)
		if (!s->ending)
			methods_write_session(&w, NULL, s);
	json_array_end(&w);
	json_object_end(&w);
	methods_reply(call, &out);
}

static struct session *named_session(struct daemon *d, struct call *call)
{
	const char *name = NULL;
	struct error error = {0};
	struct session *s = NULL;
	int r;

	r = param_string(call_params(call), "name", PARAM_REQUIRED, &name, &error);
	if (r >= 0)
		s = daemon_find_session(d, name);
	if (r >= 0 && !s) {
		r = error_set(&error, ENOENT, "NoSuchSession", "there is no session \"%s\"", name);
		error_fix(&error, "sonde list shows the sessions");
	}
	if (r < 0)
		fail(call, r, &error);
	return s;
}

static void log_write_error(void *arg, struct session *s, uint64_t bytes, const struct error *error)
{
	(void)arg;
	(void)bytes;
	if (error)
		log_error("session %s: %s", s->name, error->message);
}

void methods_reply_finished(void *arg, struct session *s, uint64_t bytes, const struct error *error)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct call *call = arg;
	struct json_writer w;

	if (error) {
		methods_fail(call, error);
		return;
	}
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	if (s->replay) {
		json_array_begin(&w, "spans");
		json_array_end(&w);
		json_u64(&w, "skipped", 0);
		replay_write_notes(s->replay, &w);
	}
	methods_write_session(&w, "session", s);
	if (s->replay || streq(call_method(call), "Stop"))
		json_u64(&w, "bytes", bytes);
	json_object_end(&w);
	methods_reply(call, &out);
}

void method_detach(struct daemon *d, struct call *call)
{
	struct session *s = named_session(d, call);
	struct error error = {0};

	if (!s)
		return;
	if (s->kind != SESSION_ATTACHED && s->kind != SESSION_KEPT) {
		fail(call,
		     error_set(&error, EINVAL, "BadArgument",
			       "session \"%s\" ends with its command, not by detach", s->name),
		     &error);
		return;
	}
	log_info("uid %u detaches session %s", call_uid(call), s->name);
	if (s->kind == SESSION_KEPT)
		(void)session_file_remove(d->config->sessions, s->name);
	if (!s->active) {
		/* Detaching what is closed already forgets its data, too. */
		methods_reply_finished(call, s, 0, NULL);
		daemon_remove_session(d, s);
		return;
	}
	if (daemon_finish_session(d, s, methods_reply_finished, call) < 0)
		fail(call, -ENOMEM, &error);
}

/* The connection a recording belongs to has closed: what was collected is completed. */
static void owner_gone(void *arg)
{
	struct session *s = arg;

	if (!s->active)
		return;
	log_info("session %s: its connection has closed", s->name);
	(void)daemon_finish_session(s->daemon, s, log_write_error, NULL);
}

void method_record(struct daemon *d, struct call *call)
{
	struct error error = {0};
	struct session *s;
	const char *path = NULL;
	int r;

	r = param_string(call_params(call), "path", PARAM_REQUIRED, &path, &error);
	if (r >= 0 && path[0] != '/')
		r = error_set(&error, EINVAL, "BadArgument", "path: \"%s\" is not absolute", path);
	if (r < 0) {
		fail(call, r, &error);
		return;
	}
	s = methods_start_session(d, call, SESSION_RECORD, path);
	if (!s)
		return;
	s->daemon = d;
	s->owner = call_ref(call);
	call_on_gone(call, owner_gone, s);
	reply_started(call, s);
}

static void stop_stream(struct daemon *d, struct session *s)
{
	for (struct stream *t = d->streams; t; t = t->next)
		if (t->session == s)
			stream_finish(d, t);
}

/* Ends a trace or a replay: the last reply of its own call has the totals. */
static void stop_trace(struct daemon *d, struct session *s, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;

	if (s->kind == SESSION_TRACE)
		stop_stream(d, s);
	else
		replay_interrupt(s->replay);
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	methods_write_session(&w, "session", s);
	json_u64(&w, "bytes", 0);
	json_object_end(&w);
	methods_reply(call, &out);
}

void method_stop(struct daemon *d, struct call *call)
{
	struct session *s = named_session(d, call);
	struct error error = {0};

	if (!s)
		return;
	if (s->kind == SESSION_TRACE || s->replay)
		stop_trace(d, s, call);
	else if (s->kind != SESSION_RECORD || !s->active)
		fail(call,
		     error_set(&error, EINVAL, "BadArgument",
			       "session \"%s\" is not a running trace or record", s->name),
		     &error);
	else if (daemon_finish_session(d, s, methods_reply_finished, call) < 0)
		fail(call, -ENOMEM, &error);
}

void method_set_conditions(struct daemon *d, struct call *call)
{
	struct session *s = named_session(d, call);
	struct session_options o = {0};
	struct error error = {0};
	int r;

	if (!s)
		return;
	r = methods_read_conditions(call_params(call), &o, &error);
	if (r >= 0 && (!s->active || !s->program || !s->calls))
		r = error_set(&error, EINVAL, "BadArgument",
			      "session \"%s\" is not probing any functions", s->name);
	if (r >= 0)
		r = session_set_conditions(s, &o, &error);
	session_options_release(&o);
	if (r < 0) {
		fail(call, r, &error);
		return;
	}
	log_info("uid %u set the conditions of session %s: %s", call_uid(call), s->name,
		 s->options.where ? s->options.where : "none");
	methods_reply_finished(call, s, 0, NULL);
}
