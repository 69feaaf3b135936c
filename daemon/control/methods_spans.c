/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans: the worker decodes and sorts raw spans; rows are then written reply by reply, as fast as
 * the caller reads.
 */
#include "control/methods.h"

#include "control/follow.h"
#include "control/raw_spans.h"
#include "query/threads.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

enum {
	ROWS_A_REPLY = 512,
	BACKLOG = 1 << 20, /* unread bytes beyond which the next reply waits */
};

struct spans_job {
	struct daemon *daemon;
	struct call *call;
	struct raw_spans raw;
	struct spans_query *query;
	struct spans_filter filter;
	char *name_glob;
	uint64_t starts_before_ns; /* 0: no such limit */
	bool follow;
	struct follower *follower;     /* goes on when the rows have been sent; NULL: none */
	struct unnamed_frames *frames; /* of the rows' stacks */
	struct answer_span_options options;
	struct coverage coverage;
	const struct span_row *rows;
	size_t n_rows, next;
	struct threads *threads; /* a report by thread is wanted, not the spans */
	struct report *report;
	enum report_sort sort;
	size_t report_limit;
	struct strbuf session;
	struct error error;
};

static void spans_job_free(struct spans_job *job)
{
	follower_free(job->follower);
	free(job->name_glob);
	unnamed_frames_free(job->frames);
	report_free(job->report);
	threads_free(job->threads);
	strbuf_release(&job->session);
	spans_query_free(job->query);
	raw_spans_release(&job->raw);
	daemon_release_model(job->daemon);
	free(job);
}

