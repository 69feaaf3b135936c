/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the rolling store alone: its events, and a part of it as a recording. */
#include "control/methods.h"

#include <fnmatch.h>

#include "control/always.h"
#include "control/merged.h"
#include "control/view.h"
#include "sonde/base/host.h"
#include "store/history_load.h"
#include "varlink/params.h"

/* An event of one of several recordings, until all are in order. */
struct kept_event {
	uint64_t time_us;
	size_t nth; /* as many were read before it */
	struct strbuf text;
};

struct history_job {
	struct daemon *daemon;
	struct call *call;
	char *path;
	void (*run)(void *arg);
	struct asked asked; /* of events: the selectors */
	uint64_t since_us, until_us, limit;
	struct strbuf out;
	struct json_writer w;
	struct error error;
	/* of events: of this host, of which the recording is; of several recordings in these */
	const char *host;
	char *host_glob; /* NULL: any */
	const struct merged_part *parts;
	size_t n_parts;
	struct kept_event *kept;
	size_t n_kept, kept_cap;
	/* of a recording */
	char *to, *session;
	struct model *model;
	struct store_writer *writer;
	struct store_marks marks;
	uint64_t windows, samples, spans;
};

static void job_free(struct history_job *j)
{
	for (size_t i = 0; i < j->n_kept; i++)
		strbuf_release(&j->kept[i].text);
	free(j->kept);
	free(j->host_glob);
	store_writer_free(j->writer);
	model_free(j->model);
	strbuf_release(&j->out);
	free(j->path);
	free(j->session);
	free(j->to);
	asked_release(&j->asked);
	free(j);
}

static void job_fail(struct history_job *j, int r)
{
	error_set(&j->error, -r, "Internal", "%s", strerror(-r));
	methods_fail(j->call, &j->error);
	job_free(j);
}

static void job_done(void *arg, bool cancelled)
{
	struct history_job *j = arg;

	if (cancelled)
		error_set(&j->error, ECANCELED, "Internal", "the daemon is ending");
	if (j->error.name[0]) {
		methods_fail(j->call, &j->error);
	} else {
		json_object_end(&j->w);
		methods_reply(j->call, &j->out);
	}
	job_free(j);
}

static void write_event_to(struct json_writer *w, const struct history_event_row *row,
			   const char *host)
{
	json_object_begin(w, NULL);
	json_u64(w, "time_us", row->time_us);
	json_string(w, "session", row->session ? row->session : "");
	json_string(w, "kind", row->kind ? row->kind : "");
	json_u64(w, "pid", row->pid);
	json_string(w, "comm", row->comm ? row->comm : "");
	json_i64(w, "detail", row->detail);
	json_string(w, "text", row->text ? row->text : "");
	if (host)
		json_string(w, "host", host);
	json_object_end(w);
}

static int write_event(void *arg, const struct history_event_row *row)
{
	struct history_job *j = arg;

	write_event_to(&j->w, row, j->host);
	return 0;
}

static int keep_event(void *arg, const struct history_event_row *row)
{
	struct history_job *j = arg;
	struct json_writer w;
	struct kept_event *e;

	if (array_reserve(&j->kept, &j->kept_cap, j->n_kept + 1, sizeof(*j->kept)) < 0)
		return -ENOMEM;
	e = &j->kept[j->n_kept];
	*e = (struct kept_event){.time_us = row->time_us, .nth = j->n_kept++};
	json_begin(&w, &e->text);
	write_event_to(&w, row, j->host);
	return strbuf_error(&e->text);
}

static int compare_events(const void *a, const void *b)
{
	const struct kept_event *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return (x->nth > y->nth) - (x->nth < y->nth);
}

static bool is_wanted_host(const struct history_job *j)
{
	char own[HOST_NAME_MAX_LEN + 1] = "";

	if (!j->host_glob)
		return true;
	if (!daemon_is_replay(j->daemon))
		host_name(own);
	return fnmatch(j->host_glob, j->host ? j->host : own, 0) == 0;
}

