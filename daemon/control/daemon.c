/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/daemon.h"
#include "control/always.h"
#include "control/follow.h"
#include "control/import.h"
#include "control/keeper.h"
#include "control/merged.h"
#include "control/replay_session.h"
#include "control/session_events.h"
#include "control/source_names.h"

#include <malloc.h>
#include "control/fetched.h"
#include "control/wall_clock.h"
#include "sonde/base/format.h"
#include "sonde/base/host.h"
#include "sonde/base/log.h"
#include "symbol/symbol_cache.h"

enum {
	STARTED_USEC = 2000000,
	TICK_USEC = 1000000, /* windows are closed, kernel counters read */
	MAX_CLOSED = 8,	     /* detached sessions whose data is kept */
	FLUSH_TIMEOUT_MS = 2000,
};

static void take_batches(struct daemon *d)
{
	struct batch *b;

	while ((b = collector_take(d->collector))) {
		batch_each(b, daemon_sources_record, d);
		free(b);
		for (struct stream *t = d->streams; t; t = t->next)
			stream_flush(d, t);
		follow_spans(d);
	}
	unwinding_refresh(d->unwinding);
	jit_refresh(d->jit);
}

static int on_collector(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)source, (void)fd, (void)events;
	take_batches(arg);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *d = arg;

	wall_clock_follow(d);
	jit_refresh(d->jit);
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->active && s->kind != SESSION_KEPT)
			session_roll(s, false);
	always_tick(d);
	(void)sd_event_source_set_time(source, usec + TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

void daemon_catch_up(struct daemon *d)
{
	uint64_t position;
	int r;

	if (!d->collector)
		return;
	position = collector_position(d->collector);
	do {
		take_batches(d);
		r = collector_flush(d->collector, position, FLUSH_TIMEOUT_MS);
	} while (r == -EAGAIN);
	take_batches(d);
	if (r < 0)
		log_warn("the collector did not catch up in %d ms: the newest records are missing "
			 "from this answer",
			 FLUSH_TIMEOUT_MS);
}

int daemon_new(sd_event *event, const struct config *config, struct daemon **ret)
{
	_cleanup_(daemon_freep) struct daemon *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->event = sd_event_ref(event);
	d->config = config;
	d->started_us = now_epoch_us();
	r = model_new(&d->model);
	if (r >= 0)
		r = span_texts_new(d->model, &d->texts);
	if (r < 0)
		return r;
	r = source_names_new(&d->context.source_names);
	if (r >= 0)
		r = symbolizer_new(&d->symbolizer);
	if (r < 0)
		return r;
	symbolizer_set_limits(d->symbolizer, config->symbol_cache, 0, 0);
	r = frame_lines_new(d->symbolizer, &d->lines);
	if (r < 0)
		return r;
	r = processes_new(d->model, d->symbolizer, &d->processes);
	if (r >= 0)
		r = jit_new(d->model, &d->jit);
	if (r < 0)
		return r;
	r = worker_new(event, "sonded-write", &d->writer);
	if (r < 0)
		return r;
	r = worker_new(event, "sonded-query", &d->asker);
	if (r >= 0)
		r = worker_new(event, "sonded-search", &d->searcher);
	if (r >= 0)
		r = worker_new(event, "sonded-sql", &d->sql);
	if (r < 0)
		return r;
	d->context = (struct session_context){
		.model = d->model,
		.processes = d->processes,
		.jit = d->jit,
		.symbolizer = d->symbolizer,
		.writer = d->writer,
		.texts = d->texts,
		.source_names = d->context.source_names,
		.raw_memory = config->raw_memory,
		.before_roll = follow_roll,
		.before_roll_arg = d,
		.monotonic_to_epoch_ns = wall_clock_offset_ns(),
	};
	*ret = TAKE_PTR(d);
	return 0;
}

static int on_started(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *d = arg;

	(void)source;
	(void)usec;
	(void)session_context_costs(&d->context);
	return 0;
}

int daemon_set_host(struct model *m)
{
	char host[HOST_NAME_MAX_LEN + 1], boot[HOST_BOOT_LEN + 1];

	host_name(host);
	host_boot(boot);
	return model_set_host(m, host, boot);
}

/* Before files of users come into play: this process has privileges, or its user's files. */
int daemon_use_reader(struct daemon *d)
{
	int r = reader_new(NULL, &d->reader);

	if (r < 0)
		return r;
	symbolizer_set_reader(d->symbolizer, d->context.reader = d->reader);
	jit_set_reader(d->jit, d->reader);
	r = fetched_dir(d->config->cache, &d->fetched);
	return r < 0 ? r : fetched_use(d->fetched, d->symbolizer);
}

int daemon_go_live(struct daemon *d, struct error *error)
{
	int r;

	memset(&d->kernel_error, 0, sizeof(d->kernel_error));
	r = daemon_use_reader(d);
	if (r >= 0)
		r = daemon_set_host(d->model);
	if (r < 0)
		return r;
	r = symbol_cache_new(d->config->cache, d->config->cache_size, &d->cache);
	if (r < 0)
		log_debug("symbol tables are not kept on disk: %s: %s", d->config->cache,
			  strerror(-r));
	symbolizer_set_cache(d->symbolizer, d->cache);
	r = kernel_side_open(d->config->ring_size, &d->kernel_error, &d->kernel);
	if (r >= 0)
		r = unwinding_new(d->event, d->kernel, d->symbolizer, d->config->unwind_memory,
				  &d->unwinding);
	if (r >= 0)
		r = collector_start(d->kernel, &d->kernel_error, &d->collector);
	if (r >= 0) {
		r = sd_event_add_io(d->event, NULL, collector_fd(d->collector), EPOLLIN,
				    on_collector, d);
		if (r >= 0)
			r = sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, TICK_USEC,
						       50000, on_tick, d);
		/* A daemon that lives for one short question has no use for it. */
		if (r >= 0)
			r = sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC,
						       STARTED_USEC, 100000, on_started, d);
	}
	if (r < 0) {
		error_set(&d->kernel_error, -r, "NotSupported", "collecting cannot be started: %s",
			  strerror(-r));
		if (error)
			*error = d->kernel_error;
		d->collector = collector_free(d->collector);
		d->unwinding = unwinding_free(d->unwinding);
		d->kernel = kernel_side_free(d->kernel);
		return r;
	}
	r = daemon_sources_start(d);
	if (r < 0)
		return r;
	unwinding_set_model(d->unwinding, d->model);
	d->context.unwinding = d->unwinding;
	d->context.kernel = d->kernel;
	d->context.can_multi = attach_probe_multi() == 0;
	d->context.can_session_link = d->context.can_multi && attach_probe_session() == 0;
	/* Loading has read all of the kernel's BTF: give that memory back. */
	malloc_trim(0);
	return 0;
}

