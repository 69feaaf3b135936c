/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/call_plan.h"

#include "symbol/demangler.h"

enum which { WHERE, BEGIN, STACK_IF, CONDITIONS };

static const char *const options[CONDITIONS] = {"--where", "--begin", "--stack-if"};

struct entry {
	struct planned_call call;
	char *name, *binary, *cat;
};

struct call_plan {
	struct expr *conditions[CONDITIONS];
	struct expr_ref **captures;
	struct error *not_captured; /* why the first function does not have it; of each capture */
	bool *is_captured;	    /* by any function */
	size_t n_captures;
	char **redact;
	size_t n_redact;
	struct expr **earlier; /* conditions of the plans before this one */
	size_t n_earlier;
	bool args, types;
	int64_t monotonic_to_epoch_ns;
	struct demangler *demangler;
	struct entry *entries; /* by point */
	size_t n, cap;
	char *untyped;	    /* file of the first function whose types are not known */
	const char **names; /* by point: what entries have, as the scope of conditions wants it */
};

static void entry_clear(struct entry *e)
{
	bound_free(e->call.where);
	bound_free(e->call.begin);
	bound_free(e->call.stack_if);
	signature_free(e->call.signature);
	free(e->name);
	free(e->binary);
	free(e->cat);
	*e = (struct entry){};
}

struct call_plan *call_plan_free(struct call_plan *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		entry_clear(&p->entries[i]);
	for (size_t i = 0; i < CONDITIONS; i++)
		expr_free(p->conditions[i]);
	for (size_t i = 0; i < p->n_captures; i++)
		expr_ref_free(p->captures[i]);
	for (size_t i = 0; i < p->n_redact; i++)
		free(p->redact[i]);
	for (size_t i = 0; i < p->n_earlier; i++)
		expr_free(p->earlier[i]);
	free(p->earlier);
	free(p->captures);
	free(p->not_captured);
	free(p->is_captured);
	free(p->untyped);
	free(p->redact);
	free(p->entries);
	free(p->names);
	free(p);
	return NULL;
}

static void name_source(struct error *e, const char *option, const char *text)
{
	char message[sizeof(e->message)];

	if (!e)
		return;
	memcpy(message, e->message, sizeof(message));
	snprintf(e->message, sizeof(e->message), "%s%.100s: %.600s", option, text, message);
}

/* Which of several conditions an error is about; the columns stay those of its text. */
static void name_option(struct error *e, enum which which)
{
	if (which != WHERE)
		name_source(e, options[which], "");
}

static int parse_conditions(struct call_plan *p, const struct call_wishes *w, struct error *e)
{
	const char *const texts[CONDITIONS] = {w->where, w->begin, w->stack_if};

	for (enum which i = WHERE; i < CONDITIONS; i++) {
		int r = texts[i] ? expr_parse(texts[i], &p->conditions[i], e) : 0;

		if (r < 0) {
			name_option(e, i);
			return r;
		}
	}
	return 0;
}

static int add_earlier(struct call_plan *p, const struct expr *x)
{
	/* Known once is known for good. */
	for (size_t i = 0; x && i < p->n_earlier; i++)
		if (streq(expr_text(p->earlier[i]), expr_text(x)))
			return 0;
	return x ? expr_parse(expr_text(x), &p->earlier[p->n_earlier++], NULL) : 0;
}

static int take_earlier(struct call_plan *p, const struct call_plan *previous)
{
	int r = 0;

	if (!previous)
		return 0;
	p->earlier = calloc(previous->n_earlier + CONDITIONS, sizeof(*p->earlier));
	if (!p->earlier)
		return -ENOMEM;
	for (size_t i = 0; i < previous->n_earlier && r >= 0; i++)
		r = add_earlier(p, previous->earlier[i]);
	for (size_t i = 0; i < CONDITIONS && r >= 0; i++)
		r = add_earlier(p, previous->conditions[i]);
	return r;
}

