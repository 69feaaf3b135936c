/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls as the kernel side sends them become spans of the session, or not. */
#include "control/session_calls.h"

#include "symbol/symbolizer.h"

void session_add_throw(struct session *s, const struct record_throw *r)
{
	struct model *m = s->context->model;
	struct thrown *t = &s->ahead.throws[r->tid % AHEAD_THROWS];
	_cleanup_(freep) char *text = NULL, *symbol = NULL;
	const char *name = r->type[0] == '*' ? r->type + 1 : r->type;
	static const char prefix[] = "typeinfo name for ";

	/* The type's name is what follows _ZTS in the symbol of that name. */
	if (*name && asprintf(&symbol, "_ZTS%s", name) >= 0)
		text = demangler_name(symbolizer_demangler(s->context->symbolizer), symbol,
				      DEMANGLE_FULL);
	if (text && startswith(text, prefix))
		name = text + strlen(prefix);
	*t = (struct thrown){
		.tid = r->tid,
		.time_ns = r->time_ns,
		.type = *name ? model_string(m, name) : 0,
		.message = r->message[0] ? model_string(m, r->message) : 0,
	};
}

void session_add_stack(struct session *s, const struct record_stack *r)
{
	struct session_ahead *c = &s->ahead;
	uint32_t process = processes_find_mapped(s->context->processes, r->pid);

	jit_begin(s->context->jit, process, r->time_ns);
	c->stack = process ? session_user_stack(s, process, r->h.flags, r->ips, r->user_count,
						session_take_python(s, r->tid, r->time_ns), NULL)
			   : 0;
	c->stack_tid = r->tid;
	c->stack_ns = r->time_ns;
}

/* One record a place; a thread's next replaces it, as only one is on its way. */
enum { PYTHON_PLACES = 32, PYTHON_WORDS = 4 + 2 * RECORD_MAX_PYTHON };
struct python_ahead {
	uint64_t words[PYTHON_PLACES][PYTHON_WORDS];
};

void session_add_python(struct session *s, const struct record_python *r)
{
	if (!s->ahead.python)
		s->ahead.python = calloc(1, sizeof(*s->ahead.python));
	if (s->ahead.python)
		memcpy(s->ahead.python->words[r->tid % PYTHON_PLACES], r,
		       sizeof(*r) + r->count * sizeof(r->frames[0]));
}

const struct record_python *session_take_python(struct session *s, uint32_t tid, uint64_t time_ns)
{
	const struct record_python *r;

	if (!s->ahead.python)
		return NULL;
	r = (const struct record_python *)s->ahead.python->words[tid % PYTHON_PLACES];
	return r->tid == tid && r->time_ns == time_ns ? r : NULL;
}

/* Whether the daemon's part of the condition lets the call through. */
static bool passes(struct session *s, const struct record_call *r)
{
	const struct call_plan *plan = session_calls_plan(s->calls);
	const struct planned_call *call = call_plan_get(plan, r->span.probe);
	bool undecided = r->span.h.flags & SPAN_UNDECIDED;
	struct expr_facts facts = {.call = r};
	const struct model *m = s->context->model;
	const struct model_process *process;
	char comm[RECORD_COMM_LEN + 1] = {0};

	if (!call || !call->where || (!undecided && !bound_has(call->where, EXPR_DAEMON)))
		return true;
	process = model_process_peek(m, processes_find(s->context->processes, r->span.pid));
	memcpy(comm, r->comm, RECORD_COMM_LEN);
	facts.comm = comm;
	facts.name = call_plan_name(plan, r->span.probe);
	facts.caller = r->caller ? call_plan_name(plan, r->caller - 1) : NULL;
	if (process && process->cgroup)
		facts.cgroup = model_string_get(m, process->cgroup);
	return bound_eval(call->where, undecided ? EXPR_WHOLE : EXPR_DAEMON, &facts);
}

/* The exception that a span ended by, if it was thrown while it was open. */
static void add_exception(struct session *s, const struct record_span *r, struct span_more *more)
{
	const struct thrown *t = &s->ahead.throws[r->tid % AHEAD_THROWS];

	if (!(r->h.flags & SPAN_UNWOUND) || t->tid != r->tid || t->time_ns < r->start_ns ||
	    t->time_ns > r->start_ns + r->duration_ns)
		return;
	more->exception_type = t->type;
	more->exception_message = t->message;
}

static bool has_more(const struct span_more *m)
{
	return m->args || m->values_len || m->offcpu_ns || m->stack || m->exception_type ||
	       m->exception_message;
}

/* The stack that was sent for the call that ended just then; each goes with one call. */
static uint32_t take_stack(struct session *s, const struct record_span *r)
{
	struct session_ahead *c = &s->ahead;
	bool fits = c->stack_tid == r->tid && c->stack_ns == r->start_ns + r->duration_ns;
	uint32_t stack = fits ? c->stack : 0;

	c->stack = 0;
	return stack;
}

void session_add_span(struct session *s, const struct record_span *r)
{
	struct span_more more = {.stack = take_stack(s, r)};

	add_exception(s, r, &more);
	session_keep_span(s, r, has_more(&more) ? &more : NULL);
}

void session_add_call(struct session *s, const struct record_call *r, size_t size)
{
	struct span_more more = {.offcpu_ns = r->offcpu_ns, .stack = take_stack(s, &r->span)};
	const struct session_options *o = &s->options;

	if ((!s->calls && !s->replay) || r->span.probe >= session_n_probes(s))
		return;
	if (s->calls && !passes(s, r)) {
		s->window.losses[FILTERED_SPAN]++;
		return;
	}
	/* What was only sent for a condition is not kept; what was kept once is. */
	if (r->span.h.flags & SPAN_ARGS && (o->args || s->replay))
		more.args = (const uint64_t *)r->args;
	if (r->span.h.flags & SPAN_VALUES && (o->args || o->n_captures || s->replay)) {
		more.values = r->values;
		more.values_len = (uint32_t)(size - offsetof(struct record_call, values));
		more.valid = r->valid;
	}
	if (s->ahead.values) {
		more.values = s->ahead.values;
		more.values_len = s->ahead.values_len;
		more.valid = r->valid;
		s->ahead.values = NULL;
	}
	add_exception(s, &r->span, &more);
	session_keep_span(s, &r->span, has_more(&more) ? &more : NULL);
}
