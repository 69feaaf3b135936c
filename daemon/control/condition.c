/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/condition.h"

#include "control/source_facts.h"
#include "expr/expr.h"
#include "probe/signature.h"
#include "probe/spec.h"
#include <stdarg.h>

enum {
	TRIES = 64,    /* functions that are asked whether the condition means anything at all */
	MAX_NOTES = 4, /* see span_condition_finish() */
};

enum state { NOT_BOUND, BOUND, MEANINGLESS };

/* A function: bound once for spans that have arguments and once for those that have none. */
struct function {
	char *signature_text;	   /* NULL: none */
	char *name, *binary, *cat; /* copies, made with the first span */
	struct signature *signature;
	enum state state[2];
	struct bound *bound[2];
};

struct process_facts {
	uint32_t uid;
	char *cgroup; /* NULL: not known */
};

struct span_condition {
	struct expr *expr;
	int64_t monotonic_to_epoch_ns;
	struct signature *unknown; /* of functions that nothing is known of */
	/* By the model's ids; [0] is unused. */
	struct function *functions;
	uint32_t *function_of; /* of each path */
	struct process_facts *processes;
	size_t n_functions, n_paths, n_processes;

	size_t n_bound, n_meaningless;
	struct error first_error;
	char *first_name; /* of the function it came from */
	bool no_memory;
	bool needs_offcpu, saw_offcpu;
	char *missing; /* what it says of arguments; NULL: nothing */
	uint64_t n_with_args, n_without;
	struct error no_ret; /* of the first function without a result */
	bool has_ret;	     /* of those with spans, any has one */
	char *notes[MAX_NOTES];
	size_t n_notes;
	struct record_call call; /* the span at hand */
};

struct span_condition *span_condition_free(struct span_condition *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; c->functions && i <= c->n_functions; i++) {
		struct function *f = &c->functions[i];

		bound_free(f->bound[0]);
		bound_free(f->bound[1]);
		signature_free(f->signature);
		free(f->signature_text);
		free(f->name);
		free(f->binary);
		free(f->cat);
	}
	for (size_t i = 0; c->processes && i <= c->n_processes; i++)
		free(c->processes[i].cgroup);
	for (size_t i = 0; i < c->n_notes; i++)
		free(c->notes[i]);
	free(c->functions);
	free(c->function_of);
	free(c->processes);
	free(c->first_name);
	free(c->missing);
	signature_free(c->unknown);
	expr_free(c->expr);
	free(c);
	return NULL;
}

static _printf_(2, 3) void note(struct span_condition *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&c->notes[c->n_notes], format, ap) >= 0)
		c->n_notes++;
	va_end(ap);
}

struct binder {
	struct span_condition *condition;
	struct signature *signature;
	bool has_args;
};

/* Functions without a result have an undefined one: there are some in nearly every session. */
static int bind_ret(struct binder *b, const struct expr_ref *ref, struct expr_binding *ret)
{
	struct error error = {};
	int r = signature_bind(b->signature, ref, ret, &error);

	if (r >= 0) {
		b->condition->has_ret = true;
		return r;
	}
	if (!b->condition->no_ret.name[0])
		b->condition->no_ret = error;
	*ret = (struct expr_binding){
		.kind = EXPR_INT, .place = EXPR_NOWHERE, .size = 8, .is_signed = true};
	return 0;
}

static int bind_ref(void *arg, const struct expr_ref *ref, struct expr_binding *ret,
		    struct error *e)
{
	struct binder *b = arg;
	struct expr_binding binding = {};
	int r;

	if (ref->kind == EXPR_REF_RET && ref->n_steps == 0 && !ref->str)
		return bind_ret(b, ref, ret);
	r = signature_bind(b->signature, ref, &binding, e);
	if (r < 0)
		return r;
	if (binding.place == EXPR_IN_ARG && !b->has_args &&
	    !signature_bind_captured(b->signature, ref, &binding)) {
		binding.place = EXPR_NOWHERE;
		if (!b->condition->missing)
			b->condition->missing = strdup(ref->text);
	}
	*ret = binding;
	return r;
}

/* What is known of a function's arguments; decoded when it is asked for the first time. */
static struct signature *signature_of(struct span_condition *c, struct function *f)
{
	if (f->signature_text && !f->signature &&
	    signature_decode(f->signature_text, &f->signature) < 0)
		free(TAKE_PTR(f->signature_text)); /* of a newer sonde, or damaged */
	return f->signature ? f->signature : c->unknown;
}

