/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sql: a worker of its own runs the query on a connection of its own and writes the rows into
 * pages, which are then sent as fast as the caller reads. Nothing of the daemon's model is needed.
 */
#include "control/always.h"
#include "control/methods.h"
#include "control/view.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "probe/signature.h"
#include "query/sql.h"
#include "varlink/params.h"

enum {
	PAGE = 256 << 10,
	BACKLOG = 1 << 20,    /* unread bytes beyond which the next page waits */
	ONE_REPLY = 16 << 20, /* of an answer that must come at once */
	MAX_TIMEOUT_MS = 600000,
};

struct sql_job {
	struct daemon *daemon;
	struct call *call;
	char *path, *text;
	struct asked asked; /* the selectors */
	struct sql_options options;
	atomic_bool cancel; /* the caller has gone */
	struct strbuf columns;
	struct strbuf *pages; /* rows, separated by commas */
	size_t n_pages, pages_cap, next;
	enum sql_cut cut;
	struct error error;
};

static void sql_job_free(struct sql_job *job)
{
	for (size_t i = 0; i < job->n_pages; i++)
		strbuf_release(&job->pages[i]);
	free(job->pages);
	strbuf_release(&job->columns);
	free(job->path);
	free(job->text);
	asked_release(&job->asked);
	free(job);
}

/* On the worker's thread. */
static bool is_cancelled(void *arg)
{
	struct sql_job *job = arg;

	return atomic_load(&job->cancel) || atomic_load(&job->daemon->ending);
}

static void *open_signature(const char *text)
{
	struct signature *s = NULL;

	return signature_decode(text, &s) < 0 ? NULL : s;
}

static void close_signature(void *signature)
{
	signature_free(signature);
}

static void write_args(void *signature, const struct raw_span *span, const struct span_more *more,
		       struct strbuf *out)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	span_write_args(signature, &w, span, more);
	json_object_end(&w);
}

static void write_result(void *signature, const struct raw_span *span, const struct span_more *more,
			 struct strbuf *out)
{
	span_write_result(signature, out, span, more);
}

static const char *category_of(void *signature)
{
	return signature_category(signature);
}

static void write_cell(struct json_writer *w, const struct sql_value *v)
{
	char number[24];

	switch (v->type) {
	case SQL_NULL:
		json_string(w, NULL, NULL);
		break;
	case SQL_INTEGER:
		if (v->integer >= -PARAM_INT_MAX && v->integer <= PARAM_INT_MAX) {
			json_i64(w, NULL, v->integer);
			break;
		}
		snprintf(number, sizeof(number), "%" PRId64, v->integer);
		json_object_begin(w, NULL);
		json_string(w, "int", number);
		json_object_end(w);
		break;
	case SQL_REAL:
		json_double(w, NULL, v->real);
		break;
	case SQL_TEXT:
		json_stringn(w, NULL, v->data, v->len);
		break;
	case SQL_BLOB: {
		_cleanup_(strbuf_release) struct strbuf hex = {};

		for (size_t i = 0; i < v->len; i++)
			strbuf_printf(&hex, "%02x", (unsigned char)v->data[i]);
		json_object_begin(w, NULL);
		json_stringn(w, "blob", hex.data ? hex.data : "", hex.len);
		json_object_end(w);
		if (strbuf_error(&hex) < 0)
			w->out->failed = true;
		break;
	}
	}
}

/* The page that still takes rows, a new one when the last is full. */
static struct strbuf *page(struct sql_job *job)
{
	if (job->n_pages && job->pages[job->n_pages - 1].len < PAGE)
		return &job->pages[job->n_pages - 1];
	if (array_reserve(&job->pages, &job->pages_cap, job->n_pages + 1, sizeof(*job->pages)) < 0)
		return NULL;
	return &job->pages[job->n_pages++];
}

static int write_row(struct sql_job *job, const struct sql *q)
{
	struct strbuf *out = page(job);
	struct json_writer w;

	if (!out)
		return -ENOMEM;
	if (out->len)
		strbuf_putc(out, ',');
	json_begin(&w, out);
	json_array_begin(&w, NULL);
	for (size_t i = 0; i < sql_columns(q); i++) {
		struct sql_value value = sql_value(q, i);

		write_cell(&w, &value);
	}
	json_array_end(&w);
	return strbuf_error(out);
}

static void write_columns(struct sql_job *job, const struct sql *q)
{
	struct json_writer w;

	json_begin(&w, &job->columns);
	json_array_begin(&w, NULL);
	for (size_t i = 0; i < sql_columns(q); i++)
		json_string(&w, NULL, sql_column_name(q, i));
	json_array_end(&w);
}

static void sql_run(void *arg)
{
	_cleanup_(sql_freep) struct sql *q = NULL;
	struct sql_job *job = arg;
	int r;

	r = sql_open(job->path, &job->options, &job->error, &q);
	if (r >= 0)
		r = sql_prepare(q, job->text, &job->error);
	if (r >= 0) {
		write_columns(job, q);
		while ((r = sql_step(q, &job->error)) > 0 && (r = write_row(job, q)) >= 0)
			;
		job->cut = sql_cut(q);
	}
	if (r >= 0)
		r = strbuf_error(&job->columns);
	if (r < 0)
		error_set(&job->error, -r, "Internal", "the query failed: %s", strerror(-r));
}

