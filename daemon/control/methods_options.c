/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SessionOptions as they come over the wire. */
#include "control/methods.h"

#include "varlink/params.h"

/* Copies a list of strings; the result is the caller's. */
static int copy_strings(const cJSON *params, const char *name, char ***ret, size_t *ret_n,
			struct error *error)
{
	_cleanup_(freep) const char **list = NULL;
	size_t n = 0;
	int r = param_strings(params, name, PARAM_OPTIONAL, &list, &n, error);

	if (r <= 0)
		return r;
	*ret = calloc(MAX(n, 1U), sizeof(char *));
	if (!*ret)
		return -ENOMEM;
	for (; *ret_n < n; (*ret_n)++) {
		(*ret)[*ret_n] = strdup(list[*ret_n]);
		if (!(*ret)[*ret_n])
			return -ENOMEM;
	}
	return 1;
}

static int copy_text(const cJSON *options, const char *name, char **ret, struct error *error)
{
	const char *text = NULL;
	int r = param_string(options, name, PARAM_OPTIONAL, &text, error);

	if (r < 0 || !text)
		return r;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int read_selectors(const cJSON *options, struct session_options *o, struct error *error)
{
	_cleanup_(freep) int64_t *pids = NULL;
	const cJSON *selectors = NULL;
	int64_t uid = -1;
	int r;

	r = param_object(options, "selectors", PARAM_REQUIRED, &selectors, error);
	if (r >= 0)
		r = param_ints(selectors, "pids", PARAM_OPTIONAL, 1, INT32_MAX, &pids, &o->n_pids,
			       error);
	if (r >= 0)
		r = copy_text(selectors, "comm", &o->comm, error);
	if (r >= 0)
		r = copy_text(selectors, "cgroup", &o->cgroup, error);
	if (r >= 0)
		r = copy_text(selectors, "container", &o->container, error);
	if (r >= 0)
		r = param_int(selectors, "uid", PARAM_OPTIONAL, 0, UINT32_MAX, &uid, error);
	if (r < 0)
		return r;
	o->has_uid = uid >= 0;
	o->uid = (uint32_t)uid;
	if (o->n_pids == 0)
		return 0;
	o->pids = calloc(o->n_pids, sizeof(*o->pids));
	if (!o->pids)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_pids; i++)
		o->pids[i] = (uint32_t)pids[i];
	return 0;
}

int methods_read_conditions(const cJSON *params, struct session_options *o, struct error *error)
{
	int r = copy_text(params, "where", &o->where, error);

	if (r >= 0)
		r = copy_text(params, "begin", &o->begin, error);
	return r < 0 ? r : copy_text(params, "stack_if", &o->stack_if, error);
}

/* What is to be known of each call, and which calls count. */
static int read_calls(const cJSON *options, struct session_options *o, struct error *error)
{
	const char *returns = "auto", *span_mode = "auto";
	int r = methods_read_conditions(options, o, error);

	if (r >= 0)
		r = copy_strings(options, "inside", &o->inside, &o->n_inside, error);
	if (r >= 0)
		r = copy_strings(options, "capture", &o->captures, &o->n_captures, error);
	if (r >= 0)
		r = copy_strings(options, "redact", &o->redact, &o->n_redact, error);
	if (r >= 0)
		r = param_bool(options, "exceptions", PARAM_OPTIONAL, &o->unwound_only, error);
	if (r >= 0)
		r = param_string(options, "returns", PARAM_OPTIONAL, &returns, error);
	if (r >= 0)
		r = param_string(options, "span_mode", PARAM_OPTIONAL, &span_mode, error);
	if (r < 0)
		return r;
	o->single_spans = streq(span_mode, "simple");
	o->returns = streq(returns, "uretprobe") ? RETURN_PROBE
		     : streq(returns, "sites")	 ? RETURN_SITES
						 : RETURN_AUTO;
	return 0;
}

