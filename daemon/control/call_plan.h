/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session wants to know of each call and by what it decides: its conditions and captures,
 * bound to the types of each function. Knows nothing of the kernel side, so that `probes` shows
 * from it what a session would do.
 */
#ifndef SONDE_CONTROL_CALL_PLAN_H
#define SONDE_CONTROL_CALL_PLAN_H

#include "expr/expr.h"
#include "probe/resolve.h"
#include "probe/signature.h"
#include "sonde/probe_info.h"

/* The texts of a plan. Strings are borrowed while the plan is made. */
struct call_wishes {
	const char *where, *begin, *stack_if; /* NULL: none */
	char *const *captures;
	size_t n_captures;
	char *const *redact; /* globs over names of arguments and members */
	size_t n_redact;
	bool args;
	bool types; /* results are to be shown by their type */
	/* The plan that this one replaces: what it captured keeps its place. NULL: none. */
	const struct call_plan *previous;
};

struct planned_call {
	struct signature *signature;
	struct bound *where, *begin, *stack_if; /* NULL: no such condition */
};

struct call_plan;

/* BadCondition for texts that cannot be parsed. monotonic_to_epoch_ns: for `start`. */
int call_plan_new(const struct call_wishes *wishes, int64_t monotonic_to_epoch_ns,
		  struct call_plan **ret, struct error *e);
struct call_plan *call_plan_free(struct call_plan *p);
DEFINE_CLEANUP(struct call_plan *, call_plan_free)

struct demangler;
/* What functions' names are demangled with, borrowed; else that is done in this process. */
void call_plan_set_demangler(struct call_plan *p, struct demangler *demangler);
/* Whether calls are more to it than their times; whether it has use for types. */
bool call_plan_is_rich(const struct call_plan *p);
bool call_plan_wants_types(const struct call_plan *p);

/* For resolve_options: the plan is the argument. Adds a planned call for each that is kept. */
int call_plan_describe(void *plan, const struct probe_point *point, const char *path,
		       const struct function_type *type, uint8_t *ret_needed_args, struct error *e);
/* When all functions are known and placed, and so who can be a caller. */
int call_plan_bind(struct call_plan *p, const struct probe_set *set, struct error *e);

/* NULL for points without any, as those that see exceptions. */
const struct planned_call *call_plan_get(const struct call_plan *p, uint32_t point);
/* The function's name as conditions have it; "" when unknown. */
const char *call_plan_name(const struct call_plan *p, uint32_t point);

/* How arguments get their names, where they are wanted and it is not known; NULL: no hint. */
char *call_plan_hint(const struct call_plan *p);

/* What the kernel side must take note of (enum span_wants), and whether that is sent up. */
uint32_t call_plan_wants(const struct call_plan *p);
bool call_plan_sends_calls(const struct call_plan *p);

#endif