static int bind(struct span_condition *c, struct function *f, const char *name, const char *binary,
		bool has_args, struct bound **ret, struct error *error)
{
	struct binder binder = {c, signature_of(c, f), has_args};
	struct expr_scope scope = {
		.stage = EXPR_AT_END,
		.name = name,
		.binary = binary,
		.cat = f->cat,
		.monotonic_to_epoch_ns = c->monotonic_to_epoch_ns,
		.bind = bind_ref,
		.arg = &binder,
	};

	if (!f->cat) {
		const char *category = signature_category(binder.signature);

		f->cat = category ? strdup(category)
				  : strndup(scope.binary, spec_library_stem(scope.binary));
		if (!f->cat)
			return -ENOMEM;
		scope.cat = f->cat;
	}
	return expr_bind(c->expr, &scope, ret, error);
}

/* With the first span of a function. The names are copied, as what is bound borrows them. */
static int bind_function(struct span_condition *c, struct function *f, const struct span_row *row)
{
	bool has_args = row->more.args;
	struct error error = {};
	int r;

	if (!f->name) {
		f->name = strdup(row->name);
		f->binary = strdup(row->binary);
		if (!f->name || !f->binary)
			return -ENOMEM;
	}
	r = bind(c, f, f->name, f->binary, has_args, &f->bound[has_args], &error);
	if (r == -ENOMEM)
		return r;
	f->state[has_args] = r < 0 ? MEANINGLESS : BOUND;
	if (r >= 0) {
		c->n_bound++;
		if (bound_needs(f->bound[has_args], EXPR_WHOLE) & EXPR_NEEDS_OFFCPU)
			c->needs_offcpu = true;
		return 0;
	}
	if (c->n_meaningless++ == 0) {
		c->first_error = error;
		c->first_name = strdup(row->name);
	}
	return 0;
}

static void fill_call(struct record_call *call, const struct span_row *row, uint32_t uid)
{
	const struct raw_span *span = &row->span;
	const struct span_more *more = &row->more;

	call->span.h.flags = span->flags;
	call->span.pid = row->pid;
	call->span.tid = span->tid;
	call->span.depth = span->depth;
	call->span.start_ns = span->start_ns;
	call->span.duration_ns = span->duration_ns;
	call->span.self_ns = span->self_ns;
	call->span.ret = span->ret;
	call->offcpu_ns = more->offcpu_ns;
	call->uid = uid;
	if (more->args)
		memcpy(call->args, more->args, sizeof(call->args));
	/* Values that are not valid are never looked at. Those of a span written in source code are
	 * its attributes. */
	call->valid = more->values_len ? more->valid : 0;
	if (more->values_len && more->values_len <= sizeof(call->values))
		memcpy(call->values, more->values, more->values_len);
}

bool span_condition_match(void *condition, const struct span_row *row)
{
	struct span_condition *c = condition;
	bool has_args = row->more.args;
	struct expr_facts facts;
	struct process_facts *process;
	struct function *f;

	if (row->span.path > c->n_paths || row->span.process > c->n_processes)
		return false;
	f = &c->functions[c->function_of[row->span.path]];
	process = &c->processes[row->span.process];
	c->saw_offcpu |= row->more.offcpu_ns > 0;
	c->n_with_args += has_args;
	c->n_without += !has_args;
	if (f->state[has_args] == NOT_BOUND && bind_function(c, f, row) < 0)
		c->no_memory = true;
	if (f->state[has_args] != BOUND)
		return false;
	fill_call(&c->call, row, process->uid);
	facts = (struct expr_facts){
		.call = &c->call,
		.name = row->name,
		.binary = row->binary,
		.comm = row->comm,
		.caller = row->caller && row->caller[0] ? row->caller : NULL,
		.cgroup = process->cgroup,
	};
	if (signature_category(f->signature)) {
		facts.attr = source_facts_attr;
		facts.attr_arg = (void *)&row->more;
	}
	return bound_eval(f->bound[has_args], EXPR_WHOLE, &facts);
}

/* What a span does not keep cannot be asked: 0 would be taken for an answer. */
static int check_uses(const struct bound *b, struct error *error)
{
	size_t n;
	const struct expr_use *uses = bound_uses(b, &n);

	for (size_t i = 0; i < n; i++) {
		if (!streq(uses[i].text, "cpu"))
			continue;
		error_set(error, EINVAL, "BadCondition",
			  "cpu is not kept with spans, so it cannot be asked afterwards");
		error_fix(error, "use cpu with sonde trace, record or attach, where it is decided "
				 "as the calls end");
		return -EINVAL;
	}
	return 0;
}

