/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Diff: two sessions compared, with their windows as observations (query/compare.h), and gates on
 * what came of it. Of each side all windows are copied out on the main thread; the rest is done by
 * workers: with a condition windows of the raw spans that match are made first.
 */
#include "control/answer_diff.h"
#include "control/match_windows.h"
#include "control/methods.h"
#include "varlink/params.h"

static const char method_text[] =
	"Welch's t test on ratios of sums over windows, which are taken as clusters of calls "
	"(Cochran 1977; quantiles: Woodruff 1952; Welch 1947), with the correlation of "
	"neighbouring windows; means also without the slowest 5 % of the calls of both sides "
	"(trimmed mean: Yuen 1974), which has nine tenths of the error, if the mean of all calls "
	"has not changed significantly";

struct diff {
	struct daemon *daemon;
	struct call *call;
	enum query_kind kind;
	enum compare_by by;
	enum demangle_style demangle;
	bool no_inlined;
	double confidence, drift, min_coverage;
	uint64_t min_calls;
	size_t limit;
	struct gate **gates;
	size_t n_gates;
	struct match_windows matching[COMPARE_SIDES]; /* with a condition */
	struct model *models[COMPARE_SIDES];
	bool has_condition, holds_model;
	struct snapshot *snapshots[COMPARE_SIDES];
	struct coverage coverage[COMPARE_SIDES];
	struct strbuf sessions[COMPARE_SIDES];
	struct strbuf out;
	struct error error;
};

static const char *const side_names[COMPARE_SIDES] = {"before", "after"};

static struct diff *diff_free(struct diff *d)
{
	if (!d)
		return NULL;
	for (size_t i = 0; i < d->n_gates; i++)
		gate_free(d->gates[i]);
	free(d->gates);
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		snapshot_free(d->snapshots[i]);
		match_windows_release(&d->matching[i]);
		strbuf_release(&d->sessions[i]);
	}
	if (d->holds_model)
		daemon_release_model(d->daemon);
	strbuf_release(&d->out);
	free(d);
	return NULL;
}
DEFINE_CLEANUP(struct diff *, diff_free)

static int compare(struct diff *d, enum compare_by by, struct comparison **ret)
{
	const struct snapshot *sides[] = {d->snapshots[COMPARE_BEFORE],
					  d->snapshots[COMPARE_AFTER]};

	return query_compare(sides, d->kind, by, d->confidence, d->drift, ret);
}

/* Seen includes what was lost. Of raw spans, what was seen but not kept is as good as lost. */
static double covered(const struct diff *d, size_t side)
{
	const struct coverage *c = &d->coverage[side];
	uint64_t seen = query_is_about_samples(d->kind) ? c->samples_seen : c->spans_seen;
	uint64_t lost = query_is_about_samples(d->kind) ? c->samples_lost : c->spans_lost;
	double share = seen ? 1 - (double)lost / (double)seen : 1;

	if (c->has_raw && c->raw_dropped)
		share *= (double)c->raw_spans / (double)(c->raw_spans + c->raw_dropped);
	return share;
}

/* True when what was lost might be what the gates are about. */
static bool refuse(struct diff *d, struct json_writer *w)
{
	char text[160];

	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		double have = covered(d, i);

		if (have >= d->min_coverage)
			continue;
		snprintf(text, sizeof(text),
			 "only %.1f %% of what happened %s was seen, less than the %.4g %% of "
			 "--min-coverage",
			 100 * have, side_names[i], 100 * d->min_coverage);
		json_string(w, "refused", text);
		return true;
	}
	return false;
}

static int answer_gates(struct diff *d, const struct comparison *c, struct json_writer *w)
{
	const struct gate_options options = {d->confidence, d->min_calls};
	_cleanup_(comparison_freep) struct comparison *by_func = NULL;
	int r = 0;

	if (!d->n_gates || refuse(d, w))
		return 0;
	/* Gates are about functions, whatever the rows are. */
	if (d->by != COMPARE_FUNC) {
		r = compare(d, COMPARE_FUNC, &by_func);
		c = by_func;
	}
	json_array_begin(w, "gates");
	for (size_t i = 0; i < d->n_gates && r >= 0; i++) {
		_cleanup_(gate_result_release) struct gate_result result = {};

		r = gate_evaluate(d->gates[i], c, &options, &d->error, &result);
		if (r >= 0)
			answer_gate(w, d->gates[i], &result);
	}
	json_array_end(w);
	return r;
}

