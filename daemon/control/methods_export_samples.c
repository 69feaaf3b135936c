/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ExportSamples: raw samples as columns. First the samples that are wanted are added up, as for any
 * question: what their stacks need is copied out of the model, named and sent with the first reply,
 * so that batches only need the numbers of what is in there (batches.h).
 */
#include "control/methods.h"

#include "control/answer_export.h"
#include "control/batches.h"
#include "control/samples_in.h"
#include "query/sample_batch.h"
#include "sonde/base/format.h"

enum {
	STEP_SAMPLES = 16384,	    /* a batch has at least as many, unless there are no more */
	STEP_NS = 50 * 1000 * 1000, /* or what was found in that time */
};

struct export_job {
	struct batches base;
	struct samples_in *in;
	struct snapshot *snapshot; /* of all that the samples name */
	struct sample_batch *batch;
	size_t next_part;
	bool has_begun; /* the first reply was sent */
	enum query_kind kind;
	enum demangle_style demangle;
	bool inlined, named_too;
	struct model *model;
	int64_t monotonic_to_epoch_ns;
	uint64_t period_ns;
	struct coverage coverage;
	struct strbuf described; /* the session */
};

static void export_job_free(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;

	sample_batch_free(job->batch);
	snapshot_free(job->snapshot);
	samples_in_free(job->in);
	strbuf_release(&job->described);
	daemon_release_model(base->daemon);
	free(job);
}

static bool is_last(const struct export_job *job)
{
	return job->next_part == samples_in_parts(job->in);
}

static void failed(struct export_job *job, int r)
{
	if (r < 0)
		error_set(&job->base.error, -r, "Internal", "reading samples failed: %s",
			  strerror(-r));
}

static void step_run(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	uint64_t until_ns = now_monotonic_ns() + STEP_NS;
	int r = 0;

	while (r >= 0 && !is_last(job) && sample_batch_count(job->batch) < STEP_SAMPLES &&
	       now_monotonic_ns() < until_ns)
		r = samples_in_part(job->in, job->next_part++, sample_batch_add, job->batch,
				    &base->error);
	failed(job, r);
}

static void write_first(struct export_job *job, struct json_writer *w)
{
	static const struct snapshot none = {};

	answer_export_places(w, job->has_begun ? &none : job->snapshot, QUERY_CPU);
	if (job->has_begun)
		return;
	json_u64(w, "period_ns", job->period_ns);
	json_members(w, &job->described);
	job->has_begun = true;
}

static void step_done(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	_cleanup_(strbuf_release) struct strbuf out = {};
	bool last = is_last(job);
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	json_string(&w, "kind", query_kind_text(job->kind));
	sample_batch_write(job->batch, &w);
	write_first(job, &w);
	if (last) {
		answer_coverage(&w, "coverage", &job->coverage);
		samples_in_write_notes(job->in, &w);
	}
	json_object_end(&w);
	sample_batch_next(job->batch);
	batches_reply(base, &out, last);
}

static void step(struct batches *base)
{
	int r = batches_run(base, base->daemon->searcher, step_run, step_done);

	if (r < 0)
		batches_fail(base, r);
}

static void name_run(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	int r = methods_name_snapshot(base->daemon, job->snapshot, job->kind, job->demangle,
				      job->inlined, job->named_too);

	if (r >= 0)
		r = sample_batch_new(samples_in_sums(job->in), job->snapshot,
				     job->monotonic_to_epoch_ns, &job->batch);
	failed(job, r);
}

static void find_run(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;

	(void)samples_in_find(job->in, &base->error);
}

static void find_done(struct batches *base)
{
	struct export_job *job = (struct export_job *)base;
	const struct window *sums = samples_in_sums(job->in);
	int r;

	samples_in_add_coverage(job->in, &job->coverage);
	r = snapshot_take(job->model, &sums, 1, NULL, query_parts(job->kind), job->period_ns,
			  &job->snapshot);
	if (r >= 0)
		r = batches_run(base, base->daemon->asker, name_run, step);
	if (r < 0)
		batches_fail(base, r);
}

static void begin(struct batches *base)
{
	int r;

	base->step = step;
	r = batches_run(base, base->daemon->searcher, find_run, find_done);
	if (r < 0)
		batches_fail(base, r);
}

static int prepare(struct daemon *d, struct call *call, struct export_job *job)
{
	_cleanup_(asked_release) struct asked asked = {};
	struct error *error = &job->base.error;
	int r;

	if (!call_more(call))
		return error_set(error, EINVAL, "BadArgument",
				 "samples are exported as a stream: call ExportSamples with "
				 "\"more\"");
	r = methods_read_query(d, call, &asked, error);
	if (r >= 0 && asked.kind == QUERY_SPAN)
		r = error_set(error, EINVAL, "BadArgument",
			      "samples are of kind cpu or offcpu: spans are exported by "
			      "ExportSpans");
	if (r >= 0)
		r = samples_in_take(d, &asked, &job->in, error);
	if (r < 0)
		return r;
	job->kind = asked.kind;
	job->demangle = asked.demangle;
	job->inlined = !asked.no_inlined;
	job->model = asked.session->context->model;
	job->named_too = daemon_is_replay(d);
	job->monotonic_to_epoch_ns = asked.session->context->monotonic_to_epoch_ns;
	job->period_ns = session_period_ns(asked.session);
	return methods_take_session(asked.session, &job->coverage, &job->described);
}

void method_export_samples(struct daemon *d, struct call *call)
{
	struct export_job *job = calloc(1, sizeof(*job));

	if (!job) {
		methods_fail_memory(call);
		return;
	}
	job->base =
		(struct batches){.daemon = d, .call = call, .step = begin, .free = export_job_free};
	daemon_hold_model(d);
	batches_begin(&job->base, prepare(d, call, job));
}
