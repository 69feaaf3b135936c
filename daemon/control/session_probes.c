/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_probes.h"

#include "control/session_calls.h"
#include "control/session_source.h"
#include "control/session_targets.h"
#include "sonde/base/format.h"

static void free_specs(struct spec **specs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_free(specs[i]);
	free(specs);
}

static int parse_specs(const struct session_options *o, struct spec **specs, size_t *ret_n,
		       struct error *error)
{
	size_t total = o->n_specs + o->n_inside;

	for (*ret_n = 0; *ret_n < total;) {
		size_t i = *ret_n;
		const char *text = i < o->n_specs ? o->specs[i] : o->inside[i - o->n_specs];
		int r = spec_parse(text, &specs[i], error);

		if (r < 0)
			return r;
		(*ret_n)++;
	}
	return 0;
}

/* The processes of the options; the lists are the options' own and pids. */
static struct probe_target make_target(const struct session_options *o, pid_t *pids)
{
	for (size_t i = 0; i < o->n_pids; i++)
		pids[i] = (pid_t)o->pids[i];
	if (o->n_files > 0)
		return (struct probe_target){.files = (const char *const *)o->files,
					     .n_files = o->n_files};
	if (o->n_pids > 0)
		return (struct probe_target){
			.pids = pids, .n_pids = o->n_pids, .selected = o->pids_found};
	return (struct probe_target){.all = true};
}

static int make_plan(const struct session_options *o, int64_t monotonic_to_epoch_ns,
		     const struct call_plan *previous, struct call_plan **ret, struct error *error)
{
	const struct call_wishes wishes = {
		.where = o->where,
		.begin = o->begin,
		.stack_if = o->stack_if,
		.captures = o->captures,
		.n_captures = o->n_captures,
		.redact = o->redact,
		.n_redact = o->n_redact,
		.args = o->args,
		.types = !o->stats_only,
		.previous = previous,
	};

	return call_plan_new(&wishes, monotonic_to_epoch_ns, ret, error);
}

/* Kernels that have no multi links do not make calls of nops either: nothing needs measuring. */
static bool is_nop5_cheap(const struct session_options *o, struct session_context *c)
{
	return o->single_spans && c->can_multi && hit_costs_prefer_nop5(session_context_costs(c));
}

int session_resolve(const struct session_options *o, struct session_context *context,
		    struct call_plan **ret_plan, struct probe_set **ret, struct error *error)
{
	struct spec **specs = calloc(o->n_specs + o->n_inside + 1, sizeof(*specs));
	_cleanup_(freep) pid_t *pids = calloc(o->n_pids + 1, sizeof(*pids));
	_cleanup_(call_plan_freep) struct call_plan *plan = NULL;
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;
	struct resolve_options options = {
		.returns = o->returns,
		.single_spans = o->single_spans,
		.nop5_is_cheap = is_nop5_cheap(o, context),
		.n_gates = o->n_inside,
		.exceptions = !o->stats_only,
		.describe = call_plan_describe,
		.reader = context->reader,
	};
	struct probe_target target;
	size_t n = 0;
	int r;

	if (!specs || !pids) {
		free(specs);
		return -ENOMEM;
	}
	target = make_target(o, pids);
	r = parse_specs(o, specs, &n, error);
	if (r >= 0)
		r = make_plan(o, context->monotonic_to_epoch_ns, NULL, &plan, error);
	if (r >= 0) {
		options.demangler = symbolizer_demangler(context->symbolizer);
		call_plan_set_demangler(plan, options.demangler);
		options.arg = plan;
		options.want_types = call_plan_wants_types(plan);
		r = probe_resolve(&target, specs, n, &options, &set, error);
	}
	if (r >= 0)
		r = call_plan_bind(plan, set, error);
	free_specs(specs, n);
	if (r < 0)
		return r;
	*ret_plan = TAKE_PTR(plan);
	*ret = TAKE_PTR(set);
	return 0;
}

/*
 * Links that hold for one process leave forked children out, and a child's first calls are missed
 * until its own are made. Functions of the executable itself are probed for every process that
 * runs it instead, with a filter in the kernel that knows children from their birth: few others
 * run the same program. A library is everybody's: there only the targets may pay.
 */
static bool probe_by_filter(const struct session *s)
{
	const struct probe_set *set = s->probes;

	if (!session_has_targets(&s->options))
		return false;
	if (s->options.n_pids == 0)
		return true;
	for (size_t i = 0; i < set->n_files; i++) {
		const char *base = strrchr(set->files[i].path, '/');

		if (strstr(base ? base : set->files[i].path, ".so"))
			return false;
	}
	return true;
}

