/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What questions have in common: what they ask about, and what ends their answers. */
#include "control/condition.h"
#include "control/methods.h"
#include "control/raw_spans.h"
#include "control/view.h"
#include "sonde/base/format.h"
#include "varlink/params.h"

void asked_release(struct asked *a)
{
	free(a->pids);
	*a = (struct asked){};
}

int methods_read_selectors(const cJSON *params, struct asked *a, struct error *error)
{
	_cleanup_(freep) int64_t *pids = NULL;
	const cJSON *selectors = NULL;
	int64_t uid = -1;
	int r = param_object(params, "selectors", PARAM_OPTIONAL, &selectors, error);

	if (r <= 0)
		return r;
	r = param_ints(selectors, "pids", PARAM_OPTIONAL, 0, INT32_MAX, &pids, &a->selectors.n_pids,
		       error);
	if (r >= 0)
		r = param_string(selectors, "comm", PARAM_OPTIONAL, &a->selectors.comm, error);
	if (r >= 0)
		r = param_string(selectors, "cgroup", PARAM_OPTIONAL, &a->selectors.cgroup, error);
	if (r >= 0)
		r = param_string(selectors, "container", PARAM_OPTIONAL, &a->selectors.container,
				 error);
	if (r >= 0)
		r = param_int(selectors, "uid", PARAM_OPTIONAL, 0, UINT32_MAX, &uid, error);
	if (r < 0)
		return r;
	a->selectors.has_uid = uid >= 0;
	a->selectors.uid = (uint32_t)uid;
	a->pids = calloc(MAX(a->selectors.n_pids, 1U), sizeof(*a->pids));
	if (!a->pids)
		return -ENOMEM;
	for (size_t i = 0; i < a->selectors.n_pids; i++)
		a->pids[i] = (uint32_t)pids[i];
	a->selectors.pids = a->pids;
	return 0;
}

const struct selectors *asked_selectors(const struct asked *a)
{
	return selectors_choose(&a->selectors) ? &a->selectors : NULL;
}

int methods_read_filter(const cJSON *params, struct spans_filter *f, struct error *error)
{
	int64_t min_duration = 0;
	int r = param_int(params, "min_duration_ns", PARAM_OPTIONAL, 0, PARAM_INT_MAX,
			  &min_duration, error);

	f->min_duration_ns = (uint64_t)min_duration;
	if (r >= 0)
		r = param_string(params, "name", PARAM_OPTIONAL, &f->name, error);
	return r < 0 ? r
		     : param_bool(params, "errors_only", PARAM_OPTIONAL, &f->errors_only, error);
}

static int find_session(struct daemon *d, const char *name, struct session **ret,
			struct error *error)
{
	*ret = daemon_find_session(d, name);
	if (*ret)
		return 0;
	if (name)
		error_set(error, ENOENT, "NoSuchSession", "there is no session \"%s\"", name);
	else
		error_set(error, ENOENT, "NoSuchSession", "there is no session to ask");
	error_fix(error, "sonde list shows the sessions; sonde attach makes one; -i FILE asks a "
			 "recording");
	return -ENOENT;
}

/* Frames of spans have the names of their probes: only samples can lack something. */
static bool is_about_samples(const struct call *call, const struct asked *asked)
{
	return asked->in || streq(call_method(call), "MissingDebugInfo") ||
	       streq(call_method(call), "ExportSamples");
}

/* What a question is about when it does not say so: spans, if the session has any. */
static enum query_kind choose_kind(bool about_samples, const char *kind,
				   const struct session_options *o)
{
	enum query_kind samples = o->offcpu && !o->frequency_hz ? QUERY_OFFCPU : QUERY_CPU;

	if (kind && !streq(kind, "span"))
		return streq(kind, "cpu") ? QUERY_CPU : QUERY_OFFCPU;
	if (about_samples)
		return samples;
	return kind || o->n_specs > 0 ? QUERY_SPAN : samples;
}

static int read_times(const cJSON *query, struct asked *a, struct error *error)
{
	int64_t since = 0, until = 0;
	int r;

	r = param_int(query, "since_us", PARAM_OPTIONAL, 0, PARAM_INT_MAX, &since, error);
	if (r >= 0)
		r = param_int(query, "until_us", PARAM_OPTIONAL, 0, PARAM_INT_MAX, &until, error);
	if (r < 0)
		return r;
	/* 0 stands for no limit: before 1970 there is nothing, and before its first microsecond. */
	a->since_us = (uint64_t)since;
	a->until_us = r > 0 ? (uint64_t)MAX(until, 1) : 0;
	if (!a->until_us || a->since_us < a->until_us)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "the times asked about end before they begin: there is nothing between them");
	error_fix(error, "give a --since that is earlier than --until");
	return -EINVAL;
}

uint64_t methods_span_clock(const struct session *s, uint64_t us)
{
	__int128 ns = (__int128)us * NSEC_PER_USEC - s->context->monotonic_to_epoch_ns;

	return ns < 1 ? 1 : (uint64_t)ns;
}

void asked_limit(const struct asked *a, struct raw_spans *raw)
{
	raw->since_ns = a->since_us ? methods_span_clock(a->session, a->since_us) : 0;
	raw->until_ns = a->until_us ? methods_span_clock(a->session, a->until_us) : 0;
}