/* What of the condition could not be decided, on either side. */
static void put_notes(struct diff *d, struct json_writer *w)
{
	if (!d->has_condition)
		return;
	json_array_begin(w, "notes");
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		size_t n = 0;
		const char *const *notes = span_condition_notes(d->matching[i].raw.condition, &n);

		for (size_t k = 0; k < n; k++) {
			char text[512];

			snprintf(text, sizeof(text), "%s: %s", side_names[i], notes[k]);
			json_string(w, NULL, text);
		}
	}
	json_array_end(w);
}

static int answer(struct diff *d, struct json_writer *w)
{
	_cleanup_(comparison_freep) struct comparison *c = NULL;
	int r = compare(d, d->by, &c);

	if (r < 0)
		return r;
	answer_diff_rows(w, c, d->limit);
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		json_object_begin(w, side_names[i]);
		json_members(w, &d->sessions[i]);
		answer_diff_side(w, c, i);
		answer_raw_coverage(w, &d->coverage[i]);
		json_object_end(w);
	}
	json_string(w, "kind", query_kind_text(d->kind));
	json_double(w, "confidence", d->confidence);
	json_double(w, "drift", d->drift);
	json_string(w, "method", method_text);
	put_notes(d, w);
	return answer_gates(d, c, w);
}

static void diff_run(void *arg)
{
	struct diff *d = arg;
	struct json_writer w;
	int r = 0;

	for (size_t i = 0; i < COMPARE_SIDES && r >= 0; i++)
		r = methods_name_snapshot(d->daemon, d->snapshots[i], d->kind, d->demangle,
					  !d->no_inlined, true);
	json_begin(&w, &d->out);
	json_object_begin(&w, NULL);
	if (r >= 0)
		r = answer(d, &w);
	json_object_end(&w);
	if (r < 0)
		error_set(&d->error, -r, "Internal", "comparing failed: %s", strerror(-r));
}

static void diff_done(void *arg, bool cancelled)
{
	struct diff *d = arg;

	if (cancelled)
		error_set(&d->error, ECANCELED, "Internal", "the daemon is ending");
	if (d->error.name[0])
		methods_fail(d->call, &d->error);
	else
		methods_reply(d->call, &d->out);
	diff_free(d);
}

static void match_run(void *arg)
{
	struct diff *d = arg;
	int r = 0;

	for (size_t i = 0; i < COMPARE_SIDES && r >= 0; i++) {
		struct error e = {};

		r = match_windows_ask(&d->matching[i], &e);
		if (r < 0) {
			error_set(&d->error, -r, e.name, "%s: %s", side_names[i], e.message);
			error_fix(&d->error, "%s", e.fix);
		}
	}
}

static void match_done(void *arg, bool cancelled)
{
	struct diff *d = arg;
	int r = cancelled ? -ECANCELED : d->error.name[0] ? -EINVAL : 0;

	for (size_t i = 0; i < COMPARE_SIDES && r >= 0; i++) {
		const struct match_windows *m = &d->matching[i];

		coverage_add_raw(&d->coverage[i], m->raw.n, m->raw.dropped);
		r = snapshot_take_apart(d->models[i], m->list, m->n, NULL, SNAPSHOT_SPANS, 0,
					&d->snapshots[i]);
	}
	if (r >= 0)
		r = worker_submit(d->daemon->asker, diff_run, diff_done, d);
	if (r >= 0)
		return;
	error_set(&d->error, -r, "Internal", "%s", strerror(-r));
	diff_done(d, false);
}

/* All windows that there are of a session, in order of time. */
static int take_snapshot(struct diff *d, const struct session *s, const struct selectors *selectors,
			 size_t side)
{
	uint32_t hz = s->options.frequency_hz;
	_cleanup_(freep) const struct window **windows = NULL;
	size_t n = 0, cap = 0;

	for (const struct window *w; s->reader && (w = store_reader_window(s->reader, n)); n++) {
		if (array_reserve(&windows, &cap, n + 1, sizeof(*windows)) < 0)
			return -ENOMEM;
		windows[n] = w;
	}
	return snapshot_take_apart(s->context->model, windows, n, selectors, query_parts(d->kind),
				   hz ? NSEC_PER_SEC / hz : 0, &d->snapshots[side]);
}

