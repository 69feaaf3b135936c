/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions: what is needed of the model is copied out on the main thread, the rest (names of
 * frames, sums, JSON) is done by the query worker, and the reply is sent by the main loop. With a
 * condition the worker first adds up the raw spans that match, or the samples that were taken in
 * them; what is copied out is then of these.
 */
#include "control/methods.h"

#include "control/answer_export.h"
#include "control/samples_in.h"
#include "control/session_waits.h"
#include "control/span_samples.h"
#include "query/prune.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

/* As many can be told apart in a picture, and in an answer of a size that can be sent. */
enum { FEW_PROCESSES = 2000 };

struct question {
	struct daemon *daemon;
	struct call *call;
	struct snapshot *snapshot;
	struct coverage coverage; /* this and the session as they were when it was asked */
	struct strbuf session;
	struct raw_spans raw; /* with a condition: what is asked, and the window of what matches */
	struct window matching;
	struct samples_in *in; /* likewise, of samples that were taken in spans; NULL: all are */
	uint64_t period_ns;    /* of these */
	struct span_samples *span_samples; /* of spans; NULL: none are counted */
	struct model *model;		   /* that the session is of */
	bool holds_model;		   /* until the snapshot is taken */
	struct strbuf out;
	enum query_kind kind;
	enum report_by by;
	enum report_sort sort;
	enum demangle_style demangle;
	bool no_inlined;
	bool by_comm, few_by_thread, prunes; /* of stacks */
	bool default_sort;
	bool shows_samples; /* of spans, too */
	size_t limit;
	double min_percent;
	uint32_t max_depth;
	void (*answer)(struct question *q, struct json_writer *w);
	struct error error;
};

static struct question *question_free(struct question *q)
{
	snapshot_free(q->snapshot);
	raw_spans_release(&q->raw);
	samples_in_free(q->in);
	span_samples_free(q->span_samples);
	window_release(&q->matching);
	if (q->holds_model)
		daemon_release_model(q->daemon);
	strbuf_release(&q->session);
	strbuf_release(&q->out);
	free(q);
	return NULL;
}

static enum query_lines lines_of_file(void *arg, const struct model_file *file)
{
	return frame_lines_state(arg, file->build_id);
}

static void answer_missing_question(struct question *q, struct json_writer *w)
{
	_cleanup_(missing_freep) struct missing *missing = NULL;
	int r = query_missing(q->snapshot, lines_of_file, q->daemon->lines, &missing);

	if (r < 0) {
		error_set(&q->error, -r, "Internal", "%s", strerror(-r));
		return;
	}
	answer_missing(w, "files", missing);
	json_u64(w, "total_samples", missing->total_samples);
	json_string(w, "directory", q->daemon->fetched ? q->daemon->fetched : "");
}

static int name_frames(struct question *q)
{
	struct daemon *d = q->daemon;

	/* A recording's frames all have names: those of the files they came from. Their lines, too,
	 * unless it is an old one or there was no time: the files may have them. */
	return methods_name_snapshot(d, q->snapshot, q->kind, q->demangle,
				     !q->no_inlined || q->answer == answer_missing_question,
				     daemon_is_replay(d) || q->model != d->model);
}

static void question_run(void *arg)
{
	struct question *q = arg;
	struct json_writer w;
	int r = 0;

	/* Rare stacks first, so that their frames need no names. */
	if (q->prunes && query_is_about_samples(q->kind))
		r = snapshot_prune(q->snapshot, q->kind == QUERY_OFFCPU, q->min_percent / 100);
	if (r >= 0)
		r = name_frames(q);
	if (r < 0) {
		error_set(&q->error, -r, "Internal", "naming frames failed: %s", strerror(-r));
		return;
	}
	json_begin(&w, &q->out);
	json_object_begin(&w, NULL);
	q->answer(q, &w);
	methods_write_end(&w, &q->coverage, &q->session, q->raw.condition);
	if (q->in)
		samples_in_write_notes(q->in, &w);
	json_object_end(&w);
	/* That of a day is large: here nobody waits while it is freed. */
	q->snapshot = snapshot_free(q->snapshot);
}

