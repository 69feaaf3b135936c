/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay: a recording goes the way of live data once more; what comes of it is streamed as that of
 * Trace, or written as that of Record. */
#include "control/methods.h"

#include "control/replay_session.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "varlink/params.h"

enum { BACKLOG = 1 << 20 /* unread bytes beyond which the replay waits */ };

#define MAX_SPEED 1e9

static void flush_stream(void *arg)
{
	struct stream *t = arg;

	stream_flush(t->daemon, t);
}

static bool stream_is_congested(void *arg)
{
	struct stream *t = arg;

	return call_backlog(t->call) > BACKLOG;
}

static void stream_ended(void *arg, const struct error *error)
{
	struct stream *t = arg;

	if (error)
		t->error = *error;
	stream_finish(t->daemon, t);
}

static void flush_nothing(void *arg)
{
	(void)arg;
}

/* What is fed is packed and written by another thread, which may be slower. */
static bool writer_is_congested(void *arg)
{
	struct session *s = arg;

	if (s->packing > 2)
		worker_drain(s->daemon->writer);
	return false;
}

static void written(void *arg, const struct error *error)
{
	struct session *s = arg;
	struct daemon *d = s->daemon;
	struct call *call = call_ref(s->owner);
	struct error failed = error ? *error : (struct error){};

	if (!error && daemon_finish_session(d, s, methods_reply_finished, call) >= 0)
		return;
	/* Half of a recording is none. */
	error_set(&failed, ENOMEM, "Internal", "out of memory");
	worker_drain(d->writer);
	store_discard(TAKE_PTR(s->writer));
	methods_fail(call, &failed);
	daemon_remove_session(d, s);
}

static void peer_gone(void *arg)
{
	struct session *s = arg;

	replay_interrupt(s->replay);
}

static void peer_reads(void *arg)
{
	struct session *s = arg;

	replay_go_on(s->replay);
}

static void write_notes(struct json_writer *w, const struct session *s)
{
	uint64_t calls = replay_not_kept(s->replay);
	char text[256], number[FORMAT_MAX];

	if (!calls)
		return;
	snprintf(text, sizeof(text),
		 "%s calls were recorded as statistics only, without raw spans: they are not "
		 "replayed",
		 format_count(number, calls));
	json_array_begin(w, "notes");
	json_string(w, NULL, text);
	json_array_end(w);
}

static void begin(struct daemon *d, struct call *call, struct session *s)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct replay_owner owner = {s, flush_nothing, writer_is_congested, written};
	bool streams = s->kind == SESSION_TRACE;
	struct stream *t = NULL;
	struct json_writer w;

	daemon_add_session(d, s);
	if (streams)
		t = stream_begin(d, s, call);
	if (streams && !t) {
		methods_fail_memory(call);
		daemon_remove_session(d, s);
		return;
	}
	stream_open_reply(s, &w, &out);
	write_notes(&w, s);
	json_object_end(&w);
	call_reply(call, &out, true);
	if (streams) {
		owner = (struct replay_owner){t, flush_stream, stream_is_congested, stream_ended};
		call_on_writable(call, peer_reads, s);
	} else {
		s->owner = call;
		call_on_gone(call, peer_gone, s);
	}
	replay_begin(s->replay, &owner);
}

static int read_params(struct call *call, struct replay_wishes *w, const char **ret_path,
		       struct error *error)
{
	const cJSON *params = call_params(call);
	struct spans_filter filter = {};
	int64_t max_depth = 0;
	bool has_speed;
	int r = methods_read_filter(params, &filter, error);

	if (r >= 0)
		r = param_int(params, "max_depth", PARAM_OPTIONAL, 1, INT32_MAX, &max_depth, error);
	if (r >= 0)
		r = param_bool(params, "exceptions", PARAM_OPTIONAL, &w->unwound_only, error);
	if (r >= 0)
		r = param_string(params, "path", PARAM_OPTIONAL, ret_path, error);
	if (r >= 0)
		r = param_float(params, "speed", PARAM_OPTIONAL, &w->speed, error);
	if (r < 0)
		return r;
	has_speed = r > 0;
	w->min_duration_ns = filter.min_duration_ns;
	w->name = filter.name;
	w->errors_only = filter.errors_only;
	w->max_depth = (uint32_t)max_depth;
	if (has_speed && !(w->speed > 0 && w->speed <= MAX_SPEED))
		return error_set(error, EINVAL, "BadArgument",
				 "speed: must be above 0 and at most 1e9");
	if (*ret_path && (*ret_path)[0] != '/')
		return error_set(error, EINVAL, "BadArgument", "path: \"%s\" is not absolute",
				 *ret_path);
	return 0;
}

/* As the kernel side would give one: several may be replayed at the same time. */
static int take_slot(const struct daemon *d, struct session *s, struct error *error)
{
	for (uint32_t slot = 0; slot < RECORD_MAX_SESSIONS; slot++) {
		if (d->by_slot[slot])
			continue;
		s->slot = slot;
		return 0;
	}
	return error_set(error, EBUSY, "TooMany", "there are %d replays already",
			 RECORD_MAX_SESSIONS);
}

static int open_session(struct daemon *d, struct call *call, struct session **ret,
			struct error *error)
{
	_cleanup_(session_freep) struct session *s = NULL;
	_cleanup_(asked_release) struct asked asked = {};
	struct replay_wishes wishes = {};
	const char *path = NULL;
	int r;

	if (!daemon_is_replay(d)) {
		error_set(error, EOPNOTSUPP, "NotSupported",
			  "a recording is replayed by a daemon of its own");
		error_fix(error, "sonde replay FILE starts one");
		return -EOPNOTSUPP;
	}
	if (d->n_recordings > 1)
		return error_set(error, EINVAL, "BadArgument",
				 "one recording is replayed at a time");
	r = methods_read_query(d, call, &asked, error);
	if (r >= 0)
		r = read_params(call, &wishes, &path, error);
	if (r < 0)
		return r;
	wishes.selectors = asked.selectors;
	wishes.where = asked.where;
	wishes.since_us = asked.since_us;
	wishes.until_us = asked.until_us;
	r = replay_open(d, d->recordings[0], &wishes, path, error, &s);
	if (r >= 0)
		r = take_slot(d, s, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void method_replay(struct daemon *d, struct call *call)
{
	struct session *s = NULL;
	struct error error = {0};
	int r;

	if (!methods_need_stream(call))
		return;
	r = open_session(d, call, &s, &error);
	if (r >= 0) {
		begin(d, call, s);
		return;
	}
	error_set(&error, -r, "Internal", "%s", strerror(-r));
	methods_fail(call, &error);
}