static int take_side(struct diff *d, const char *param, const struct asked *asked, size_t side)
{
	const char *name = NULL;
	struct session *s = NULL;
	int r = param_string(call_params(d->call), param, PARAM_REQUIRED, &name, &d->error);

	if (r < 0)
		return r;
	if (d->daemon->second)
		s = daemon_find_compared(d->daemon, name);
	if (!s) {
		r = error_set(&d->error, ENOENT, "NoSuchSession",
			      "there is no recording \"%s\" to compare", name);
		error_fix(&d->error, "two recordings are compared by: sonde diff A B");
		return r;
	}
	d->models[side] = s->context->model;
	r = d->has_condition ? match_windows_take(d->daemon, s, &asked->selectors, asked->where,
						  &d->matching[side], &d->error)
			     : take_snapshot(d, s, &asked->selectors, side);
	return r < 0 ? r : methods_take_session(s, &d->coverage[side], &d->sessions[side]);
}

static int read_gates(struct diff *d)
{
	_cleanup_(freep) const char **texts = NULL;
	size_t n = 0;
	int r = param_strings(call_params(d->call), "gates", PARAM_OPTIONAL, &texts, &n, &d->error);

	if (r <= 0)
		return r;
	d->gates = calloc(n + 1, sizeof(*d->gates));
	if (!d->gates)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct error e = {};

		r = gate_parse(texts[i], &e, &d->gates[i]);
		if (r == -EINVAL && n > 1) {
			error_set(&d->error, EINVAL, e.name, "gate %zu, %s", i + 1, e.message);
			error_fix(&d->error, "%s", e.fix);
		} else if (r == -EINVAL) {
			d->error = e;
		}
		if (r < 0)
			return r;
		d->n_gates++;
	}
	return 0;
}

static int check_share(struct diff *d, const char *name, double value, bool may_be_whole)
{
	if (value > 0 && (may_be_whole ? value <= 1 : value < 1))
		return 0;
	return error_set(&d->error, EINVAL, "BadArgument", "%s: %g is not a share between 0 and 1",
			 name, value);
}

static int read_options(struct diff *d)
{
	const struct cJSON *params = call_params(d->call);
	int64_t limit = 0, min_calls = 30;
	const char *by = "func";
	int r;

	d->confidence = d->min_coverage = 0.95;
	d->drift = COMPARE_DRIFT;
	r = param_string(params, "by", PARAM_OPTIONAL, &by, &d->error);
	if (r >= 0)
		r = param_float(params, "confidence", PARAM_OPTIONAL, &d->confidence, &d->error);
	if (r >= 0)
		r = param_float(params, "drift", PARAM_OPTIONAL, &d->drift, &d->error);
	if (r >= 0)
		r = param_float(params, "min_coverage", PARAM_OPTIONAL, &d->min_coverage,
				&d->error);
	if (r >= 0)
		r = param_int(params, "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit, &d->error);
	if (r >= 0)
		r = param_int(params, "min_calls", PARAM_OPTIONAL, 1, PARAM_INT_MAX, &min_calls,
			      &d->error);
	if (r >= 0)
		r = check_share(d, "confidence", d->confidence, false);
	if (r >= 0)
		r = check_share(d, "min_coverage", d->min_coverage, true);
	if (r >= 0 && !(d->drift >= 0 && d->drift <= 1))
		r = error_set(&d->error, EINVAL, "BadArgument", "drift: %g is not from 0 to 1",
			      d->drift);
	d->by = streq(by, "func") ? COMPARE_FUNC : COMPARE_PATH;
	d->limit = (size_t)limit;
	d->min_calls = (uint64_t)min_calls;
	return r < 0 ? r : read_gates(d);
}

static int read_and_take(struct diff *d)
{
	_cleanup_(asked_release) struct asked asked = {};
	int r = read_options(d);

	if (r >= 0)
		r = methods_read_query(d->daemon, d->call, &asked, &d->error);
	if (r < 0)
		return r;
	if (asked.where) {
		daemon_hold_model(d->daemon);
		d->holds_model = d->has_condition = true;
	}
	d->kind = asked.kind;
	d->demangle = asked.demangle;
	d->no_inlined = asked.no_inlined;
	r = take_side(d, "before", &asked, COMPARE_BEFORE);
	return r < 0 ? r : take_side(d, "after", &asked, COMPARE_AFTER);
}

void method_diff(struct daemon *daemon, struct call *call)
{
	struct diff *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		methods_fail_memory(call);
		return;
	}
	d->daemon = daemon;
	d->call = call;
	r = read_and_take(d);
	if (r >= 0)
		r = d->has_condition ? worker_submit(daemon->searcher, match_run, match_done, d)
				     : worker_submit(daemon->asker, diff_run, diff_done, d);
	if (r >= 0)
		return;
	error_set(&d->error, -r, "Internal", "%s", strerror(-r));
	methods_fail(call, &d->error);
	diff_free(d);
}