static void question_done(void *arg, bool cancelled)
{
	struct question *q = arg;

	if (cancelled)
		error_set(&q->error, ECANCELED, "Internal", "the daemon is ending");
	if (q->error.name[0])
		methods_fail(q->call, &q->error);
	else
		methods_reply(q->call, &q->out);
	question_free(q);
}

static void answer_failed(struct question *q, int r)
{
	if (r == -EOPNOTSUPP || r == -EINVAL) {
		error_set(&q->error, EINVAL, "BadArgument",
			  "by: this grouping does not go with this kind of data");
		error_fix(&q->error,
			  "spans group by func, probe, category, comm, pid, container, cgroup or "
			  "host; samples by func, comm, pid, thread, container, cgroup or host");
	} else {
		error_set(&q->error, -r, "Internal", "%s", strerror(-r));
	}
}

static void write_report(struct json_writer *w, const struct report *report,
			 const struct question *q)
{
	json_string(w, "kind", query_kind_text(q->kind));
	answer_report_rows(w, "rows", report);
	json_u64(w, "total_ns", report->total_ns);
	json_u64(w, "total_samples", report->total_samples);
	json_u64(w, "period_ns", q->snapshot->period_ns);
}

static void write_graph(struct json_writer *w, const struct graph *graph, const struct question *q)
{
	json_string(w, "kind", query_kind_text(q->kind));
	answer_graph_rows(w, "rows", graph);
	json_u64(w, "total_ns", graph->total_ns);
	json_u64(w, "total_samples", graph->total_samples);
	json_u64(w, "period_ns", q->snapshot->period_ns);
}

static void write_stacks(struct json_writer *w, const struct stacks *stacks,
			 const struct snapshot *snapshot, enum query_kind kind)
{
	json_string(w, "kind", query_kind_text(kind));
	answer_stacks(w, snapshot, stacks);
	json_u64(w, "count", snapshot_count(snapshot, kind != QUERY_SPAN));
	json_string(w, "unit", kind == QUERY_CPU ? "samples" : "ns");
	json_u64(w, "period_ns", snapshot->period_ns);
}

static void answer_report_question(struct question *q, struct json_writer *w)
{
	_cleanup_(report_freep) struct report *report = NULL;
	enum report_sort sort = q->default_sort ? report_sort_default(q->kind) : q->sort;
	int r = query_report(q->snapshot, q->kind, q->by, sort, q->limit, &report);

	if (r < 0)
		answer_failed(q, r);
	else
		write_report(w, report, q);
}

static void answer_graph_question(struct question *q, struct json_writer *w)
{
	_cleanup_(graph_freep) struct graph *graph = NULL;
	int r = query_graph(q->snapshot, q->kind, q->min_percent, q->max_depth, &graph);

	if (r < 0)
		answer_failed(q, r);
	else
		write_graph(w, graph, q);
}

static void answer_stacks_question(struct question *q, struct json_writer *w)
{
	_cleanup_(stacks_freep) struct stacks *stacks = NULL;
	bool by_comm = q->few_by_thread ? q->snapshot->n_processes > FEW_PROCESSES : q->by_comm;
	int r = (by_comm ? query_stacks_by_comm : query_stacks)(q->snapshot, q->kind, &stacks);

	if (r < 0)
		answer_failed(q, r);
	else
		write_stacks(w, stacks, q->snapshot, q->kind);
}

static void answer_export_question(struct question *q, struct json_writer *w)
{
	json_string(w, "kind", query_kind_text(q->kind));
	answer_export_stacks(w, q->snapshot, q->kind);
	json_u64(w, "period_ns", q->snapshot->period_ns);
}