static int register_probes(struct session *s)
{
	struct model *m = s->context->model;
	const struct probe_set *set = s->probes;
	_cleanup_(freep) uint32_t *files = calloc(MAX(set->n_files, 1U), sizeof(*files));

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_files; i++)
		files[i] = model_file(m, NULL, set->files[i].path, 0);
	for (size_t i = 0; i < set->n; i++) {
		const struct probe_point *point = &set->points[i];
		const struct planned_call *call =
			call_plan_get(session_calls_plan(s->calls), (uint32_t)i);
		const char *name = call_plan_name(session_calls_plan(s->calls), (uint32_t)i);
		_cleanup_(freep) char *signature = call ? signature_encode(call->signature) : NULL;
		struct model_probe probe = {
			.spec = model_string(m, point->spec < s->options.n_specs
							? s->options.specs[point->spec]
							: point->symbol),
			.symbol = model_string(m, point->symbol),
			.name = model_string(m, *name ? name : point->symbol),
			.file = files[point->file],
			.offset = point->offset,
			.strategy = model_string(m, session_probe_strategy(s, i)),
			.skipped = point->skipped,
			.signature = signature ? model_string(m, signature) : 0,
		};
		uint32_t id = model_probe(m, &probe);

		if (!id)
			return -ENOMEM;
		if (i == 0)
			s->first_probe = id;
	}
	return 0;
}

static size_t count_kernel(const struct probe_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += set->points[i].kernel;
	return n;
}

static void find_kernel_ways(struct session_context *c)
{
	if (c->kernel_ways_known)
		return;
	c->can_kernel_multi = attach_probe_kprobe_multi() == 0;
	c->can_kernel_perf = attach_probe_kprobe() == 0;
	c->can_kernel_tracing = attach_probe_fentry() == 0;
	c->kernel_ways_known = true;
}

static int load_tracing(void *arg, bool is_return, uint32_t btf_id, const char *function)
{
	struct session *s = arg;

	(void)btf_id;
	return span_program_load_tracing(s->program, function, is_return);
}

/* Programs of fentry cannot ask conditions, as they are of another type than these. */
static int check_fentry(const struct session *s, bool *ret_allowed, struct error *error)
{
	const struct session_options *o = &s->options;
	bool asks = o->where || o->begin || o->stack_if, insists = false;
	int r;

	for (size_t i = 0; i < s->probes->n; i++)
		insists |= s->probes->points[i].fentry;
	*ret_allowed = s->context->can_kernel_tracing && (insists || !asks);
	if (!insists || (!o->begin && !o->stack_if && !(o->where && o->stats_only)))
		return 0;
	r = error_set(
		error, EOPNOTSUPP, "NotSupported",
		"fentry: probes cannot ask --begin, --stack-if, or --where with --stats-only");
	error_fix(error, "write kprobe: instead");
	return r;
}

static int attach_kernel(struct session *s, struct error *error)
{
	const struct session_context *c = s->context;
	int entry = span_program_fd(s->program, SPAN_PART_KERNEL_ENTRY);
	int ret = span_program_fd(s->program, SPAN_PART_KERNEL_RETURN);
	struct kernel_programs programs = {
		.multi_entry = c->can_kernel_multi ? entry : -1,
		.multi_return = c->can_kernel_multi ? ret : -1,
		.perf_entry = c->can_kernel_multi || !c->can_kernel_perf ? -1 : entry,
		.perf_return = c->can_kernel_multi || !c->can_kernel_perf ? -1 : ret,
		.arg = s,
	};
	bool tracing;
	int r;

	if (count_kernel(s->probes) == 0)
		return 0;
	r = check_fentry(s, &tracing, error);
	if (r < 0)
		return r;
	if (tracing)
		programs.load_tracing = load_tracing;
	return kernel_attachment_new(&programs, s->probes, &s->kernel_attachment, error);
}

/* Those that were selected by what they are may have ended since. */
static bool is_passed_over(const struct session_options *o, int r, struct error *error)
{
	if (r != -ESRCH || !o->pids_found)
		return false;
	*error = (struct error){};
	return true;
}

static int attach_pids(struct session *s, const struct attach_programs *programs,
		       enum attach_mode mode, bool by_filter, struct error *error)
{
	const struct session_options *o = &s->options;
	const bool each = o->n_pids > 0 && !by_filter;
	size_t i = 0;
	int r;