static void nothing_done(void *arg, struct session *s, uint64_t bytes, const struct error *error)
{
	(void)arg;
	(void)bytes;
	if (error)
		log_error("session %s: %s", s->name, error->message);
}

struct daemon *daemon_free(struct daemon *d)
{
	if (!d)
		return NULL;
	atomic_store(&d->ending, true);
	if (d->writer) {
		for (struct session *s = d->sessions; s; s = s->next)
			if (s->active)
				(void)daemon_finish_session(d, s, nothing_done, NULL);
		worker_drain(d->writer);
	}
	/* What has been found is handed to the asker to be named: it goes last. */
	d->sql = worker_free(d->sql);
	d->searcher = worker_free(d->searcher);
	d->asker = worker_free(d->asker);
	d->writer = worker_free(d->writer);
	d->import = import_free(d->import);
	if (d->keeper)
		keeper_event(d->keeper, NULL, "stop", getpid(), NULL);
	while (d->streams) {
		struct stream *t = d->streams;

		d->streams = t->next;
		call_unref(t->call);
		free(t);
	}
	while (d->sessions)
		daemon_remove_session(d, d->sessions);
	d->keeper = keeper_free(d->keeper);
	merged_free(d->merged);
	daemon_sources_free(d);
	session_free(d->second);
	model_free(d->second_context.model);
	server_free(d->server);
	collector_free(d->collector);
	unwinding_free(d->unwinding);
	kernel_side_free(d->kernel);
	jit_free(d->jit);
	processes_free(d->processes);
	frame_lines_free(d->lines);
	symbolizer_free(d->symbolizer);
	reader_free(d->reader);
	symbol_cache_free(d->cache);
	free(d->fetched);
	span_texts_free(d->texts);
	model_free(d->model);
	sd_event_unref(d->event);
	free(d);
	return NULL;
}

struct session *daemon_find_session(struct daemon *d, const char *name)
{
	struct session *kept = NULL;

	if (!name && d->merged && merged_whole(d->merged))
		return merged_whole(d->merged);
	for (struct session *s = d->sessions; s; s = s->next) {
		if (s->ending || (name ? !streq(s->name, name) : s->kind == SESSION_TRACE))
			continue;
		if (name || s->kind != SESSION_KEPT)
			return s;
		/* What somebody has asked for goes before what is always there: its first session.
		 */
		kept = s;
	}
	return kept;
}

/* What is kept of processes depends on what the sessions are about. */
static void update_tracking(struct daemon *d)
{
	bool all = false;

	for (struct session *s = d->sessions; s; s = s->next)
		all |= s->active && (s->options.n_pids == 0 || session_selects(&s->options));
	processes_track_all(d->processes, all);
	if (d->collector)
		collector_set_prompt(d->collector, all);
}