int call_plan_new(const struct call_wishes *w, int64_t monotonic_to_epoch_ns,
		  struct call_plan **ret, struct error *e)
{
	_cleanup_(call_plan_freep) struct call_plan *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->args = w->args;
	p->types = w->types;
	p->monotonic_to_epoch_ns = monotonic_to_epoch_ns;
	p->captures = calloc(w->n_captures + 1, sizeof(*p->captures));
	p->not_captured = calloc(w->n_captures + 1, sizeof(*p->not_captured));
	p->is_captured = calloc(w->n_captures + 1, sizeof(*p->is_captured));
	p->redact = calloc(w->n_redact + 1, sizeof(*p->redact));
	if (!p->captures || !p->not_captured || !p->is_captured || !p->redact)
		return -ENOMEM;
	r = take_earlier(p, w->previous);
	if (r >= 0)
		r = parse_conditions(p, w, e);
	for (; r >= 0 && p->n_captures < w->n_captures; p->n_captures++) {
		r = expr_ref_parse(w->captures[p->n_captures], &p->captures[p->n_captures], e);
		if (r < 0)
			name_source(e, "--capture ", w->captures[p->n_captures]);
	}
	for (; r >= 0 && p->n_redact < w->n_redact; p->n_redact++) {
		p->redact[p->n_redact] = strdup(w->redact[p->n_redact]);
		if (!p->redact[p->n_redact])
			return -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

void call_plan_set_demangler(struct call_plan *p, struct demangler *demangler)
{
	p->demangler = demangler;
}

bool call_plan_is_rich(const struct call_plan *p)
{
	return p->args || p->n_captures || p->conditions[WHERE] || p->conditions[BEGIN] ||
	       p->conditions[STACK_IF];
}

bool call_plan_wants_types(const struct call_plan *p)
{
	return p->types || call_plan_is_rich(p);
}

static struct bound **bound_of(struct entry *entry, enum which which)
{
	return which == WHERE	? &entry->call.where
	       : which == BEGIN ? &entry->call.begin
				: &entry->call.stack_if;
}

/* What decides in the kernel's course of events cannot wait for the daemon. */
static int check_kernel(const struct bound *b, enum which which, struct error *e)
{
	if (which == WHERE || !bound_has(b, EXPR_DAEMON))
		return 0;
	error_set(e, EINVAL, "BadCondition", "%s is decided in the kernel, which cannot decide: %s",
		  options[which], bound_text(b, EXPR_DAEMON));
	error_fix(e, "put that part into --where");
	return -EINVAL;
}

static int bind(struct call_plan *p, struct entry *entry, enum which which, struct error *e)
{
	const struct expr_scope scope = {
		.stage = which == BEGIN ? EXPR_AT_ENTRY : EXPR_AT_END,
		.name = entry->name,
		.binary = entry->binary,
		.cat = entry->cat,
		.callers = p->names,
		.n_callers = p->names ? p->n : 0,
		.monotonic_to_epoch_ns = p->monotonic_to_epoch_ns,
		.bind = signature_bind,
		.arg = entry->call.signature,
	};
	struct bound **to = bound_of(entry, which);
	int r;

	*to = bound_free(*to);
	r = expr_bind(p->conditions[which], &scope, to, e);
	if (r >= 0 && p->names)
		r = check_kernel(*to, which, e);
	else if (r < 0)
		name_option(e, which);
	return r;
}

static int bind_all(struct call_plan *p, struct entry *entry, struct error *e)
{
	int r = 0;

	for (enum which i = WHERE; i < CONDITIONS && r >= 0; i++)
		if (p->conditions[i])
			r = bind(p, entry, i, e);
	return r;
}

static int name_entry(const struct call_plan *p, struct entry *entry,
		      const struct probe_point *point, const char *path)
{
	const char *slash = strrchr(path, '/');

	entry->name = p->demangler ? demangler_name(p->demangler, point->symbol, DEMANGLE_SHORT)
				   : demangle_short(point->symbol);
	if (!entry->name)
		entry->name = strdup(point->symbol);
	entry->binary = strdup(slash ? slash + 1 : path);
	if (!entry->name || !entry->binary)
		return -ENOMEM;
	entry->cat = strndup(entry->binary, spec_library_stem(entry->binary));
	return entry->cat ? 0 : -ENOMEM;
}

/* What earlier conditions captured stays where it was: calls and history that have it go on. */
static int bind_earlier(struct call_plan *p, struct entry *entry, struct error *e)
{
	struct expr_scope scope = {.bind = signature_bind, .arg = entry->call.signature};

	for (size_t i = 0; i < p->n_earlier; i++) {
		_cleanup_(bound_freep) struct bound *b = NULL;
		int r;

		/* Whether it was one for the entry or the end says nothing about its captures. */
		scope.stage = EXPR_AT_END;
		r = expr_bind(p->earlier[i], &scope, &b, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The registers that must still be there where the probe is. */
static uint8_t needed_args(const struct call_plan *p, const struct entry *entry, bool has_type)
{
	if (p->args && !has_type)
		return (1U << RECORD_ARGS) - 1;
	return call_plan_is_rich(p) ? signature_needed_args(entry->call.signature) : 0;
}

/* Not every function has what others have: call_plan_bind() says what none has. */
static int capture(struct call_plan *p, size_t i, struct signature *s, struct error *e)
{
	struct error error = {};
	int r = signature_capture(s, p->captures[i], &error);

	if (r >= 0) {
		p->is_captured[i] = true;
		return 0;
	}
	name_source(&error, "--capture ", p->captures[i]->text);
	if (r != -EINVAL) {
		if (e && !e->name[0])
			*e = error;
		return r;
	}
	if (!p->not_captured[i].name[0])
		p->not_captured[i] = error;
	return 0;
}

static int note_untyped(struct call_plan *p, const char *path)
{
	if (p->untyped || (!p->args && !p->n_captures))
		return 0;
	p->untyped = strdup(path);
	return p->untyped ? 0 : -ENOMEM;
}

char *call_plan_hint(const struct call_plan *p)
{
	const char *slash = p && p->untyped ? strrchr(p->untyped, '/') : NULL;
	char *text = NULL;

	if (!p || !p->untyped ||
	    asprintf(&text,
		     "%s has no debug information, so its arguments are arg0 ... arg5: the package "
		     "with its debug symbols (its name ends in -dbgsym or -dbg) brings their names",
		     slash ? slash + 1 : p->untyped) < 0)
		return NULL;
	return text;
}

static int describe(struct call_plan *p, struct entry *entry, const struct probe_point *point,
		    const char *path, const struct function_type *type, struct error *e)
{
	int r = name_entry(p, entry, point, path);

	if (r >= 0)
		r = signature_new(type, 0, (const char *const *)p->redact, p->n_redact,
				  &entry->call.signature);
	/* Gates are followed, not looked at, and ends of static probes belong to others. */
	if (r < 0 || point->role == ROLE_GATE || point->role == ROLE_END ||
	    point->role == ROLE_SOURCE)
		return r;
	if (p->args)
		r = signature_capture_strings(entry->call.signature, e);
	for (size_t i = 0; i < p->n_captures && r >= 0; i++)
		r = capture(p, i, entry->call.signature, e);
	if (r >= 0 && !type)
		r = note_untyped(p, path);
	if (r >= 0)
		r = bind_earlier(p, entry, e);
	return r < 0 ? r : bind_all(p, entry, e);
}

int call_plan_describe(void *plan, const struct probe_point *point, const char *path,
		       const struct function_type *type, uint8_t *ret_needed_args, struct error *e)
{
	struct call_plan *p = plan;
	struct entry *entry;
	int r = array_reserve(&p->entries, &p->cap, p->n + 1, sizeof(*p->entries));

	if (r < 0)
		return r;
	entry = &p->entries[p->n];
	r = describe(p, entry, point, path, type, e);
	if (r < 0) {
		entry_clear(entry);
		return r == -ENOMEM ? r : 1;
	}
	signature_freeze(entry->call.signature);
	*ret_needed_args = needed_args(p, entry, type);
	p->n++;
	return 0;
}

int call_plan_bind(struct call_plan *p, const struct probe_set *set, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < p->n_captures; i++)
		if (!p->is_captured[i] && p->not_captured[i].name[0]) {
			if (e)
				*e = p->not_captured[i];
			return -EINVAL;
		}
	p->names = calloc(p->n + 1, sizeof(*p->names));
	if (!p->names)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		p->names[i] = p->entries[i].name;
	for (size_t i = 0; i < p->n && r >= 0; i++) {
		const struct probe_point *point = &set->points[i];

		signature_lose_args(p->entries[i].call.signature, point->lost_args);
		if (point->role == ROLE_SPAN)
			r = bind_all(p, &p->entries[i], e);
	}
	return r;
}

const struct planned_call *call_plan_get(const struct call_plan *p, uint32_t point)
{
	return p && point < p->n ? &p->entries[point].call : NULL;
}

const char *call_plan_name(const struct call_plan *p, uint32_t point)
{
	return p && point < p->n ? p->entries[point].name : "";
}

static uint32_t wants_of(uint32_t needs)
{
	static const uint32_t table[][2] = {
		{EXPR_NEEDS_OFFCPU, WANT_OFFCPU}, {EXPR_NEEDS_CGROUP, WANT_CGROUP},
		{EXPR_NEEDS_UID, WANT_UID},	  {EXPR_NEEDS_COMM, WANT_COMM},
		{EXPR_NEEDS_ARGS, WANT_ARGS},	  {EXPR_NEEDS_VALUES, WANT_VALUES},
		{EXPR_NEEDS_CALLER, WANT_CALLER},
	};
	uint32_t wants = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (needs & table[i][0])
			wants |= table[i][1];
	return wants;
}

uint32_t call_plan_wants(const struct call_plan *p)
{
	uint32_t wants = p->args ? WANT_ARGS : 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct planned_call *c = &p->entries[i].call;

		/* The daemon decides as a whole about calls whose condition was not evaluated. */
		if (c->where)
			wants |= wants_of(bound_needs(c->where, EXPR_WHOLE));
		if (c->begin)
			wants |= wants_of(bound_needs(c->begin, EXPR_WHOLE));
		if (c->stack_if)
			wants |= wants_of(bound_needs(c->stack_if, EXPR_WHOLE));
		if (signature_values_len(c->signature))
			wants |= WANT_VALUES;
	}
	return wants;
}

bool call_plan_sends_calls(const struct call_plan *p)
{
	/* Time off the CPU is shown, and asked about afterwards. */
	if (p->args || p->n_captures || call_plan_wants(p) & WANT_OFFCPU)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].call.where && bound_has(p->entries[i].call.where, EXPR_DAEMON))
			return true;
	return false;
}