int asked_refuse_times(const struct asked *a, struct error *error)
{
	/* A view is of these times already. */
	if ((!a->since_us && !a->until_us) || a->of_times)
		return 0;
	error_set(error, EOPNOTSUPP, "NotSupported",
		  "--since and --until choose raw spans only, not what was added up");
	error_fix(error, "give a condition, too, so that raw spans are asked (--where "
			 "'duration >= 0ns'), or leave the times out");
	return -EOPNOTSUPP;
}

static int check_in(const struct call *call, const char *kind, struct error *error)
{
	static const char *const methods[] = {
		"Report", "Graph", "Stacks", "ExportStacks", "ExportSamples", "MissingDebugInfo",
	};
	bool takes = false;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		takes |= streq(call_method(call), methods[i]);
	if (!takes)
		return error_set(error, EINVAL, "BadArgument",
				 "in chooses samples, which %s is not about", call_method(call));
	if (!kind || !streq(kind, "span"))
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "in chooses samples by the spans they were taken in, and spans are asked for");
	error_fix(error, "ask for samples (--kind cpu or offcpu), or choose spans by a condition "
			 "(--where)");
	return -EINVAL;
}

/* A condition is for spans only. */
static int check_where(const struct asked *a, struct error *error)
{
	if (!a->where || a->kind == QUERY_SPAN)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "a condition is about spans: samples have no duration, arguments or result");
	error_fix(error, "ask for spans (--kind span), of a session that has probes; CPU samples "
			 "and waits are chosen by the spans they were taken in (--in), by -p, -c, "
			 "--uid, --cgroup and --container");
	return -EINVAL;
}

int methods_read_query(struct daemon *d, struct call *call, struct asked *ret, struct error *error)
{
	const cJSON *query = NULL;
	const char *name = NULL, *kind = NULL, *demangle = NULL;
	struct view *view;
	bool inlined = true;
	int r;

	r = param_object(call_params(call), "query", PARAM_REQUIRED, &query, error);
	if (r >= 0)
		r = param_string(query, "session", PARAM_OPTIONAL, &name, error);
	if (r >= 0)
		r = param_string(query, "kind", PARAM_OPTIONAL, &kind, error);
	if (r >= 0)
		r = param_string(query, "where", PARAM_OPTIONAL, &ret->where, error);
	if (r >= 0)
		r = param_string(query, "in", PARAM_OPTIONAL, &ret->in, error);
	if (r >= 0 && ret->in)
		r = check_in(call, kind, error);
	if (r >= 0)
		r = param_string(query, "demangle", PARAM_OPTIONAL, &demangle, error);
	if (r >= 0)
		r = demangle_style_parse(demangle, &ret->demangle);
	if (r >= 0)
		r = param_bool(query, "inlined", PARAM_OPTIONAL, &inlined, error);
	if (r >= 0)
		r = read_times(query, ret, error);
	if (r >= 0)
		r = methods_read_selectors(query, ret, error);
	if (r >= 0)
		r = param_string(query, "host", PARAM_OPTIONAL, &ret->selectors.host, error);
	view = view_of(call);
	if (r >= 0 && view)
		ret->session = view_session(view);
	else if (r >= 0)
		r = find_session(d, name, &ret->session, error);
	ret->of_times = view != NULL;
	ret->names_session = name != NULL;
	if (r < 0)
		return r;
	ret->no_inlined = !inlined;
	ret->kind = choose_kind(is_about_samples(call, ret), kind, &ret->session->options);
	return check_where(ret, error);
}

void methods_write_condition_notes(struct json_writer *w, const struct span_condition *condition)
{
	size_t n = 0;
	const char *const *notes = condition ? span_condition_notes(condition, &n) : NULL;

	if (!n)
		return;
	json_array_begin(w, "notes");
	for (size_t i = 0; i < n; i++)
		json_string(w, NULL, notes[i]);
	json_array_end(w);
}

void methods_write_end(struct json_writer *w, const struct coverage *coverage,
		       const struct strbuf *session, const struct span_condition *condition)
{
	answer_coverage(w, "coverage", coverage);
	if (session)
		json_members(w, session);
	methods_write_condition_notes(w, condition);
}

/* Where a condition was asked coverage says the same. */
static bool lacks_calls(const struct raw_spans *raw)
{
	return raw->dropped && !raw->condition;
}

void methods_write_raw_end(struct json_writer *w, const struct coverage *coverage,
			   const struct strbuf *session, const struct raw_spans *raw)
{
	char note[256], all[FORMAT_MAX], kept[FORMAT_MAX];

	methods_write_end(w, coverage, session, raw->condition);
	if (!lacks_calls(raw))
		return;
	snprintf(note, sizeof(note),
		 "of %s calls %s %s kept one by one (memory keeps the newest, the history the "
		 "slowest "
		 "of each call path in each window); reports and call trees have all of them",
		 format_count(all, raw->n + raw->dropped),
		 raw->n ? format_count(kept, raw->n) : "none", raw->n > 1 ? "were" : "was");
	json_array_begin(w, "notes");
	json_string(w, NULL, note);
	json_array_end(w);
}

int methods_take_session(struct session *s, struct coverage *ret_coverage, struct strbuf *out)
{
	uint64_t losses[LOSS_COUNTERS];
	struct json_writer w;

	methods_coverage(s, ret_coverage, losses);
	/* Written as an object of its own, of which the braces are then left out. */
	json_begin(&w, out);
	json_object_begin(&w, NULL);
	methods_write_session(&w, "session", s);
	json_object_end(&w);
	return strbuf_error(out);
}
