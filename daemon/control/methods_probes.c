/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes: what a session would do, and what each call would pay for it. */
#include "control/methods.h"

#include "varlink/params.h"

/* What a call costs: the entry's hit, and the return probe or the dearest of the sites. */
static uint32_t call_cost(const struct hit_costs *costs, const struct probe_set *set,
			  uint32_t index, bool session_link)
{
	const struct probe_point *p = &set->points[index];
	uint32_t entry = costs->hit_ns[p->hit], site = 0;

	/* Of kernel functions neither the cost nor, before they are attached, the way is known. */
	if (!entry || p->kernel)
		return 0;
	if (p->role == ROLE_SOURCE)
		return entry;
	if (p->is_static)
		return entry +
		       (p->n_ends ? costs->hit_ns[set->points[index + p->n_begins - p->back].hit]
				  : 0);
	if (p->ret == RETURN_PROBE && session_link && p->hit == HIT_EMULATED)
		return costs->session_ns;
	if (p->ret == RETURN_PROBE)
		return entry + costs->return_ns;
	for (uint32_t i = 0; i < p->n_sites; i++)
		site = MAX(site, costs->hit_ns[set->sites[p->first_site + i].hit]);
	return entry + site;
}

static const char *hit_name(enum hit_kind hit)
{
	switch (hit) {
	case HIT_OPTIMISED:
		return "optimised";
	case HIT_EMULATED:
		return "emulated";
	case HIT_STEPPED:
		return "stepped";
	case HIT_KINDS:
		break;
	}
	return "";
}

struct answer {
	const struct session_options *options;
	const struct probe_set *set;
	const struct call_plan *plan;
	const struct hit_costs *costs;
	const char *strategy;
};

static void write_probe(struct json_writer *w, const struct answer *a, uint32_t i)
{
	const struct probe_point *p = &a->set->points[i];
	const struct probe_file *file = &a->set->files[p->file];
	const struct planned_call *call = call_plan_get(a->plan, i);
	_cleanup_(strbuf_release) struct strbuf type = {0};

	if (call)
		signature_print_type(call->signature, call_plan_name(a->plan, i), &type);
	json_object_begin(w, NULL);
	json_string(w, "spec", p->spec < a->options->n_specs ? a->options->specs[p->spec] : "");
	json_string(w, "binary", file->path);
	json_string(w, "symbol", p->symbol);
	json_hex(w, "offset", p->offset);
	json_u64(w, "skipped_bytes", p->skipped);
	json_string(w, "instruction", p->instruction);
	json_string(w, "hit", p->kernel ? "" : hit_name(p->hit));
	json_string(w, "returns",
		    p->kernel			 ? "return"
		    : p->role == ROLE_SOURCE	 ? (p->source == SOURCE_AT_BATCH ? "batch" : "span")
		    : p->is_static && !p->n_ends ? "instant"
		    : p->ret == RETURN_SITES	 ? "sites"
						 : "uretprobe");
	json_u64(w, "sites", p->is_static ? p->n_ends : p->n_sites);
	json_string(w, "reason", p->reason ? p->reason : "");
	json_u64(w, "cost_ns", call_cost(a->costs, a->set, i, streq(a->strategy, "session")));
	json_string(w, "type", type.data ? type.data : "");
	json_string(w, "strategy", p->fentry ? "fentry" : p->kernel ? "kernel" : a->strategy);
	json_string(w, "note",
		    file->deleted ? "the file has been deleted or replaced since"
		    : p->role == ROLE_SOURCE
			    ? "which spans there are is known when they run; the cost "
			      "is that of a hit"
			    : "");
	json_object_end(w);
}

static void write_condition(struct json_writer *w, const char *option, const char *function,
			    const struct bound *b)
{
	const struct expr_use *uses;
	size_t n;

	if (!b)
		return;
	uses = bound_uses(b, &n);
	json_object_begin(w, NULL);
	json_string(w, "option", option);
	json_string(w, "function", function);
	json_string(w, "kernel", bound_text(b, EXPR_KERNEL));
	json_string(w, "daemon", bound_text(b, EXPR_DAEMON));
	json_array_begin(w, "uses");
	for (size_t i = 0; i < n; i++) {
		json_object_begin(w, NULL);
		json_string(w, "text", uses[i].text);
		json_string(w, "type", uses[i].type);
		json_string(w, "decided", uses[i].part == EXPR_DAEMON ? "daemon" : "kernel");
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
}

/* As they are for the first function: for others, names of arguments may have other types. */
static void write_conditions(struct json_writer *w, const struct answer *a)
{
	const struct planned_call *call = NULL;
	uint32_t first = 0;

	while (first < a->set->n && a->set->points[first].role != ROLE_SPAN)
		first++;
	call = call_plan_get(a->plan, first);
	json_array_begin(w, "conditions");
	if (call) {
		const char *function = call_plan_name(a->plan, first);

		write_condition(w, "where", function, call->where);
		write_condition(w, "begin", function, call->begin);
		write_condition(w, "stack_if", function, call->stack_if);
	}
	json_array_end(w);
}

static bool is_shown(const struct probe_point *p)
{
	return p->role == ROLE_SPAN || p->role == ROLE_GATE ||
	       (p->role == ROLE_SOURCE && p->source != SOURCE_AT_THREAD);
}

static bool has_statics(const struct probe_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->points[i].is_static)
			return true;
	return false;
}

static void write_answer(struct json_writer *w, const struct answer *a, size_t limit)
{
	size_t shown = 0;

	json_object_begin(w, NULL);
	json_array_begin(w, "probes");
	for (uint32_t i = 0; i < a->set->n; i++)
		if (is_shown(&a->set->points[i]) && (limit == 0 || shown < limit)) {
			write_probe(w, a, i);
			shown++;
		}
	json_array_end(w);
	shown = 0;
	for (uint32_t i = 0; i < a->set->n; i++)
		shown += is_shown(&a->set->points[i]);
	json_u64(w, "total", shown);
	methods_write_left_out(w, a->set, NULL);
	methods_write_notes(w, a->plan);
	write_conditions(w, a);
	json_object_end(w);
}

void method_probes(struct daemon *d, struct call *call)
{
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;
	_cleanup_(call_plan_freep) struct call_plan *plan = NULL;
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct session_options o = {0};
	struct error error = {0};
	struct json_writer w;
	int64_t limit = 0;
	int r;

	if (methods_session_options(call, &o) < 0)
		return;
	r = param_int(call_params(call), "limit", PARAM_OPTIONAL, 0, INT32_MAX, &limit, &error);
	if (r >= 0)
		r = session_resolve(&o, &d->context, &plan, &set, &error);
	if (r >= 0) {
		bool flat = o.stats_only && d->context.can_session_link && set->n_sites == 0 &&
			    !call_plan_is_rich(plan) && !o.n_inside && !has_statics(set);
		const struct answer a = {
			.options = &o,
			.set = set,
			.plan = plan,
			.costs = session_context_costs(&d->context),
			.strategy = flat		   ? "session"
				    : d->context.can_multi ? "multi"
							   : "perf",
		};

		json_begin(&w, &out);
		write_answer(&w, &a, (size_t)limit);
	}
	session_options_release(&o);
	if (r < 0) {
		error_set(&error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &error);
		return;
	}
	methods_reply(call, &out);
}