static bool is_of_process(void *arg, const struct history_event_row *row)
{
	const struct history_job *j = arg;
	const struct selectors_process p = {.pid = row->pid,
					    .uid = row->uid,
					    .comm = row->comm,
					    .cgroup = row->cgroup,
					    .container = row->container};

	return row->pid && selectors_match_process(&j->asked.selectors, &p);
}

static int each_event(struct history_job *j, const char *path,
		      int (*each)(void *arg, const struct history_event_row *row))
{
	const struct history_events which = {
		.since_us = j->since_us,
		.until_us = j->until_us,
		.limit = j->limit,
		.session = j->session,
		.wanted = asked_selectors(&j->asked) ? is_of_process : NULL,
		.arg = j,
	};

	return history_each_event(path, &which, each, j, &j->error);
}

/* Each has its newest ones: the newest of all are among them. */
static int events_of_several(struct history_job *j)
{
	size_t first;
	int r = 0;

	for (size_t i = 0; i < j->n_parts && r >= 0; i++) {
		j->host = store_reader_session(j->parts[i].reader)->host;
		if (!is_wanted_host(j))
			continue;
		r = each_event(j, j->parts[i].path, keep_event);
	}
	if (r < 0)
		return r;
	if (j->n_kept)
		qsort(j->kept, j->n_kept, sizeof(*j->kept), compare_events);
	first = j->limit && j->n_kept > j->limit ? j->n_kept - j->limit : 0;
	for (size_t i = first; i < j->n_kept; i++)
		json_raw(&j->w, NULL, j->kept[i].text.data, j->kept[i].text.len);
	return 0;
}

static void events_run(void *arg)
{
	struct history_job *j = arg;
	int r = 0;

	json_array_begin(&j->w, "events");
	if (j->n_parts)
		r = events_of_several(j);
	else if (is_wanted_host(j))
		r = each_event(j, j->path, write_event);
	json_array_end(&j->w);
	if (r < 0)
		error_set(&j->error, -r, "Internal", "%s", strerror(-r));
}

static int no_store(struct error *error)
{
	error_set(error, ENOTSUP, "NotSupported", "this daemon keeps no history");
	error_fix(error, "set keep = yes in section [history] of its configuration, or give a "
			 "recording with -i FILE");
	return -ENOTSUP;
}

static struct history_job *job_new(struct daemon *d, struct call *call, void (*run)(void *arg))
{
	struct history_job *j = calloc(1, sizeof(*j));
	const char *path = view_path(d);
	struct error error = {};

	if (j && path && (j->path = strdup(path))) {
		j->daemon = d;
		j->call = call;
		j->run = run;
		json_begin(&j->w, &j->out);
		json_object_begin(&j->w, NULL);
		return j;
	}
	if (path)
		error_set(&error, ENOMEM, "Internal", "out of memory");
	else
		no_store(&error);
	methods_fail(call, &error);
	free(j);
	return NULL;
}

static void submit(void *arg)
{
	struct history_job *j = arg;

	if (worker_submit(j->daemon->searcher, j->run, job_done, j) < 0)
		job_fail(j, -ENOMEM);
}

void method_events(struct daemon *d, struct call *call)
{
	struct history_job *j = job_new(d, call, events_run);
	int64_t since = 0, until = 0, limit = 0;
	const char *host = NULL, *session = NULL;
	int r;

	if (!j)
		return;
	r = param_int(call_params(call), "since_us", PARAM_OPTIONAL, 0, PARAM_INT_MAX, &since,
		      &j->error);
	if (r >= 0)
		r = param_int(call_params(call), "until_us", PARAM_OPTIONAL, 0, PARAM_INT_MAX,
			      &until, &j->error);
	if (r >= 0)
		r = param_int(call_params(call), "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit,
			      &j->error);
	if (r >= 0)
		r = param_string(call_params(call), "host", PARAM_OPTIONAL, &host, &j->error);
	if (r >= 0)
		r = strdup_to(&j->host_glob, host);
	if (r >= 0)
		r = param_string(call_params(call), "session", PARAM_OPTIONAL, &session, &j->error);
	if (r >= 0)
		r = methods_read_selectors(call_params(call), &j->asked, &j->error);
	if (r >= 0)
		r = strdup_to(&j->session, session);
	if (r < 0) {
		job_fail(j, r);
		return;
	}
	j->since_us = (uint64_t)since;
	j->until_us = (uint64_t)until;
	j->limit = (uint64_t)limit;
	if (d->merged)
		j->parts = merged_parts(d->merged, &j->n_parts);
	else if (daemon_is_replay(d) && d->sessions)
		j->host = d->sessions->host;
	always_settle(d, submit, j);
}

