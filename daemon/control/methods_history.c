/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the rolling store alone: its events, and a part of it as a recording. */
#include "control/methods.h"

#include "control/always.h"
#include "control/view.h"
#include "store/history_load.h"
#include "varlink/params.h"

struct history_job {
	struct daemon *daemon;
	struct call *call;
	char *path;
	void (*run)(void *arg);
	uint64_t since_us, until_us, limit;
	struct strbuf out;
	struct json_writer w;
	struct error error;
	/* of a recording */
	char *to, *session;
	struct model *model;
	struct store_writer *writer;
	struct store_marks marks;
	uint64_t windows, samples, spans;
};

static void job_free(struct history_job *j)
{
	store_writer_free(j->writer);
	model_free(j->model);
	strbuf_release(&j->out);
	free(j->path);
	free(j->session);
	free(j->to);
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

static int write_event(void *arg, const struct history_event_row *row)
{
	struct history_job *j = arg;

	json_object_begin(&j->w, NULL);
	json_u64(&j->w, "time_us", row->time_us);
	json_string(&j->w, "session", row->session ? row->session : "");
	json_string(&j->w, "kind", row->kind ? row->kind : "");
	json_u64(&j->w, "pid", row->pid);
	json_string(&j->w, "comm", row->comm ? row->comm : "");
	json_i64(&j->w, "detail", row->detail);
	json_string(&j->w, "text", row->text ? row->text : "");
	json_object_end(&j->w);
	return 0;
}

static void events_run(void *arg)
{
	struct history_job *j = arg;
	int r;

	json_array_begin(&j->w, "events");
	r = history_each_event(j->path, j->since_us, j->until_us, j->limit, write_event, j,
			       &j->error);
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

	if (worker_submit(j->daemon->asker, j->run, job_done, j) < 0)
		job_fail(j, -ENOMEM);
}

void method_events(struct daemon *d, struct call *call)
{
	struct history_job *j = job_new(d, call, events_run);
	int64_t since = 0, until = 0, limit = 0;
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
	if (r < 0) {
		job_fail(j, r);
		return;
	}
	j->since_us = (uint64_t)since;
	j->until_us = (uint64_t)until;
	j->limit = (uint64_t)limit;
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
