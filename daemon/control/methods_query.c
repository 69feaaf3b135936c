/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions: what is needed of the model is copied out on the main thread, the rest (names of
 * frames, sums, JSON) is done by the query worker, and the reply is sent by the main loop.
 */
#include "control/methods.h"

#include "query/spans.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

struct question {
	struct daemon *daemon;
	struct call *call;
	struct snapshot *snapshot;
	struct strbuf tail; /* coverage and session, written by the main thread as they were then */
	struct strbuf out;
	enum query_kind kind;
	bool with_kernel; /* kernel addresses are of the running kernel */
	enum report_by by;
	enum report_sort sort;
	bool default_sort;
	size_t limit;
	double min_percent;
	uint32_t max_depth;
	void (*answer)(struct question *q, struct json_writer *w);
	struct error error;
};

static struct question *question_free(struct question *q)
{
	snapshot_free(q->snapshot);
	strbuf_release(&q->tail);
	strbuf_release(&q->out);
	free(q);
	return NULL;
}

static char *resolve(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	struct question *q = arg;

	if (file->flags & FILE_KERNEL && !q->with_kernel)
		return NULL;
	return processes_name_frame(q->daemon->symbolizer, file, path, offset);
}

static void question_run(void *arg)
{
	struct question *q = arg;
	struct json_writer w;
	int r;

	r = snapshot_name_frames(q->snapshot, resolve, q);
	if (r < 0) {
		error_set(&q->error, -r, "Internal", "naming frames failed: %s", strerror(-r));
		return;
	}
	json_begin(&w, &q->out);
	json_object_begin(&w, NULL);
	q->answer(q, &w);
	json_members(&w, &q->tail);
	json_object_end(&w);
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
		error_fix(&q->error, "spans group by func, probe, comm or pid; CPU samples by "
				     "func, comm, pid or thread");
	} else {
		error_set(&q->error, -r, "Internal", "%s", strerror(-r));
	}
}

static void write_report(struct json_writer *w, const struct report *report, uint64_t period_ns)
{
	answer_report_rows(w, "rows", report);
	json_u64(w, "total_ns", report->total_ns);
	json_u64(w, "total_samples", report->total_samples);
	json_u64(w, "period_ns", period_ns);
}

static void write_graph(struct json_writer *w, const struct graph *graph, uint64_t period_ns)
{
	answer_graph_rows(w, "rows", graph);
	json_u64(w, "total_ns", graph->total_ns);
	json_u64(w, "total_samples", graph->total_samples);
	json_u64(w, "period_ns", period_ns);
}

static void write_stacks(struct json_writer *w, const struct stacks *stacks,
			 const struct snapshot *snapshot, enum query_kind kind)
{
	answer_stacks(w, snapshot, stacks);
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
		write_report(w, report, q->snapshot->period_ns);
}

static void answer_graph_question(struct question *q, struct json_writer *w)
{
	_cleanup_(graph_freep) struct graph *graph = NULL;
	int r = query_graph(q->snapshot, q->kind, q->min_percent, q->max_depth, &graph);

	if (r < 0)
		answer_failed(q, r);
	else
		write_graph(w, graph, q->snapshot->period_ns);
}

static void answer_stacks_question(struct question *q, struct json_writer *w)
{
	_cleanup_(stacks_freep) struct stacks *stacks = NULL;
	int r = query_stacks(q->snapshot, q->kind, &stacks);

	if (r < 0)
		answer_failed(q, r);
	else
		write_stacks(w, stacks, q->snapshot, q->kind);
}

