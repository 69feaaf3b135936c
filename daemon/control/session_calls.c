/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_calls.h"

#include <linux/bpf.h>

#include "expr/code.h"

/* Conditions take one half of the program array, their replacements the other. */
enum { BANK = (PROGRAMS_MAX - PROGRAM_FIRST) / 2 };

/* A program that is loaded, known by its instructions. */
struct loaded {
	struct bpf_insn *insns;
	size_t n;
	uint16_t index;
	bool kernel;
};

struct session_calls {
	struct call_plan *plan;
	struct loaded *programs;
	size_t n_programs, cap;
	unsigned int bank; /* 0 or 1: where the programs in force are */
};

static void forget_programs(struct session_calls *c)
{
	for (size_t i = 0; i < c->n_programs; i++)
		free(c->programs[i].insns);
	c->n_programs = 0;
}

int session_calls_new(struct call_plan *plan, struct session_calls **ret)
{
	struct session_calls *c = calloc(1, sizeof(*c));

	if (!c) {
		call_plan_free(plan);
		return -ENOMEM;
	}
	c->plan = plan;
	*ret = c;
	return 0;
}

struct session_calls *session_calls_free(struct session_calls *c)
{
	if (!c)
		return NULL;
	call_plan_free(c->plan);
	forget_programs(c);
	free(c->programs);
	free(c);
	return NULL;
}

const struct call_plan *session_calls_plan(const struct session_calls *c)
{
	return c->plan;
}

static struct loaded *find_program(struct session_calls *c, const struct bpf_insn *insns, size_t n,
				   bool kernel)
{
	for (size_t i = c->n_programs; i-- > 0;) {
		struct loaded *l = &c->programs[i];

		if (l->kernel == kernel && l->n == n &&
		    memcmp(l->insns, insns, n * sizeof(*insns)) == 0)
			return l;
	}
	return NULL;
}

/* What a condition's program is called with, and where it goes on. */
struct outcome {
	int on_true, on_false;
};

/* Returns the element of the program array the condition is in, or -errno. */
static int install(struct session *s, struct session_calls *c, const struct bound *b, bool kernel,
		   struct outcome outcome, struct error *e)
{
	_cleanup_(freep) struct bpf_insn *insns = NULL;
	struct span_condition_target where;
	struct expr_target target;
	struct loaded *l;
	size_t n;
	int r, fd;

	span_program_condition_target(s->program, kernel, &where);
	target = (struct expr_target){
		.facts_fd = where.facts_fd,
		.task_storage = true,
		.verdict_fd = where.verdict_fd,
		.on_true = outcome.on_true,
		.on_false = outcome.on_false,
	};
	r = bound_compile(b, &target, &insns, &n);
	if (r < 0)
		return r;
	l = find_program(c, insns, n, kernel);
	if (l)
		return l->index;
	if (c->n_programs >= BANK) {
		r = error_set(
			e, E2BIG, "TooMany",
			"the condition means something else in each of more than %d functions",
			BANK);
		error_fix(e, "narrow the probe specification, or use arg0 ... arg5");
		return r;
	}
	r = array_reserve(&c->programs, &c->cap, c->n_programs + 1, sizeof(*c->programs));
	if (r < 0)
		return r;
	fd = bound_load(b, &target, where.prog_type, where.attach_type, e);
	if (fd < 0)
		return fd;
	l = &c->programs[c->n_programs];
	*l = (struct loaded){.n = n, .kernel = kernel};
	l->index = (uint16_t)(PROGRAM_FIRST + c->bank * BANK + c->n_programs);
	r = span_program_set_condition(s->program, kernel, l->index, fd);
	safe_close(fd);
	if (r < 0)
		return r;
	l->insns = TAKE_PTR(insns);
	c->n_programs++;
	return l->index;
}

/* The elements that a probe's calls are decided by. */
static int install_conditions(struct session *s, struct session_calls *c,
			      const struct planned_call *call, const struct probe_point *p,
			      struct probe_info *info, struct error *e)
{
	bool kernel = p->kernel;
	struct outcome end = {PROGRAM_EMIT, PROGRAM_REJECT};
	int r;

	if (call->stack_if) {
		r = install(s, c, call->stack_if, kernel,
			    (struct outcome){PROGRAM_EMIT_STACK, PROGRAM_EMIT}, e);
		if (r < 0)
			return r;
		end.on_true = r;
		info->end = (uint16_t)r;
	}
	if (call->where && bound_has(call->where, EXPR_KERNEL)) {
		r = install(s, c, call->where, kernel, end, e);
		if (r < 0)
			return r;
		info->end = (uint16_t)r;
	}
	if (call->begin && bound_has(call->begin, EXPR_KERNEL) && p->is_static && p->n_ends == 0) {
		/* An instant begins and ends at once: both are asked then. */
		end.on_true = info->end ? info->end : PROGRAM_EMIT;
		r = install(s, c, call->begin, false, end, e);
		if (r < 0)
			return r;
		info->end = (uint16_t)r;
	} else if (call->begin && bound_has(call->begin, EXPR_KERNEL)) {
		r = install(s, c, call->begin, kernel, (struct outcome){-1, PROGRAM_HIDE}, e);
		if (r < 0)
			return r;
		info->begin = (uint16_t)r;
	}
	return 0;
}

