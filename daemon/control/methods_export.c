/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ExportSpans: raw spans as columns. A step is a job of the worker: it reads some parts of the
 * spans into a batch, which is then sent (batches.h).
 */
#include "control/methods.h"

#include "control/batches.h"
#include "control/raw_spans.h"
#include "query/span_batch.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

enum {
	STEP_SPANS = 8192,	    /* a batch has at least as many, unless there are no more */
	STEP_NS = 50 * 1000 * 1000, /* or what was found in that time */
};

struct export_job {
	struct batches base;
	struct raw_spans raw;
	struct spans_filter filter;
	char *name_glob;
	struct spans_query *query;
	struct span_batch *batch;
	size_t next_part;
	struct unnamed_frames *frames;
	struct span_texts *texts;
	struct coverage coverage;
	struct strbuf session;
};

static void export_job_free(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;

	unnamed_frames_free(job->frames);
	span_batch_free(job->batch);
	spans_query_free(job->query);
	raw_spans_release(&job->raw);
	strbuf_release(&job->session);
	daemon_release_model(base->daemon);
	free(job->name_glob);
	free(job);
}

static bool is_last(const struct export_job *job)
{
	return job->next_part == raw_spans_parts(&job->raw);
}

static void step_run(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	uint64_t until_ns = now_monotonic_ns() + STEP_NS;
	int r = 0;

	if (!job->query)
		r = raw_spans_begin(&job->raw, &job->filter, &job->query, &base->error);
	while (r >= 0 && !is_last(job) && span_batch_count(job->batch) < STEP_SPANS &&
	       now_monotonic_ns() < until_ns)
		r = raw_spans_part(&job->raw, job->next_part++, job->query, &base->error);
}

static void write_details(struct export_job *job, struct json_writer *w)
{
	size_t n;
	const uint32_t *at;
	const struct span_row *rows = span_batch_details(job->batch, &at, &n);

	json_array_begin(w, "details");
	for (size_t i = 0; i < n; i++) {
		json_object_begin(w, NULL);
		json_u64(w, "at", at[i]);
		json_object_begin(w, "args");
		span_texts_write_args(job->texts, w, &rows[i]);
		json_object_end(w);
		span_texts_write(job->texts, w, &rows[i]);
		json_object_end(w);
	}
	json_array_end(w);
}

static void send_batch(struct export_job *job)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	bool last = is_last(job);
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	span_batch_write(job->batch, &w);
	write_details(job, &w);
	if (job->session.len)
		json_members(&w, &job->session);
	strbuf_reset(&job->session);
	if (last && job->raw.condition)
		coverage_add_raw(&job->coverage, job->raw.n, job->raw.dropped);
	if (last)
		methods_write_raw_end(&w, &job->coverage, NULL, &job->raw);
	json_object_end(&w);
	span_batch_next(job->batch);
	batches_reply(&job->base, &out, last);
}

static void frames_run(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	int r = methods_name_unnamed(base->daemon, job->frames);

	if (r < 0)
		error_set(&base->error, -r, "Internal", "naming frames failed: %s", strerror(-r));
}

static void frames_done(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;

	/* Out of memory: stacks without names. */
	(void)span_texts_learn(job->texts, job->frames);
	job->frames = unnamed_frames_free(job->frames);
	send_batch(job);
}

/* Whether a worker is naming the frames of this batch's stacks first. */
static bool name_frames(struct export_job *job)
{
	size_t n;
	const uint32_t *at;
	const struct span_row *rows = span_batch_details(job->batch, &at, &n);

	if (span_texts_unnamed(job->texts, rows, n, &job->frames) < 0 || !job->frames)
		return false;
	if (batches_run(&job->base, job->base.daemon->asker, frames_run, frames_done) < 0) {
		job->frames = unnamed_frames_free(job->frames);
		return false;
	}
	return true;
}

static void step_done(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;

	if (!name_frames(job))
		send_batch(job);
}

static void step(struct batches *base)
{
	int r = batches_run(base, base->daemon->searcher, step_run, step_done);

	if (r < 0)
		batches_fail(base, r);
}

static int read_filter(struct call *call, struct export_job *job, bool *ret_details)
{
	const cJSON *params = call_params(call);
	int r = methods_read_filter(params, &job->filter, &job->base.error);

	if (r >= 0)
		r = param_bool(params, "details", PARAM_OPTIONAL, ret_details, &job->base.error);
	if (r < 0)
		return r;
	r = strdup_to(&job->name_glob, job->filter.name);
	job->filter.name = job->name_glob;
	return r;
}

static int prepare(struct daemon *d, struct call *call, struct export_job *job)
{
	_cleanup_(asked_release) struct asked asked = {};
	bool details = false;
	int r;

	if (!call_more(call))
		return error_set(&job->base.error, EINVAL, "BadArgument",
				 "spans are exported as a stream: call ExportSpans with \"more\"");
	r = methods_read_query(d, call, &asked, &job->base.error);
	if (r >= 0)
		r = read_filter(call, job, &details);
	if (r >= 0)
		r = raw_spans_take(d, asked.session, &asked.selectors, job->name_glob, asked.where,
				   &job->raw, &job->base.error);
	if (r < 0)
		return r;
	asked_limit(&asked, &job->raw);
	job->texts = asked.session->context->texts;
	r = span_batch_new(asked.session->context->monotonic_to_epoch_ns, details, &job->batch);
	if (r < 0)
		return r;
	job->filter.each = span_batch_add;
	job->filter.arg = job->batch;
	return methods_take_session(asked.session, &job->coverage, &job->session);
}

void method_export_spans(struct daemon *d, struct call *call)
{
	struct export_job *job = calloc(1, sizeof(*job));

	if (!job) {
		methods_fail_memory(call);
		return;
	}
	job->base =
		(struct batches){.daemon = d, .call = call, .step = step, .free = export_job_free};
	daemon_hold_model(d);
	batches_begin(&job->base, prepare(d, call, job));
}