static void spans_run(void *arg)
{
	struct spans_job *job = arg;
	int r = raw_spans_ask(&job->raw, &job->filter, &job->query, &job->error);

	if (r >= 0)
		r = spans_query_finish(job->query, &job->rows, &job->n_rows);
	if (r >= 0 && job->threads)
		r = threads_report(job->threads, job->sort, job->report_limit, &job->report);
	if (r < 0)
		error_set(&job->error, -r, "Internal", "reading spans failed: %s", strerror(-r));
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
			methods_write_raw_end(&w, &job->coverage, NULL, &job->raw);
		json_object_end(&w);
		if (last) {
			call_on_writable(job->call, NULL, NULL);
			call_on_gone(job->call, NULL, NULL);
			if (job->follower) {
				call_reply(job->call, &out, true);
				follower_begin(TAKE_PTR(job->follower), job->call);
			} else {
				methods_reply(job->call, &out);
			}
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
	json_string(&w, "kind", query_kind_text(QUERY_SPAN));
	answer_report_rows(&w, "rows", job->report);
	json_u64(&w, "total_ns", job->report->total_ns);
	json_u64(&w, "total_samples", 0);
	json_u64(&w, "period_ns", 0);
	methods_write_raw_end(&w, &job->coverage, &job->session, &job->raw);
	json_object_end(&w);
	methods_reply(job->call, &out);
	spans_job_free(job);
}

static void begin_to_send(struct spans_job *job)
{
	call_on_gone(job->call, peer_gone, job);
	call_on_writable(job->call, send_more, job);
	send_more(job);
}

/* True: there is nobody to answer any more, or an error was the answer. */
static bool is_over(struct spans_job *job, bool cancelled)
{
	if (cancelled)
		error_set(&job->error, ECANCELED, "Internal", "the daemon is ending");
	if (job->error.name[0])
		methods_fail(job->call, &job->error);
	else if (call_gone(job->call))
		call_unref(job->call);
	else
		return false;
	spans_job_free(job);
	return true;
}

static void frames_run(void *arg)
{
	struct spans_job *job = arg;
	int r = methods_name_unnamed(job->daemon, job->frames);

	if (r < 0)
		error_set(&job->error, -r, "Internal", "naming frames failed: %s", strerror(-r));
}

static void frames_done(void *arg, bool cancelled)
{
	struct spans_job *job = arg;

	if (is_over(job, cancelled))
		return;
	/* Out of memory: stacks without names. */
	(void)span_texts_learn(job->options.texts, job->frames);
	begin_to_send(job);
}

static void spans_done(void *arg, bool cancelled)
{
	struct spans_job *job = arg;
	struct daemon *d = job->daemon;

	if (is_over(job, cancelled))
		return;
	if (job->raw.condition)
		coverage_add_raw(&job->coverage, job->raw.n, job->raw.dropped);
	if (job->report) {
		reply_report(job);
		return;
	}
	if (span_texts_unnamed(job->options.texts, job->rows, job->n_rows, &job->frames) < 0 ||
	    !job->frames || worker_submit(d->asker, frames_run, frames_done, job) < 0)
		begin_to_send(job);
}

static int read_filter(struct call *call, const struct session *s, struct spans_job *job)
{
	int64_t limit = 0, ends_after = 0, starts_before = 0;
	const char *sort = NULL;
	int r = methods_read_filter(call_params(call), &job->filter, &job->error);

	if (r >= 0)
		r = param_int(call_params(call), "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit,
			      &job->error);
	if (r >= 0)
		r = param_int(call_params(call), "ends_after_us", PARAM_OPTIONAL, 0, PARAM_INT_MAX,
			      &ends_after, &job->error);
	if (r >= 0)
		r = param_int(call_params(call), "starts_before_us", PARAM_OPTIONAL, 1,
			      PARAM_INT_MAX, &starts_before, &job->error);
	if (r >= 0)
		r = param_string(call_params(call), "sort", PARAM_OPTIONAL, &sort, &job->error);
	if (r >= 0)
		r = param_bool(call_params(call), "follow", PARAM_OPTIONAL, &job->follow,
			       &job->error);
	if (r >= 0)
		r = strdup_to(&job->name_glob, job->filter.name);
	if (r < 0)
		return r;
	job->filter.name = job->name_glob;
	job->filter.limit = (size_t)limit;
	if (ends_after)
		job->filter.ends_after_ns = methods_span_clock(s, (uint64_t)ends_after);
	if (starts_before)
		job->starts_before_ns = methods_span_clock(s, (uint64_t)starts_before);
	job->filter.sort = !sort		     ? SPANS_BY_TIME
			   : streq(sort, "duration") ? SPANS_BY_DURATION
			   : streq(sort, "oldest")   ? SPANS_OLDEST
						     : SPANS_BY_TIME;
	return 0;
}

static int begin_to_follow(struct daemon *d, struct call *call, const struct asked *asked,
			   struct spans_job *job)
{
	if (call_more(call))
		return follower_new(d, asked, &job->filter, &job->follower, &job->error);
	return error_set(&job->error, EINVAL, "BadArgument",
			 "spans that are followed come as a stream: call Spans with \"more\"");
}

static int prepare(struct daemon *d, struct call *call, struct spans_job *job)
{
	_cleanup_(asked_release) struct asked asked = {};
	int r;

	r = methods_read_query(d, call, &asked, &job->error);
	if (r >= 0 && !job->threads)
		r = read_filter(call, asked.session, job);
	if (r >= 0)
		r = raw_spans_take(d, asked.session, &asked.selectors, job->filter.name,
				   asked.where, &job->raw, &job->error);
	if (r < 0)
		return r;
	asked_limit(&asked, &job->raw);
	if (job->starts_before_ns)
		job->raw.until_ns = MIN(job->raw.until_ns ? job->raw.until_ns : UINT64_MAX,
					job->starts_before_ns);
	/* Of what has been copied nothing comes again, and what comes from now on is not missed. */
	r = job->follow ? begin_to_follow(d, call, &asked, job) : 0;
	if (r < 0)
		return r;
	job->options = (struct answer_span_options){
		.monotonic_to_epoch_ns = asked.session->context->monotonic_to_epoch_ns,
		.args = true,
		.texts = asked.session->context->texts,
	};
	return methods_take_session(asked.session, &job->coverage, &job->session);
}

/* Takes the job over. */
static void submit(struct daemon *d, struct call *call, struct spans_job *job)
{
	int r;

	job->call = call;
	r = prepare(d, call, job);
	if (r >= 0)
		r = worker_submit(d->searcher, spans_run, spans_done, job);
	if (r < 0) {
		error_set(&job->error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &job->error);
		spans_job_free(job);
	}
}

static struct spans_job *job_new(struct daemon *d, struct call *call)
{
	struct spans_job *job = calloc(1, sizeof(*job));

	if (!job) {
		methods_fail_memory(call);
		return NULL;
	}
	job->daemon = d;
	daemon_hold_model(d);
	return job;
}

void method_spans(struct daemon *d, struct call *call)
{
	struct spans_job *job = job_new(d, call);

	if (job)
		submit(d, call, job);
}

void methods_report_threads(struct daemon *d, struct call *call, enum report_sort sort,
			    size_t limit)
{
	struct spans_job *job = job_new(d, call);

	if (!job)
		return;
	if (threads_new(&job->threads) < 0) {
		methods_fail_memory(call);
		spans_job_free(job);
		return;
	}
	job->sort = sort;
	job->report_limit = limit;
	job->filter.each = threads_add;
	job->filter.arg = job->threads;
	submit(d, call, job);
}