static void describe_result(const struct signature *signature, struct probe_info *info)
{
	uint8_t size = 0;

	switch (signature_error_rule(signature, &size)) {
	case RESULT_SIGNED:
		info->flags |= PROBE_RESULT_SIGNED;
		break;
	case RESULT_UNSIGNED:
		info->flags |= PROBE_RESULT_UNSIGNED;
		break;
	case RESULT_UNKNOWN:
		break;
	}
	info->result_size = size;
}

static int describe_probe(struct session *s, struct session_calls *c, uint32_t i,
			  struct probe_info *info, struct error *e)
{
	const struct planned_call *call = call_plan_get(c->plan, i);
	const struct probe_point *p = &s->probes->points[i];

	*info = (struct probe_info){
		.code_size = p->size,
		.sp_below = p->sp_below,
		.kept_args = (uint8_t)~p->lost_args,
		.flags = (p->role == ROLE_GATE ? PROBE_GATE | PROBE_HIDDEN : 0) |
			 (p->gate ? PROBE_GATE : 0),
	};
	if (!call || p->role != ROLE_SPAN)
		return 0;
	describe_result(call->signature, info);
	info->kept_args &= signature_kept_args(call->signature);
	info->values_len = (uint16_t)signature_values_len(call->signature);
	return install_conditions(s, c, call, p, info, e);
}

bool session_infos_matter(const struct probe_set *set, const struct call_plan *plan)
{
	for (uint32_t i = 0; i < set->n; i++) {
		const struct planned_call *call = call_plan_get(plan, i);
		uint8_t size;

		if (set->points[i].role == ROLE_SOURCE)
			continue;
		if (set->points[i].sp_below || set->points[i].gate || set->points[i].is_static ||
		    (call && signature_error_rule(call->signature, &size) != RESULT_UNKNOWN))
			return true;
	}
	return false;
}

/* Rows of captures, then the rest: a call that begins in between finds what it needs. */
static int tell_probes(struct session *s, struct session_calls *c, const struct probe_info *infos,
		       struct error *e)
{
	bool rich = call_plan_is_rich(c->plan);
	int r = 0;

	for (uint32_t i = 0; i < s->probes->n && r >= 0; i++) {
		const struct planned_call *call = call_plan_get(c->plan, i);
		const struct fetch *fetches;
		size_t n;

		if (rich && call) {
			fetches = signature_fetches(call->signature, &n);
			r = span_program_set_fetches(s->program, i, fetches, n);
		}
		if (r >= 0 && s->probes->points[i].role == ROLE_END)
			r = span_program_set_fetches(s->program, i, &s->probes->points[i].result,
						     1);
		if (r >= 0)
			r = span_program_set_info(s->program, i, &infos[i]);
	}
	if (r < 0)
		error_set(e, -r, "AttachFailed", "the kernel does not take the probes' table: %s",
			  strerror(-r));
	return r;
}

static bool is_shared(const struct session *s, const struct session_calls *c,
		      const struct probe_info *infos)
{
	for (uint32_t i = 0; i < s->probes->n; i++)
		if (s->probes->points[i].role == ROLE_SPAN && infos[i].end != PROGRAM_FIRST)
			return false;
	return c->bank == 0;
}

static int apply(struct session *s, struct session_calls *c, struct error *e)
{
	_cleanup_(freep) struct probe_info *infos = calloc(s->probes->n + 1, sizeof(*infos));
	int r = 0;

	if (!infos)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->probes->n && r >= 0; i++)
		r = describe_probe(s, c, i, &infos[i], e);
	if (r < 0)
		return r;
	span_program_share_condition(s->program, false);
	r = tell_probes(s, c, infos, e);
	if (r < 0)
		return r;
	span_program_set_wants(s->program, call_plan_wants(c->plan),
			       call_plan_sends_calls(c->plan));
	if (is_shared(s, c, infos))
		span_program_share_condition(s->program, true);
	return 0;
}

int session_calls_apply(struct session *s, struct error *e)
{
	return apply(s, s->calls, e);
}

int session_calls_replace(struct session *s, struct call_plan *plan, struct error *e)
{
	_cleanup_(session_calls_freep) struct session_calls *next = NULL;
	struct session_calls *old = s->calls;
	int r = session_calls_new(plan, &next);

	if (r < 0)
		return r;
	next->bank = !old->bank;
	/* Until all probes have changed over, both conditions must find what they ask for. */
	span_program_set_wants(s->program, call_plan_wants(old->plan) | call_plan_wants(plan),
			       true);
	r = apply(s, next, e);
	if (r < 0) {
		(void)apply(s, old, NULL);
		return r;
	}
	for (size_t i = 0; i < old->n_programs; i++)
		(void)span_program_set_condition(s->program, old->programs[i].kernel,
						 old->programs[i].index, -1);
	s->calls = TAKE_PTR(next);
	session_calls_free(old);
	return 0;
}