/* A recording of what has been. */

static int write_window(void *arg, struct window *w)
{
	struct history_job *j = arg;
	_cleanup_(store_batch_freep) struct store_batch *batch = NULL;
	const struct store_names names = {};
	int r;

	for (size_t i = 0; i < w->n_samples; i++)
		j->samples += w->samples[i].count;
	j->spans += w->n_spans;
	j->windows++;
	r = store_batch_new(j->model, w, &j->marks, &batch);
	return r < 0 ? r : store_write(j->writer, batch, &names, &j->error);
}

static void write_totals(struct history_job *j, const struct history_part *part, uint64_t bytes)
{
	json_u64(&j->w, "windows", j->windows);
	json_u64(&j->w, "samples", j->samples);
	json_u64(&j->w, "spans", j->spans);
	json_u64(&j->w, "bytes", bytes);
	json_u64(&j->w, "first_us", part->first_us);
	json_u64(&j->w, "last_us", part->last_us);
}

static int write_recording(struct history_job *j)
{
	const struct history_range range = {
		.since_us = j->since_us, .until_us = j->until_us, .session = j->session};
	_cleanup_(history_part_release) struct history_part part = {};
	uint64_t bytes = 0;
	int r = history_each_window(j->path, &range, j->model, write_window, j, &j->error, &part);

	if (r >= 0 && !part.windows) {
		error_set(&j->error, ENOENT, "NothingMatches",
			  "the history has nothing of that time");
		error_fix(&j->error, "sonde status shows from when to when it has windows");
		return -ENOENT;
	}
	if (r >= 0)
		r = store_close(TAKE_PTR(j->writer), part.last_us, &j->error, &bytes);
	if (r >= 0)
		write_totals(j, &part, bytes);
	return r;
}

static void record_run(void *arg)
{
	struct history_job *j = arg;
	int r = write_recording(j);

	if (r >= 0)
		return;
	store_discard(TAKE_PTR(j->writer));
	error_set(&j->error, -r, "Internal", "%s", strerror(-r));
}

static int prepare_recording(struct history_job *j, struct call *call)
{
	_cleanup_(asked_release) struct asked asked = {};
	struct store_session row;
	const char *path = NULL;
	int r = methods_read_query(j->daemon, call, &asked, &j->error);

	if (r >= 0)
		r = param_string(call_params(call), "path", PARAM_REQUIRED, &path, &j->error);
	if (r >= 0 && path[0] != '/')
		r = error_set(&j->error, EINVAL, "BadArgument", "path: \"%s\" is not absolute",
			      path);
	if (r < 0)
		return r;
	if (asked.session->kind != SESSION_KEPT)
		return error_set(&j->error, EINVAL, "BadArgument",
				 "session \"%s\" is not kept in the history", asked.session->name);
	j->since_us = asked.since_us;
	j->until_us = asked.until_us;
	j->session = strdup(asked.session->name);
	j->to = strdup(path);
	if (!j->session || !j->to || model_new(&j->model) < 0)
		return -ENOMEM;
	session_describe_row(asked.session, &row);
	row.started_us = j->since_us;
	row.monotonic_to_epoch_ns = 0; /* see history_each_window() */
	return store_create(j->to, &row, &j->error, &j->writer);
}

void method_record_past(struct daemon *d, struct call *call)
{
	struct history_job *j = job_new(d, call, record_run);
	int r;

	if (!j)
		return;
	r = d->keeper ? prepare_recording(j, call) : no_store(&j->error);
	if (r < 0) {
		job_fail(j, r);
		return;
	}
	always_settle(d, submit, j);
}