	do
		r = attachment_new(programs, mode, s->probes, each ? (pid_t)o->pids[i] : 0,
				   &s->attachment, error);
	while (each && ++i < o->n_pids && is_passed_over(o, r, error));
	if (r < 0)
		return r;
	s->follows_forks = each;
	for (; each && i < o->n_pids; i++) {
		r = attachment_add_pid(s->attachment, (pid_t)o->pids[i], error);
		if (r < 0 && !is_passed_over(o, r, error))
			return r;
	}
	return 0;
}

static int attach_all(struct session *s, bool by_filter, struct error *error)
{
	struct attach_programs programs = {
		.entry = span_program_fd(s->program, SPAN_PART_ENTRY),
		.ret = span_program_fd(s->program, SPAN_PART_RETURN),
		.session = span_program_fd(s->program, SPAN_PART_SESSION),
		.site = span_program_fd(s->program, SPAN_PART_SITE),
		.throw = span_program_fd(s->program, SPAN_PART_THROW),
		.catch = span_program_fd(s->program, SPAN_PART_CATCH),
		.static_entry = span_program_fd(s->program, SPAN_PART_STATIC_ENTRY),
		.static_return = span_program_fd(s->program, SPAN_PART_STATIC_RETURN),
		.static_instant = span_program_fd(s->program, SPAN_PART_STATIC_INSTANT),
		.source_thread = span_program_fd(s->program, SPAN_PART_SOURCE_THREAD),
		.source_batch = span_program_fd(s->program, SPAN_PART_SOURCE_BATCH),
		.source_single = span_program_fd(s->program, SPAN_PART_SOURCE_SINGLE),
	};
	enum attach_mode mode = programs.session >= 0	? ATTACH_SESSION
				: s->context->can_multi ? ATTACH_MULTI
							: ATTACH_PERF;
	int r = attach_kernel(s, error);

	if (r < 0 || count_kernel(s->probes) == s->probes->n)
		return r;
	return attach_pids(s, &programs, mode, by_filter, error);
}

/* Goroutines have stacks of their own, so one session cannot follow both kinds of code. */
static int check_go(const struct probe_set *set, bool *ret_go, struct error *error)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < set->n; i++)
		n += set->files[set->points[i].file].is_go;
	*ret_go = n > 0;
	if (n == 0 || n == set->n)
		return 0;
	r = error_set(error, EOPNOTSUPP, "NotSupported",
		      "functions of a Go program cannot be followed together with those of other "
		      "files or of the kernel");
	error_fix(error, "probe them in two sessions");
	return r;
}

/* Whether there is anything but spans written in source code. */
static bool follows_calls(const struct session *s)
{
	for (size_t i = 0; i < s->probes->n; i++)
		if (s->probes->points[i].role != ROLE_SOURCE)
			return true;
	return false;
}

static int load_programs(struct session *s, bool by_filter, struct error *error)
{
	const struct session_options *o = &s->options;
	const struct call_plan *plan = session_calls_plan(s->calls);
	struct span_options options = {
		.slot = s->slot,
		.path_seed = now_monotonic_ns() * 0x9E3779B97F4A7C15ULL + s->slot,
		.n_probes = (uint32_t)s->probes->n,
		.multi = s->context->can_multi,
		.session_link = s->context->can_session_link,
		.filter_targets = by_filter,
		.errors_only = o->errors_only,
		.unwound_only = o->unwound_only,
		.null_is_error = o->null_is_error,
		.stats_only = o->stats_only,
		.rich = call_plan_is_rich(plan),
		.use_info = session_infos_matter(s->probes, plan),
		.has_gates = o->n_inside > 0,
		.sites = s->probes->n_sites > 0,
		.stacks = o->stack_if || s->kind == SESSION_ATTACHED, /* it may be asked later */
		.offcpu = call_plan_wants(plan) & WANT_OFFCPU,
		.kernel = count_kernel(s->probes) > 0,
		.max_depth = o->max_depth,
		.min_duration_ns = o->min_duration_ns,
	};
	int r = check_go(s->probes, &options.goroutines, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->probes->n; i++) {
		const struct probe_point *p = &s->probes->points[i];

		options.throws |= p->role == ROLE_THROW || p->role == ROLE_CATCH;
		options.statics |= p->is_static && p->role != ROLE_SOURCE;
		options.sources |= p->role == ROLE_SOURCE;
	}
	if (options.kernel)
		find_kernel_ways(s->context);
	options.kernel_multi = s->context->can_kernel_multi;
	/* Of spans written in source code the daemon decides: there are no calls. */
	options.only_sources = options.sources && !follows_calls(s);
	s->takes_conditions = options.rich || options.only_sources;
	s->takes_offcpu = options.offcpu;
	if (options.only_sources)
		options.rich = options.use_info = options.stacks = false;
	r = span_program_load(s->context->kernel, &options, error, &s->program);
	if (r >= 0 && !options.only_sources &&
	    (options.rich || options.use_info || options.sites || options.has_gates))
		r = session_calls_apply(s, error);
	return r;
}

