/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans: the worker decodes and sorts raw spans; rows are then written reply by reply, as fast as
 * the caller reads.
 */
#include "control/methods.h"

#include "query/spans.h"
#include "query/threads.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

enum {
	ROWS_A_REPLY = 512,
	BACKLOG = 1 << 20, /* unread bytes beyond which the next reply waits */
};

struct spans_job {
	struct call *call;
	struct spans_names *names;
	struct spans_query *query;
	struct spans_filter filter;
	char *name_glob;
	struct span_chunk *chunks; /* copies, for a session in memory */
	size_t n_chunks;
	struct raw_span *open;	     /* of the window that is still open */
	struct span_args *open_args; /* theirs, or NULL */
	size_t n_open;
	struct store_reader *reader; /* borrowed, for a recording */
	struct answer_span_options options;
	struct coverage coverage;
	const struct span_row *rows;
	size_t n_rows, next;
	struct threads *threads; /* a report by thread is wanted, not the spans */
	struct report *report;
	enum report_sort sort;
	size_t report_limit;
	struct strbuf tail;
	struct error error;
};

static void spans_job_free(struct spans_job *job)
{
	for (size_t i = 0; i < job->n_chunks; i++)
		chunk_release(&job->chunks[i]);
	free(job->chunks);
	free(job->open);
	free(job->open_args);
	free(job->name_glob);
	report_free(job->report);
	threads_free(job->threads);
	strbuf_release(&job->tail);
	spans_query_free(job->query);
	spans_names_free(job->names);
	free(job);
}

static int each_chunk(void *arg, const struct span_chunk *chunk)
{
	return spans_query_chunk(arg, chunk);
}

static int run_query(struct spans_job *job)
{
	int r = spans_query_new(job->names, &job->filter, &job->query);

	for (size_t i = 0; i < job->n_chunks && r >= 0; i++)
		r = spans_query_chunk(job->query, &job->chunks[i]);
	if (r >= 0 && job->reader)
		r = store_each_chunk(job->reader, each_chunk, job->query, &job->error);
	if (r >= 0)
		r = spans_query_raw(job->query, job->open, job->open_args, job->n_open);
	if (r >= 0)
		r = spans_query_finish(job->query, &job->rows, &job->n_rows);
	if (r >= 0 && job->threads)
		r = threads_report(job->threads, job->sort, job->report_limit, &job->report);
	return r;
}

static void spans_run(void *arg)
{
	struct spans_job *job = arg;
	int r = run_query(job);

	if (r < 0)
		error_set(&job->error, -r, r == -EBADMSG ? "BadFile" : "Internal",
			  "reading spans failed: %s", strerror(-r));
}

static void send_more(void *arg)
{
	struct spans_job *job = arg;
	bool last = false;

	while (!last && !call_gone(job->call) && call_backlog(job->call) < BACKLOG) {
		_cleanup_(strbuf_release) struct strbuf out = {0};
		size_t end = MIN(job->next + ROWS_A_REPLY, job->n_rows);
		struct json_writer w;

		last = end == job->n_rows || !call_more(job->call);
		if (!call_more(job->call))
			end = job->n_rows;
		json_begin(&w, &out);
		json_object_begin(&w, NULL);
		json_array_begin(&w, "spans");
		for (; job->next < end; job->next++)
			answer_span(&w, &job->rows[job->next], &job->options);
		json_array_end(&w);
		if (last)
			answer_coverage(&w, "coverage", &job->coverage);
		json_object_end(&w);
		if (last) {
			call_on_writable(job->call, NULL, NULL);
			call_on_gone(job->call, NULL, NULL);
			methods_reply(job->call, &out);
			spans_job_free(job);
		} else {
			call_reply(job->call, &out, true);
		}
	}
}

static void peer_gone(void *arg)
{
	struct spans_job *job = arg;

	call_on_writable(job->call, NULL, NULL);
	call_unref(job->call);
	spans_job_free(job);
}

static void reply_report(struct spans_job *job)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	answer_report_rows(&w, "rows", job->report);
	json_u64(&w, "total_ns", job->report->total_ns);
	json_u64(&w, "total_samples", 0);
	json_u64(&w, "period_ns", 0);
	json_members(&w, &job->tail);
	json_object_end(&w);
	methods_reply(job->call, &out);
	spans_job_free(job);
}

static void spans_done(void *arg, bool cancelled)
{
	struct spans_job *job = arg;

	if (cancelled)
		error_set(&job->error, ECANCELED, "Internal", "the daemon is ending");
	if (job->error.name[0]) {
		methods_fail(job->call, &job->error);
		spans_job_free(job);
		return;
	}
	if (call_gone(job->call)) {
		call_unref(job->call);
		spans_job_free(job);
		return;
	}
	if (job->report) {
		reply_report(job);
		return;
	}
	call_on_gone(job->call, peer_gone, job);
	call_on_writable(job->call, send_more, job);
	send_more(job);
}