int methods_read_query(struct daemon *d, struct call *call, struct session **ret_session,
		       enum query_kind *ret_kind, struct selectors *ret_selectors,
		       uint32_t **ret_pids, struct error *error)
{
	const cJSON *query = NULL, *selectors = NULL;
	const char *name = NULL, *kind = NULL;
	_cleanup_(freep) int64_t *pids = NULL;
	int64_t uid = -1;
	int r;

	r = param_object(call_params(call), "query", PARAM_REQUIRED, &query, error);
	if (r >= 0)
		r = param_string(query, "session", PARAM_OPTIONAL, &name, error);
	if (r >= 0)
		r = param_string(query, "kind", PARAM_OPTIONAL, &kind, error);
	if (r >= 0)
		r = param_object(query, "selectors", PARAM_OPTIONAL, &selectors, error);
	if (r >= 0 && selectors)
		r = param_ints(selectors, "pids", PARAM_OPTIONAL, 0, INT32_MAX, &pids,
			       &ret_selectors->n_pids, error);
	if (r >= 0 && selectors)
		r = param_string(selectors, "comm", PARAM_OPTIONAL, &ret_selectors->comm, error);
	if (r >= 0 && selectors)
		r = param_int(selectors, "uid", PARAM_OPTIONAL, 0, UINT32_MAX, &uid, error);
	if (r < 0)
		return r;
	ret_selectors->has_uid = uid >= 0;
	ret_selectors->uid = (uint32_t)uid;
	*ret_pids = calloc(MAX(ret_selectors->n_pids, 1U), sizeof(**ret_pids));
	if (!*ret_pids)
		return -ENOMEM;
	for (size_t i = 0; i < ret_selectors->n_pids; i++)
		(*ret_pids)[i] = (uint32_t)pids[i];
	ret_selectors->pids = *ret_pids;
	*ret_session = daemon_find_session(d, name);
	if (!*ret_session) {
		if (name)
			error_set(error, ENOENT, "NoSuchSession", "there is no session \"%s\"",
				  name);
		else
			error_set(error, ENOENT, "NoSuchSession", "there is no session to ask");
		error_fix(error, "sonde list shows the sessions; sonde attach makes one; -i FILE "
				 "asks a recording");
		return -ENOENT;
	}
	*ret_kind = kind ? (streq(kind, "cpu") ? QUERY_CPU : QUERY_SPAN)
		    : (*ret_session)->options.n_specs > 0 ? QUERY_SPAN
							  : QUERY_CPU;
	return 0;
}

void methods_write_tail(struct session *s, struct strbuf *out)
{
	uint64_t losses[LOSS_COUNTERS];
	struct coverage coverage;
	struct json_writer w;

	/* Written as an object of its own, of which the braces are then left out. */
	methods_coverage(s, &coverage, losses);
	json_begin(&w, out);
	json_object_begin(&w, NULL);
	answer_coverage(&w, "coverage", &coverage);
	methods_write_session(&w, "session", s);
	json_object_end(&w);
}

static int take_snapshot(struct daemon *d, struct session *s, const struct selectors *selectors,
			 struct snapshot **ret)
{
	const struct window *windows[3];
	uint64_t period_ns = s->options.frequency_hz ? NSEC_PER_SEC / s->options.frequency_hz : 0;
	struct window kernel;
	bool has_kernel;
	size_t n = 0;
	int r;

	has_kernel = s->active && session_kernel_window(s, &kernel) == 0;
	if (s->reader) {
		windows[n++] = store_reader_total(s->reader);
	} else {
		windows[n++] = &s->total;
		windows[n++] = &s->window;
	}
	if (has_kernel)
		windows[n++] = &kernel;
	r = snapshot_take(d->model, windows, n, selectors, period_ns, ret);
	if (has_kernel)
		window_release(&kernel);
	return r;
}

static void ask(struct daemon *d, struct call *call, struct question *q)
{
	struct selectors selectors = {0};
	_cleanup_(freep) uint32_t *pids = NULL;
	struct session *s = NULL;
	int r;

	q->daemon = d;
	q->call = call;
	q->with_kernel = !d->recording;
	r = methods_read_query(d, call, &s, &q->kind, &selectors, &pids, &q->error);
	if (r >= 0) {
		daemon_catch_up(d);
		r = take_snapshot(d, s, &selectors, &q->snapshot);
	}
	if (r >= 0) {
		methods_write_tail(s, &q->tail);
		r = strbuf_error(&q->tail);
	}
	if (r >= 0)
		r = worker_submit(d->asker, question_run, question_done, q);
	if (r < 0) {
		error_set(&q->error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &q->error);
		question_free(q);
	}
}

static struct question *question_new(struct call *call,
				     void (*answer)(struct question *q, struct json_writer *w))
{
	struct question *q = calloc(1, sizeof(*q));
	struct error error = {0};

	if (!q) {
		error_set(&error, ENOMEM, "Internal", "out of memory");
		methods_fail(call, &error);
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
	struct selectors selectors = {0};
	_cleanup_(freep) uint32_t *pids = NULL;
	struct session *s = NULL;
	struct error error = {0};
	enum query_kind kind;

	return methods_read_query(d, call, &s, &kind, &selectors, &pids, &error) >= 0 &&
	       kind == QUERY_SPAN && !s->options.stats_only;
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
	ask(d, call, q);
}

void method_stacks(struct daemon *d, struct call *call)
{
	struct question *q = question_new(call, answer_stacks_question);

	if (q)
		ask(d, call, q);
}