static const char *file_name(struct model *m, uint32_t id)
{
	const struct model_file *file = model_file_get(m, id);
	const char *path = file ? model_string_get(m, file->path) : "";
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether it makes sense for any function, so that the answer is not just an empty one. */
static int try_functions(struct span_condition *c, struct model *m, struct error *error)
{
	struct error first = {};
	int r = -ENOENT;

	for (size_t id = 1, tries = 0; id <= c->n_functions && r < 0 && tries < TRIES; id++) {
		const struct model_probe *p = model_probe_get(m, id);
		_cleanup_(bound_freep) struct bound *bound = NULL;
		const char *name = model_string_get(m, model_probe_label(p));
		struct error e = {};

		tries++;
		r = bind(c, &c->functions[id], name, file_name(m, p->file), true, &bound, &e);
		if (r >= 0)
			r = check_uses(bound, error);
		if (r < 0 && !first.name[0])
			first = e;
		if (r < 0 && error->name[0])
			return r;
	}
	if (r == -ENOENT) {
		_cleanup_(bound_freep) struct bound *bound = NULL;

		r = bind(c, &c->functions[0], "", "", true, &bound, &first);
	}
	if (r < 0 && first.name[0])
		*error = first;
	return r;
}

/* Room for elements 0 to wanted; those from have on are zero. */
static void *grown(void *array, size_t have, size_t wanted, size_t size)
{
	char *more = reallocarray(array, wanted + 1, size);

	if (more)
		memset(more + have * size, 0, (wanted + 1 - have) * size);
	return more;
}

/* Makes room for what the model has; *n is how many there were, and are then. */
#define GROW(array, n, wanted)                                                                     \
	({                                                                                         \
		void *_more = grown(array, (array) ? (n) + 1 : 0, wanted, sizeof(*(array)));       \
                                                                                                   \
		if (!_more)                                                                        \
			return -ENOMEM;                                                            \
		(array) = _more;                                                                   \
		(n) = wanted;                                                                      \
	})

int span_condition_learn(struct span_condition *c, struct model *m)
{
	size_t functions = c->n_functions, paths = c->n_paths, processes = c->n_processes;
	struct model_counts counts;

	model_counts(m, &counts);
	GROW(c->functions, c->n_functions, counts.probes);
	GROW(c->function_of, c->n_paths, counts.paths);
	GROW(c->processes, c->n_processes, counts.processes);
	for (size_t id = functions + 1; id <= c->n_functions; id++) {
		uint32_t text = model_probe_get(m, id)->signature;

		if (text && !(c->functions[id].signature_text = strdup(model_string_get(m, text))))
			return -ENOMEM;
	}
	for (size_t id = paths + 1; id <= c->n_paths; id++) {
		uint32_t probe = model_path_get(m, id)->probe;

		if (probe > c->n_functions)
			return -EBADMSG;
		c->function_of[id] = probe;
	}
	for (size_t id = processes + 1; id <= c->n_processes; id++) {
		const struct model_process *p = model_process_peek(m, id);

		c->processes[id].uid = p->uid;
		if (p->cgroup &&
		    !(c->processes[id].cgroup = strdup(model_string_get(m, p->cgroup))))
			return -ENOMEM;
	}
	return 0;
}

int span_condition_new(const char *text, struct model *m, int64_t monotonic_to_epoch_ns,
		       struct span_condition **ret, struct error *error)
{
	_cleanup_(span_condition_freep) struct span_condition *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->monotonic_to_epoch_ns = monotonic_to_epoch_ns;
	r = expr_parse(text, &c->expr, error);
	if (r >= 0)
		r = signature_new(NULL, 0, NULL, 0, &c->unknown);
	if (r < 0)
		return r;
	signature_freeze(c->unknown);
	r = span_condition_learn(c, m);
	if (r >= 0)
		r = try_functions(c, m, error);
	if (r < 0)
		return r;
	/* What counts are the functions that there are spans of. */
	c->no_ret = (struct error){};
	c->has_ret = false;
	*ret = TAKE_PTR(c);
	return 0;
}

int span_condition_finish(struct span_condition *c, struct error *error)
{
	if (c->no_memory)
		return -ENOMEM;
	if (c->n_meaningless > 0 && c->n_bound == 0) {
		*error = c->first_error;
		return -EINVAL;
	}
	if (c->missing && c->n_with_args == 0)
		note(c, "%s was not kept in this session: conditions on it are never true",
		     c->missing);
	else if (c->missing)
		note(c,
		     "%s was not kept with %llu of %llu spans: for them conditions on it are "
		     "not true",
		     c->missing, (unsigned long long)c->n_without,
		     (unsigned long long)(c->n_without + c->n_with_args));
	if (c->n_meaningless > 1)
		note(c, "the condition means nothing in %s and %zu other functions: %s",
		     c->first_name ? c->first_name : "", c->n_meaningless - 1,
		     c->first_error.message);
	else if (c->n_meaningless == 1)
		note(c, "the condition means nothing in %s: %s", c->first_name ? c->first_name : "",
		     c->first_error.message);
	if (c->no_ret.name[0] && !c->has_ret)
		note(c, "conditions on ret are never true: %s", c->no_ret.message);
	if (c->needs_offcpu && !c->saw_offcpu)
		note(c, "offcpu_time was not kept in this session: it counts as 0");
	return 0;
}

const char *const *span_condition_notes(const struct span_condition *c, size_t *ret_n)
{
	*ret_n = c->n_notes;
	return (const char *const *)c->notes;
}