static int copy_chunks(struct session *s, struct spans_job *job)
{
	job->chunks = calloc(MAX(s->chunks.n, 1U), sizeof(*job->chunks));
	job->open = malloc(MAX(s->window.n_spans, 1U) * sizeof(*job->open));
	if (s->window.span_args)
		job->open_args = malloc(MAX(s->window.n_spans, 1U) * sizeof(*job->open_args));
	if (!job->chunks || !job->open || (s->window.span_args && !job->open_args))
		return -ENOMEM;
	for (size_t i = 0; i < s->chunks.n; i++) {
		struct span_chunk *c = &job->chunks[i];

		*c = s->chunks.items[i];
		c->data = malloc(MAX(c->size, 1U));
		if (!c->data)
			return -ENOMEM;
		memcpy(c->data, s->chunks.items[i].data, c->size);
		job->n_chunks++;
	}
	if (s->window.n_spans > 0)
		memcpy(job->open, s->window.spans, s->window.n_spans * sizeof(*job->open));
	if (job->open_args && s->window.n_spans > 0)
		memcpy(job->open_args, s->window.span_args,
		       s->window.n_spans * sizeof(*job->open_args));
	job->n_open = s->window.n_spans;
	return 0;
}

static int read_filter(struct call *call, struct spans_job *job)
{
	int64_t min_duration = 0, limit = 0;
	const char *name = NULL, *sort = NULL;
	int r;

	r = param_int(call_params(call), "min_duration_ns", PARAM_OPTIONAL, 0, PARAM_INT_MAX,
		      &min_duration, &job->error);
	if (r >= 0)
		r = param_int(call_params(call), "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit,
			      &job->error);
	if (r >= 0)
		r = param_string(call_params(call), "name", PARAM_OPTIONAL, &name, &job->error);
	if (r >= 0)
		r = param_string(call_params(call), "sort", PARAM_OPTIONAL, &sort, &job->error);
	if (r >= 0)
		r = param_bool(call_params(call), "errors_only", PARAM_OPTIONAL,
			       &job->filter.errors_only, &job->error);
	if (r < 0)
		return r;
	job->name_glob = name ? strdup(name) : NULL;
	if (name && !job->name_glob)
		return -ENOMEM;
	job->filter.name = job->name_glob;
	job->filter.min_duration_ns = (uint64_t)min_duration;
	job->filter.limit = (size_t)limit;
	job->filter.sort = sort && streq(sort, "duration") ? SPANS_BY_DURATION : SPANS_BY_TIME;
	return 0;
}

static int prepare(struct daemon *d, struct call *call, struct spans_job *job)
{
	struct selectors selectors = {0};
	_cleanup_(freep) uint32_t *pids = NULL;
	uint64_t losses[LOSS_COUNTERS];
	struct session *s = NULL;
	enum query_kind kind;
	int r;

	r = methods_read_query(d, call, &s, &kind, &selectors, &pids, &job->error);
	if (r >= 0 && !job->threads)
		r = read_filter(call, job);
	if (r < 0)
		return r;
	if (s->kind == SESSION_RECORD) {
		error_set(&job->error, EINVAL, "BadArgument",
			  "session \"%s\" writes its spans to a file", s->name);
		error_fix(&job->error, "ask the file when it is complete: sonde spans -i FILE");
		return -EINVAL;
	}
	daemon_catch_up(d);
	/* Spans that are just being packed are in neither place. */
	if (s->packing > 0)
		worker_drain(d->writer);
	methods_coverage(s, &job->coverage, losses);
	methods_write_tail(s, &job->tail);
	job->reader = s->reader;
	job->options = (struct answer_span_options){
		.monotonic_to_epoch_ns = d->context.monotonic_to_epoch_ns,
		.args = s->options.args,
	};
	r = spans_names_take(d->model, &selectors, job->filter.name, &job->names);
	if (r >= 0 && !s->reader)
		r = copy_chunks(s, job);
	return r;
}

/* Takes the job over. */
static void submit(struct daemon *d, struct call *call, struct spans_job *job)
{
	int r;

	job->call = call;
	r = prepare(d, call, job);
	if (r >= 0)
		r = worker_submit(d->asker, spans_run, spans_done, job);
	if (r < 0) {
		error_set(&job->error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &job->error);
		spans_job_free(job);
	}
}

static struct spans_job *job_new(struct call *call)
{
	struct spans_job *job = calloc(1, sizeof(*job));
	struct error error = {0};

	if (!job) {
		error_set(&error, ENOMEM, "Internal", "out of memory");
		methods_fail(call, &error);
	}
	return job;
}

void method_spans(struct daemon *d, struct call *call)
{
	struct spans_job *job = job_new(call);

	if (job)
		submit(d, call, job);
}

void methods_report_threads(struct daemon *d, struct call *call, enum report_sort sort,
			    size_t limit)
{
	struct spans_job *job = job_new(call);

	if (!job)
		return;
	if (threads_new(&job->threads) < 0) {
		error_set(&job->error, ENOMEM, "Internal", "out of memory");
		methods_fail(call, &job->error);
		spans_job_free(job);
		return;
	}
	job->sort = sort;
	job->report_limit = limit;
	job->filter.each = threads_add;
	job->filter.arg = job->threads;
	submit(d, call, job);
}