static int read_options(const cJSON *options, struct session_options *o, struct error *error)
{
	int64_t frequency = 0, min_duration = 0, max_depth = 0, period = OFFCPU_PERIOD_DEFAULT_NS;
	const char *name = NULL, *rule = NULL;
	int r;

	r = read_selectors(options, o, error);
	if (r >= 0)
		r = copy_strings(options, "specs", &o->specs, &o->n_specs, error);
	if (r >= 0)
		r = copy_strings(options, "files", &o->files, &o->n_files, error);
	if (r >= 0)
		r = param_string(options, "name", PARAM_OPTIONAL, &name, error);
	if (r >= 0)
		r = param_int(options, "frequency", PARAM_OPTIONAL, 0, SAMPLER_MAX_HZ, &frequency,
			      error);
	if (r >= 0)
		r = param_bool(options, "offcpu", PARAM_OPTIONAL, &o->offcpu, error);
	if (r >= 0)
		r = param_int(options, "offcpu_period_ns", PARAM_OPTIONAL, OFFCPU_PERIOD_MIN_NS,
			      OFFCPU_PERIOD_MAX_NS, &period, error);
	if (r >= 0)
		r = param_int(options, "min_duration_ns", PARAM_OPTIONAL, 0, PARAM_INT_MAX,
			      &min_duration, error);
	if (r >= 0)
		r = param_int(options, "max_depth", PARAM_OPTIONAL, 0, RECORD_MAX_OPEN, &max_depth,
			      error);
	if (r >= 0)
		r = param_string(options, "error_rule", PARAM_OPTIONAL, &rule, error);
	if (r >= 0)
		r = param_bool(options, "errors_only", PARAM_OPTIONAL, &o->errors_only, error);
	if (r >= 0)
		r = param_bool(options, "args", PARAM_OPTIONAL, &o->args, error);
	if (r >= 0)
		r = param_bool(options, "stats_only", PARAM_OPTIONAL, &o->stats_only, error);
	if (r >= 0)
		r = read_calls(options, o, error);
	if (r < 0)
		return r;
	o->frequency_hz = (uint32_t)frequency;
	o->offcpu_period_ns = (uint64_t)period;
	o->min_duration_ns = (uint64_t)min_duration;
	o->max_depth = (uint32_t)max_depth;
	o->null_is_error = rule && streq(rule, "null");
	if (name) {
		o->name = strdup(name);
		if (!o->name)
			return -ENOMEM;
	}
	return 0;
}

static int check_options(const struct session_options *o, struct error *error)
{
	if (o->n_files > 0 && o->n_pids != 1)
		return error_set(error, EINVAL, "BadArgument",
				 "files: go with exactly one PID, that of the command to come");
	if (o->stats_only && (o->args || o->n_captures || o->stack_if || o->unwound_only))
		return error_set(error, EINVAL, "BadArgument",
				 "stats_only keeps no calls, so it cannot keep their arguments, "
				 "captures, stacks or exceptions");
	if (o->n_specs == 0 && (o->where || o->begin || o->stack_if || o->n_inside))
		return error_set(
			error, EINVAL, "BadArgument",
			"a condition is about calls of functions, and no function is named");
	if (o->name && (strlen(o->name) > 64 || !o->name[0] || strpbrk(o->name, "/ \t\n")))
		return error_set(error, EINVAL, "BadArgument",
				 "name: \"%s\" is empty, too long or has a blank or a slash in it",
				 o->name);
	return 0;
}

int methods_read_session_options(const cJSON *options, struct session_options *ret,
				 struct error *error)
{
	struct session_options o = {0};
	int r = read_options(options, &o, error);

	if (r >= 0)
		r = check_options(&o, error);
	if (r < 0) {
		session_options_release(&o);
		return error_set(error, -r, "Internal", "%s", strerror(-r));
	}
	*ret = o;
	return 0;
}

int methods_session_options(struct call *call, struct session_options *ret)
{
	struct error error = {0};
	const cJSON *options = NULL;
	int r;

	r = param_object(call_params(call), "options", PARAM_REQUIRED, &options, &error);
	if (r >= 0)
		r = methods_read_session_options(options, ret, &error);
	if (r < 0)
		methods_fail(call, &error);
	return r;
}
