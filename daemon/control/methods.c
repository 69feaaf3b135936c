/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/methods.h"

#include "varlink/params.h"

static const struct {
	const char *name;
	void (*handler)(struct daemon *d, struct call *call);
	bool live; /* needs the kernel side */
} methods[] = {
	{"Status", method_status, false}, {"Doctor", method_doctor, false},
	{"List", method_list, false},	  {"Probes", method_probes, false},
	{"Attach", method_attach, true},  {"Detach", method_detach, true},
	{"Trace", method_trace, true},	  {"Record", method_record, true},
	{"Stop", method_stop, true},	  {"Report", method_report, false},
	{"Graph", method_graph, false},	  {"Stacks", method_stacks, false},
	{"Spans", method_spans, false},
};

void daemon_dispatch(void *arg, struct call *call)
{
	struct daemon *d = arg;
	struct error error = {0};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (!streq(methods[i].name, call_method(call)))
			continue;
		if (d->recording_error.name[0]) {
			methods_fail(call, &d->recording_error);
		} else if (methods[i].live && d->recording) {
			error_set(&error, EROFS, "ReplayOnly",
				  "%s needs a running system: a recording is open",
				  methods[i].name);
			error_fix(&error, "leave out -i FILE");
			methods_fail(call, &error);
		} else if (methods[i].live && !d->kernel) {
			methods_fail(call, &d->kernel_error);
		} else {
			methods[i].handler(d, call);
		}
		return;
	}
	/* The server has checked the name against the interface: every method must be above. */
	error_set(&error, ENOSYS, "Internal", "the method %s is not in the daemon's table",
		  call_method(call));
	methods_fail(call, &error);
}

void methods_reply(struct call *call, const struct strbuf *out)
{
	call_reply(call, out, false);
	call_unref(call);
}

void methods_fail(struct call *call, const struct error *error)
{
	call_fail(call, error);
	call_unref(call);
}

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

static int read_selectors(const cJSON *options, struct session_options *o, struct error *error)
{
	_cleanup_(freep) int64_t *pids = NULL;
	const cJSON *selectors = NULL;
	const char *comm = NULL;
	int64_t uid = -1;
	int r;

	r = param_object(options, "selectors", PARAM_REQUIRED, &selectors, error);
	if (r >= 0)
		r = param_ints(selectors, "pids", PARAM_OPTIONAL, 1, INT32_MAX, &pids, &o->n_pids,
			       error);
	if (r >= 0)
		r = param_string(selectors, "comm", PARAM_OPTIONAL, &comm, error);
	if (r >= 0)
		r = param_int(selectors, "uid", PARAM_OPTIONAL, 0, UINT32_MAX, &uid, error);
	if (r < 0)
		return r;
	o->has_uid = uid >= 0;
	o->uid = (uint32_t)uid;
	o->comm = comm ? strdup(comm) : NULL;
	if (comm && !o->comm)
		return -ENOMEM;
	if (o->n_pids == 0)
		return 0;
	o->pids = calloc(o->n_pids, sizeof(*o->pids));
	if (!o->pids)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_pids; i++)
		o->pids[i] = (uint32_t)pids[i];
	return 0;
}

static int read_options(const cJSON *options, struct session_options *o, struct error *error)
{
	int64_t frequency = 0, min_duration = 0, max_depth = 0;
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
	if (r < 0)
		return r;
	o->frequency_hz = (uint32_t)frequency;
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
	if (o->stats_only && o->args)
		return error_set(error, EINVAL, "BadArgument",
				 "stats_only keeps no calls, so it cannot keep arguments");
	if (o->name && (strlen(o->name) > 64 || !o->name[0] || strpbrk(o->name, "/ \t\n")))
		return error_set(error, EINVAL, "BadArgument",
				 "name: \"%s\" is empty, too long or has a blank or a slash in it",
				 o->name);
	return 0;
}

int methods_session_options(struct call *call, struct session_options *ret)
{
	struct session_options o = {0};
	struct error error = {0};
	const cJSON *options = NULL;
	int r;

	r = param_object(call_params(call), "options", PARAM_REQUIRED, &options, &error);
	if (r >= 0)
		r = read_options(options, &o, &error);
	if (r >= 0)
		r = check_options(&o, &error);
	if (r < 0) {
		session_options_release(&o);
		error_set(&error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &error);
		return r;
	}
	*ret = o;
	return 0;
}

void methods_coverage(struct session *s, struct coverage *ret,
		      uint64_t losses[static LOSS_COUNTERS])
{
	uint64_t now[LOSS_COUNTERS], spans = s->n_spans;
	struct window kernel;

	for (size_t i = 0; i < LOSS_COUNTERS; i++)
		losses[i] = s->total.losses[i] + s->window.losses[i];
	if (s->reader)
		memcpy(losses, store_reader_total(s->reader)->losses, sizeof(now));
	if (s->has_slot && kernel_side_losses(s->context->kernel, s->slot, now) == 0)
		for (size_t i = 0; i < LOSS_COUNTERS; i++)
			losses[i] += now[i] - s->losses_seen[i];
	if (session_kernel_window(s, &kernel) == 0) {
		for (size_t i = 0; i < kernel.n_stats; i++)
			spans += kernel.stats[i].calls;
		window_release(&kernel);
	} else if (s->options.stats_only && !s->reader) {
		for (size_t i = 0; i < s->total.n_stats; i++)
			spans += s->total.stats[i].calls;
	}
	*ret = (struct coverage){
		.spans_lost =
			losses[LOSS_RING_SPAN] + losses[LOSS_TOO_DEEP] + losses[LOSS_NO_MEMORY],
		.samples_lost = losses[LOSS_RING_SAMPLE],
		.windows = s->windows,
	};
	ret->spans_seen = spans + losses[FILTERED_SPAN] + ret->spans_lost;
	ret->samples_seen = s->n_samples + ret->samples_lost;
}

void methods_write_session(struct json_writer *w, const char *key, struct session *s)
{
	uint64_t losses[LOSS_COUNTERS];
	struct coverage coverage;

	methods_coverage(s, &coverage, losses);
	json_object_begin(w, key);
	json_string(w, "name", s->name);
	json_string(w, "state", s->active ? "active" : "closed");
	json_array_begin(w, "kinds");
	if (s->options.n_specs > 0)
		json_string(w, NULL, "span");
	if (s->options.frequency_hz > 0)
		json_string(w, NULL, "cpu");
	json_array_end(w);
	json_array_begin(w, "specs");
	for (size_t i = 0; i < s->options.n_specs; i++)
		json_string(w, NULL, s->options.specs[i]);
	json_array_end(w);
	json_string(w, "targets", s->targets);
	json_u64(w, "probes", s->probes ? s->probes->n : session_recorded_probes(s));
	json_u64(w, "frequency", s->options.frequency_hz);
	json_u64(w, "started_us", s->started_us);
	json_u64(w, "spans", coverage.spans_seen - coverage.spans_lost - losses[FILTERED_SPAN]);
	json_u64(w, "samples", s->n_samples);
	answer_coverage(w, "coverage", &coverage);
	answer_losses(w, "losses", losses);
	json_object_end(w);
}