int daemon_new_model(struct daemon *d, struct model **ret_old)
{
	struct processes *processes = NULL;
	struct span_texts *texts = NULL;
	struct model *model = NULL;
	struct jit *jit = NULL;

	if (model_new(&model) < 0 || daemon_set_host(model) < 0 ||
	    processes_new(model, d->symbolizer, &processes) < 0 ||
	    span_texts_new(model, &texts) < 0 || jit_new(model, &jit) < 0) {
		span_texts_free(texts);
		processes_free(processes);
		model_free(model);
		return -ENOMEM;
	}
	if (d->unwinding)
		unwinding_set_model(d->unwinding, model);
	jit_set_reader(jit, d->reader);
	jit_free(d->jit);
	processes_free(d->processes);
	span_texts_free(d->texts);
	*ret_old = d->model;
	d->context.texts = d->texts = texts;
	d->context.processes = d->processes = processes;
	d->context.jit = d->jit = jit;
	d->context.model = d->model = model;
	update_tracking(d);
	return 0;
}

/*
 * The model only grows: with the last session what it was about goes, too. Questions under way have
 * copies of what they need or hold the model; traces and packing do not, so none may be left.
 */
static void forget_everything(struct daemon *d)
{
	struct model *old;

	d->wants_new_model = d->model_users > 0;
	if (d->wants_new_model)
		return;

	/* Without workers the daemon is ending, and all goes anyway. */
	if (daemon_is_replay(d) || d->sessions || !d->asker || daemon_new_model(d, &old) < 0)
		return;
	model_free(old);
	/* A question that is still being answered needs the names. */
	if (worker_pending(d->asker) == 0)
		symbolizer_forget_files(d->symbolizer);
	malloc_trim(0);
}

void daemon_hold_model(struct daemon *d)
{
	d->model_users++;
}

void daemon_release_model(struct daemon *d)
{
	if (--d->model_users == 0 && d->wants_new_model)
		forget_everything(d);
}

void daemon_add_session(struct daemon *d, struct session *s)
{
	s->next = d->sessions;
	d->sessions = s;
	d->by_slot[s->slot] = s;
	if (s->sources)
		daemon_sources_changed(d, s);
	update_tracking(d);
}

void daemon_remove_session(struct daemon *d, struct session *s)
{
	struct session **at = &d->sessions;
	bool had_sources;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	if (d->by_slot[s->slot] == s)
		d->by_slot[s->slot] = NULL;
	if (s->owner)
		call_on_gone(s->owner, NULL, NULL);
	s->owner = call_unref(s->owner);
	if (d->keeper)
		keeper_remove(d->keeper, s);
	had_sources = s->sources;
	session_free(s);
	if (had_sources)
		daemon_sources_changed(d, NULL);
	forget_everything(d);
}

static void forget_oldest_closed(struct daemon *d)
{
	struct session *oldest = NULL;
	size_t closed = 0;

	for (struct session *s = d->sessions; s; s = s->next) {
		if (s->kind != SESSION_ATTACHED || s->active || s->ending)
			continue;
		closed++;
		oldest = s;
	}
	if (closed > MAX_CLOSED)
		daemon_remove_session(d, oldest);
}

/* Completes a session's file on the writer's thread, behind all that is still to be packed. */
struct finish {
	struct daemon *daemon;
	struct session *session;
	void (*done)(void *arg, struct session *s, uint64_t bytes, const struct error *error);
	void *arg;
	uint64_t bytes;
	struct error error;
};

static void finish_run(void *arg)
{
	struct finish *f = arg;
	struct session *s = f->session;
	uint64_t ended_us = s->replay ? replay_ended_us(s->replay)
				      : (uint64_t)((int64_t)now_monotonic_ns() + s->began_by_ns) /
						NSEC_PER_USEC;

	if (s->writer && store_close(s->writer, ended_us, &f->error, &f->bytes) < 0)
		error_set(&f->error, EIO, "WriteFailed", "the recording could not be completed");
	s->writer = NULL;
}

static void finish_done(void *arg, bool cancelled)
{
	struct finish *f = arg;
	struct session *s = f->session;
	const struct error *error = s->write_error.name[0] ? &s->write_error
				    : f->error.name[0]	   ? &f->error
							   : NULL;

	(void)cancelled;
	f->done(f->arg, s, f->bytes, error);
	s->ending = false;
	if (s->kind == SESSION_ATTACHED)
		forget_oldest_closed(f->daemon);
	else
		daemon_remove_session(f->daemon, s);
	free(f);
}

int daemon_finish_session(struct daemon *d, struct session *s,
			  void (*done)(void *arg, struct session *s, uint64_t bytes,
				       const struct error *error),
			  void *arg)
{
	struct finish *f = calloc(1, sizeof(*f));
	const bool had_sources = s->sources;

	if (!f)
		return -ENOMEM;
	*f = (struct finish){.daemon = d, .session = s, .done = done, .arg = arg};
	s->ending = true;
	session_stop(s);
	daemon_catch_up(d);
	daemon_sources_finish(d, s);
	session_roll(s, true);
	session_event_detached(d, s);
	session_release_slot(s);
	d->by_slot[s->slot] = NULL;
	if (had_sources)
		daemon_sources_changed(d, NULL);
	update_tracking(d);
	if (worker_submit(d->writer, finish_run, finish_done, f) < 0) {
		/* Out of memory for the queue: do it here rather than leave it undone. */
		finish_run(f);
		finish_done(f, false);
	}
	return 0;
}