static int take_snapshot(const struct asked *asked, unsigned int parts, struct snapshot **ret)
{
	struct session *s = asked->session;
	const struct window *windows[4];
	struct window kernel, waits = {};
	bool has_kernel;
	size_t n = 0;
	int r;

	has_kernel = s->active && parts & SNAPSHOT_SPANS && session_kernel_window(s, &kernel) == 0;
	if (s->reader) {
		windows[n++] = store_reader_total(s->reader);
	} else {
		windows[n++] = &s->total;
		windows[n++] = &s->window;
	}
	if (has_kernel)
		windows[n++] = &kernel;
	if (s->active && parts & SNAPSHOT_OFFCPU &&
	    session_waits_now(s, now_monotonic_ns(), &waits) == 0)
		windows[n++] = &waits;
	r = snapshot_take(s->context->model, windows, n, &asked->selectors, parts,
			  session_period_ns(s), ret);
	if (has_kernel)
		window_release(&kernel);
	window_release(&waits);
	return r;
}

/* Takes the question over when r < 0. */
static void fail_on(struct question *q, int r)
{
	if (r >= 0)
		return;
	error_set(&q->error, -r, "Internal", "%s", strerror(-r));
	methods_fail(q->call, &q->error);
	question_free(q);
}

static int add_matching(void *arg, const struct span_row *row)
{
	struct question *q = arg;

	return window_add_span(&q->matching, &row->span, NULL, false);
}

static void match_run(void *arg)
{
	struct question *q = arg;
	struct spans_filter filter = {.each = add_matching, .arg = q};
	struct spans_query *query = NULL;

	if (q->in) {
		(void)samples_in_find(q->in, &q->error);
		return;
	}
	if (raw_spans_ask(&q->raw, &filter, &query, &q->error) >= 0 && q->span_samples)
		(void)span_samples_count(q->span_samples, &q->error);
	spans_query_free(query);
}

static void match_done(void *arg, bool cancelled)
{
	struct question *q = arg;
	const struct window *windows[] = {q->in ? samples_in_sums(q->in) : &q->matching};
	int r = cancelled ? -ECANCELED : q->error.name[0] ? -EINVAL : 0;

	if (q->in)
		samples_in_add_coverage(q->in, &q->coverage);
	else
		coverage_add_raw(&q->coverage, q->raw.n, q->raw.dropped);
	if (r >= 0)
		r = snapshot_take(q->model, windows, 1, NULL, query_parts(q->kind), q->period_ns,
				  &q->snapshot);
	if (r >= 0 && q->span_samples)
		span_samples_give(q->span_samples, q->snapshot);
	if (r >= 0)
		r = worker_submit(q->daemon->asker, question_run, question_done, q);
	fail_on(q, r);
}

static void count_run(void *arg)
{
	struct question *q = arg;

	(void)span_samples_count(q->span_samples, &q->error);
}

static void count_done(void *arg, bool cancelled)
{
	struct question *q = arg;
	int r = cancelled ? -ECANCELED : q->error.name[0] ? -EINVAL : 0;

	if (r >= 0)
		span_samples_give(q->span_samples, q->snapshot);
	if (r >= 0)
		r = worker_submit(q->daemon->asker, question_run, question_done, q);
	fail_on(q, r);
}

/* What is as it was added up, and of spans with the samples in them. */
static int take_sums(struct daemon *d, const struct asked *asked, struct question *q)
{
	int r = asked_refuse_times(asked, &q->error);

	daemon_catch_up(d);
	if (r >= 0)
		r = take_snapshot(asked, query_parts(q->kind), &q->snapshot);
	if (r >= 0 && q->shows_samples)
		r = span_samples_take(d, asked, &q->span_samples);
	if (q->span_samples) {
		daemon_hold_model(d);
		q->holds_model = true;
	}
	return r;
}

static int submit(struct daemon *d, const struct asked *asked, struct question *q)
{
	bool raw = asked->where || asked->in;
	int r;

	if (raw) {
		daemon_hold_model(d);
		q->holds_model = true;
	}
	if (asked->in) {
		q->period_ns = session_period_ns(asked->session);
		r = samples_in_take(d, asked, &q->in, &q->error);
	} else if (raw) {
		r = raw_spans_take(d, asked->session, &asked->selectors, NULL, asked->where,
				   &q->raw, &q->error);
		asked_limit(asked, &q->raw);
		if (r >= 0 && q->shows_samples)
			r = span_samples_take(d, asked, &q->span_samples);
	} else {
		r = take_sums(d, asked, q);
	}
	if (r >= 0)
		r = methods_take_session(asked->session, &q->coverage, &q->session);
	if (r < 0)
		return r;
	if (raw)
		return worker_submit(d->searcher, match_run, match_done, q);
	return q->span_samples ? worker_submit(d->searcher, count_run, count_done, q)
			       : worker_submit(d->asker, question_run, question_done, q);
}