static void write_page(struct sql_job *job, bool last, struct strbuf *out)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	if (job->columns.len)
		json_raw(&w, "columns", job->columns.data, job->columns.len);
	strbuf_reset(&job->columns);
	json_array_begin(&w, "rows");
	for (; job->next < job->n_pages; job->next++) {
		json_raw(&w, NULL, job->pages[job->next].data, job->pages[job->next].len);
		strbuf_release(&job->pages[job->next]);
		if (!last) {
			job->next++;
			break;
		}
	}
	json_array_end(&w);
	if (last && job->cut != SQL_WHOLE)
		json_string(&w, "truncated", job->cut == SQL_CUT_ROWS ? "rows" : "bytes");
	json_object_end(&w);
}

static void send_more(void *arg)
{
	struct sql_job *job = arg;
	bool last = false;

	while (!last && !call_gone(job->call) && call_backlog(job->call) < BACKLOG) {
		_cleanup_(strbuf_release) struct strbuf out = {};

		last = job->next + 1 >= job->n_pages || !call_more(job->call);
		write_page(job, last, &out);
		if (last) {
			call_on_writable(job->call, NULL, NULL);
			call_on_gone(job->call, NULL, NULL);
			methods_reply(job->call, &out);
			sql_job_free(job);
		} else {
			call_reply(job->call, &out, true);
		}
	}
}

static void gone_while_running(void *arg)
{
	struct sql_job *job = arg;

	atomic_store(&job->cancel, true);
}

static void gone_while_sending(void *arg)
{
	struct sql_job *job = arg;

	call_on_writable(job->call, NULL, NULL);
	call_unref(job->call);
	sql_job_free(job);
}

static void sql_done(void *arg, bool cancelled)
{
	struct sql_job *job = arg;

	call_on_gone(job->call, NULL, NULL);
	if (cancelled)
		error_set(&job->error, ECANCELED, "Internal", "the daemon is ending");
	if (job->error.name[0]) {
		methods_fail(job->call, &job->error);
		sql_job_free(job);
	} else if (call_gone(job->call)) {
		call_unref(job->call);
		sql_job_free(job);
	} else {
		call_on_gone(job->call, gone_while_sending, job);
		call_on_writable(job->call, send_more, job);
		send_more(job);
	}
}

/* The file that is asked; NULL with the error where there is none. */
static const char *file_of(const struct daemon *d, struct error *error)
{
	const char *path = view_path(d);

	if (d->n_recordings > 1) {
		error_set(error, EOPNOTSUPP, "NotSupported",
			  "SQL asks one recording at a time: ids of several files do not go "
			  "together");
		error_fix(error, "ask each one by itself, with one -i FILE");
		return NULL;
	}
	if (path)
		return path;
	error_set(error, EOPNOTSUPP, "NotSupported",
		  "this daemon keeps no history that SQL could ask");
	error_fix(error,
		  "record into a file (sonde record -o FILE) and ask that: sonde sql -i FILE");
	return NULL;
}

/* Of what a live daemon keeps SQL shows everything, of everybody. */
static int check_peer(const struct daemon *d, const struct call *call, struct error *error)
{
	uint32_t uid = call_uid(call);

	if (daemon_is_replay(d) || uid == 0 || uid == geteuid())
		return 0;
	error_set(error, EACCES, "PermissionDenied",
		  "user %u may not ask SQL: it shows what every process on this machine does", uid);
	error_fix(error, "run the command as root, with sudo");
	return -EACCES;
}

static int prepare(struct daemon *d, struct call *call, struct sql_job *job)
{
	int64_t timeout = SQL_DEFAULT_TIMEOUT_MS, limit = SQL_DEFAULT_ROWS;
	const char *text = NULL, *path;
	int r;

	r = check_peer(d, call, &job->error);
	if (r >= 0)
		r = param_string(call_params(call), "query", PARAM_REQUIRED, &text, &job->error);
	if (r >= 0)
		r = param_int(call_params(call), "timeout_ms", PARAM_OPTIONAL, 1, MAX_TIMEOUT_MS,
			      &timeout, &job->error);
	if (r >= 0)
		r = param_int(call_params(call), "limit", PARAM_OPTIONAL, 1, INT32_MAX, &limit,
			      &job->error);
	if (r >= 0)
		r = methods_read_selectors(call_params(call), &job->asked, &job->error);
	if (r < 0)
		return r;
	path = file_of(d, &job->error);
	if (!path)
		return -EOPNOTSUPP;
	job->path = strdup(path);
	job->text = strdup(text);
	job->options = (struct sql_options){
		.timeout_ms = (uint64_t)timeout,
		.rows = (uint64_t)limit,
		.bytes = call_more(call) ? SQL_MAX_BYTES : ONE_REPLY,
		.cancelled = is_cancelled,
		.arg = job,
		.texts = {open_signature, close_signature, write_args, write_result, category_of},
		.selectors = asked_selectors(&job->asked),
	};
	return job->path && job->text ? 0 : -ENOMEM;
}

static void submit(void *arg)
{
	struct sql_job *job = arg;
	struct call *call = job->call;

	if (worker_submit(job->daemon->sql, sql_run, sql_done, job) >= 0) {
		call_on_gone(call, gone_while_running, job);
		return;
	}
	methods_fail_memory(call);
	sql_job_free(job);
}

void method_sql(struct daemon *d, struct call *call)
{
	struct sql_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job) {
		methods_fail_memory(call);
		return;
	}
	job->daemon = d;
	job->call = call;
	r = prepare(d, call, job);
	if (r < 0) {
		error_set(&job->error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &job->error);
		sql_job_free(job);
		return;
	}
	always_settle(d, submit, job);
}