int session_start_spans(struct session *s, struct error *error)
{
	const struct session_options *o = &s->options;
	struct call_plan *plan;
	bool by_filter;
	int r;

	r = session_resolve(o, s->context, &plan, &s->probes, error);
	if (r >= 0)
		r = session_calls_new(plan, &s->calls);
	if (r >= 0 && session_wants_sources(s))
		r = session_sources_start(s, error);
	if (r < 0)
		return r;
	by_filter = probe_by_filter(s);
	/* Probes of kernel functions are hit by whoever calls them. */
	r = load_programs(s, by_filter || (session_has_targets(o) && count_kernel(s->probes) > 0),
			  error);
	if (r < 0)
		return r;
	s->first_target = o->n_pids > 0 ? o->pids[0] : 0;
	span_program_set_first_target(s->program, s->first_target);
	r = attach_all(s, by_filter, error);
	if (r >= 0)
		r = register_probes(s);
	if (r >= 0)
		span_program_set_active(s->program, true);
	return r;
}

/* History is read by the newest signatures, which have all that the earlier ones had. */
static void rename_signatures(struct session *s)
{
	struct model *m = s->context->model;

	for (uint32_t i = 0; i < s->probes->n; i++) {
		const struct planned_call *call = call_plan_get(session_calls_plan(s->calls), i);
		_cleanup_(freep) char *signature = call ? signature_encode(call->signature) : NULL;

		if (signature)
			model_probe_sign(m, s->first_probe + i, model_string(m, signature));
	}
}

/* What the loaded programs were not made for takes loading them again, and so attaching. */
static int check_replacement(const struct session *s, const struct call_plan *plan,
			     struct error *error)
{
	int r = 0;

	if (!s->takes_conditions)
		r = error_set(
			error, EINVAL, "BadArgument",
			"session \"%s\" was attached without a condition, --args or --capture, "
			"at the lowest cost: its probes cannot ask one",
			s->name);
	else if (call_plan_wants(plan) & WANT_OFFCPU && !s->takes_offcpu)
		r = error_set(error, EINVAL, "BadArgument",
			      "session \"%s\" does not follow time off the CPU", s->name);
	if (r < 0)
		error_fix(error, "detach it and attach it with the condition: sonde detach %s",
			  s->name);
	return r;
}

int session_set_conditions(struct session *s, struct session_options *o, struct error *error)
{
	struct session_options *own = &s->options, wanted = *own;
	_cleanup_(call_plan_freep) struct call_plan *plan = NULL;
	int r;

	wanted.where = o->where;
	wanted.begin = o->begin;
	wanted.stack_if = o->stack_if;
	r = make_plan(&wanted, s->context->monotonic_to_epoch_ns, session_calls_plan(s->calls),
		      &plan, error);
	if (r >= 0) {
		call_plan_set_demangler(plan, symbolizer_demangler(s->context->symbolizer));
		probe_set_prepare_names(s->probes, 0, symbolizer_demangler(s->context->symbolizer));
	}
	if (r >= 0)
		r = probe_set_describe(s->probes, s->context->reader, call_plan_describe, plan,
				       error);
	if (r >= 0)
		r = call_plan_bind(plan, s->probes, error);
	if (r >= 0)
		r = check_replacement(s, plan, error);
	if (r >= 0 && s->sources)
		r = session_sources_set_where(s, o->where, error);
	if (r < 0)
		return r;
	if (follows_calls(s))
		r = session_calls_replace(s, TAKE_PTR(plan), error);
	if (r < 0) {
		/* Both have the new condition, or both keep theirs. */
		if (s->sources)
			(void)session_sources_set_where(s, own->where, NULL);
		return r;
	}
	free(own->where);
	free(own->begin);
	free(own->stack_if);
	own->where = TAKE_PTR(o->where);
	own->begin = TAKE_PTR(o->begin);
	own->stack_if = TAKE_PTR(o->stack_if);
	rename_signatures(s);
	return 0;
}