static void ask(struct daemon *d, struct call *call, struct question *q)
{
	_cleanup_(asked_release) struct asked asked = {};
	int r;

	q->daemon = d;
	q->call = call;
	r = methods_read_query(d, call, &asked, &q->error);
	q->kind = asked.kind;
	q->demangle = asked.demangle;
	q->model = asked.session ? asked.session->context->model : d->model;
	q->no_inlined = asked.no_inlined;
	if (r >= 0)
		r = submit(d, &asked, q);
	fail_on(q, r);
}

static struct question *question_new(struct call *call,
				     void (*answer)(struct question *q, struct json_writer *w))
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q) {
		methods_fail_memory(call);
		return NULL;
	}
	q->answer = answer;
	return q;
}

static void refuse(struct call *call, struct question *q)
{
	methods_fail(call, &q->error);
	question_free(q);
}

/* Whether the query is about spans; one that is not sound will be answered as such by ask(). */
static bool is_about_spans(struct daemon *d, struct call *call)
{
	_cleanup_(asked_release) struct asked asked = {};
	struct error error = {0};

	return methods_read_query(d, call, &asked, &error) >= 0 && asked.kind == QUERY_SPAN &&
	       !asked.session->options.stats_only;
}

void method_report(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_report_question);
	const char *by = "func", *sort = "";
	int64_t limit = 0;

	if (!q)
		return;
	if (param_string(call_params(call), "by", PARAM_OPTIONAL, &by, &q->error) < 0 ||
	    param_string(call_params(call), "sort", PARAM_OPTIONAL, &sort, &q->error) < 0 ||
	    param_int(call_params(call), "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit, &q->error) <
		    0 ||
	    report_by_parse(by, &q->by) < 0 || (*sort && report_sort_parse(sort, &q->sort) < 0)) {
		error_set(&q->error, EINVAL, "BadArgument",
			  "unknown grouping \"%s\" or order \"%s\"", by, sort);
		refuse(call, q);
		return;
	}
	q->limit = (size_t)limit;
	q->default_sort = !*sort;
	q->shows_samples = true;
	if (q->by == BY_THREAD && is_about_spans(d, call)) {
		methods_report_threads(d, call, q->default_sort ? SORT_TOTAL : q->sort, q->limit);
		question_free(q);
		return;
	}
	ask(d, call, q);
}

void method_graph(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_graph_question);
	int64_t depth = 0;

	if (!q)
		return;
	if (param_float(call_params(call), "min_percent", PARAM_OPTIONAL, &q->min_percent,
			&q->error) < 0 ||
	    param_int(call_params(call), "max_depth", PARAM_OPTIONAL, 0, INT32_MAX, &depth,
		      &q->error) < 0) {
		refuse(call, q);
		return;
	}
	q->max_depth = (uint32_t)depth;
	q->shows_samples = true;
	ask(d, call, q);
}

void method_stacks(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_stacks_question);
	const char *by = "thread";

	if (!q)
		return;
	if (param_string(call_params(call), "by", PARAM_OPTIONAL, &by, &q->error) < 0 ||
	    param_float(call_params(call), "min_percent", PARAM_OPTIONAL, &q->min_percent,
			&q->error) < 0 ||
	    (!streq(by, "thread") && !streq(by, "comm") && !streq(by, "auto"))) {
		error_set(&q->error, EINVAL, "BadArgument", "unknown grouping \"%s\"", by);
		refuse(call, q);
		return;
	}
	q->by_comm = streq(by, "comm");
	q->few_by_thread = streq(by, "auto");
	q->prunes = q->min_percent > 0;
	ask(d, call, q);
}

void method_export_stacks(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_export_question);

	if (q)
		ask(d, call, q);
}

void method_missing_debug_info(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_missing_question);

	if (q)
		ask(d, call, q);
}
