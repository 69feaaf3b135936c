/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function with arguments of every type, for the tests of conditions. */
#ifndef SONDE_TESTS_EXPR_HELP_H
#define SONDE_TESTS_EXPR_HELP_H

#include "expr/expr.h"

static const struct expr_name help_flags[] = {
	{"RDONLY", 0}, {"WRONLY", 1}, {"CREAT", 64}, {"EXCL", 128}};
static const struct expr_name help_colors[] = {{"Color::RED", -1}, {"Color::GREEN", 5}};

enum { HELP_TEXT_ROOM = 20, HELP_SHORT_ROOM = 7 };

static const struct help_arg {
	const char *text;
	struct expr_binding binding;
} help_args[] = {
	{"args.flags",
	 {EXPR_UINT, EXPR_IN_ARG, 1, .size = 4, .names = help_flags, .n_names = 4,
	  .type = "enum open_flags"}},
	{"args.color",
	 {EXPR_INT, EXPR_IN_ARG, 2, .size = 4, .is_signed = true, .names = help_colors,
	  .n_names = 2}},
	{"args.small", {EXPR_INT, EXPR_IN_ARG, 3, .size = 1, .is_signed = true}},
	{"args.word", {EXPR_UINT, EXPR_IN_ARG, 3, .size = 2}},
	{"args.ok", {EXPR_BOOL, EXPR_IN_ARG, 4, .size = 1}},
	{"args.p", {EXPR_POINTER, EXPR_IN_ARG, 5, .size = 8}},
	{"args.len", {EXPR_UINT, EXPR_IN_VALUES, 0, 0}},
	{"args.delta", {EXPR_INT, EXPR_IN_VALUES, 1, 8}},
	{"args.path", {EXPR_STRING, EXPR_IN_VALUES, 2, 16, .room = HELP_TEXT_ROOM}},
	{"str(arg1)", {EXPR_STRING, EXPR_IN_VALUES, 3, 40, .room = HELP_SHORT_ROOM}},
	{"args.req.headers[2].len", {EXPR_INT, EXPR_IN_VALUES, 15, 248}},
	{"args.done", {EXPR_BOOL, EXPR_IN_VALUES, 4, 56}},
	{"args.timeout", {EXPR_DURATION, EXPR_IN_VALUES, 5, 64}},
	{"args.lost", {EXPR_INT, EXPR_NOWHERE}},
	{"args.gone", {EXPR_STRING, EXPR_NOWHERE}},
	{"args.outside", {EXPR_INT, EXPR_IN_VALUES, 6, 256}},
	{"args.far", {EXPR_STRING, EXPR_IN_VALUES, 6, 240, .room = 64}},
	{"arg0", {EXPR_UINT, EXPR_IN_ARG, 0, .size = 8}},
	{"arg1", {EXPR_UINT, EXPR_IN_ARG, 1, .size = 8}},
	{"arg2", {EXPR_UINT, EXPR_IN_ARG, 2, .size = 8}},
	{"arg3", {EXPR_INT, EXPR_IN_ARG, 3, .size = 8}},
	{"arg4", {EXPR_INT, EXPR_IN_ARG, 4, .size = 8}},
	{"arg5", {EXPR_UINT, EXPR_IN_ARG, 5, .size = 8}},
	{"ret", {EXPR_INT, EXPR_IN_RET, .size = 8, .guess_int = true}},
};

static inline int help_bind(void *arg, const struct expr_ref *ref, struct expr_binding *ret,
			    struct error *e)
{
	int r;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(help_args); i++)
		if (streq(help_args[i].text, ref->text)) {
			*ret = help_args[i].binding;
			return 0;
		}
	r = error_set(e, EINVAL, "BadCondition",
		      "column %u: expected an argument of open_table, found "
		      "`%s`",
		      ref->column, ref->text);
	error_fix(e, "write one of args.flags, args.len, args.path");
	return r;
}

static const char *const help_callers[] = {"main", "handle_request", "handle_reply", "flush"};

static inline struct expr_scope help_scope(void)
{
	return (struct expr_scope){.stage = EXPR_AT_END,
				   .callers = help_callers,
				   .n_callers = ARRAY_SIZE(help_callers),
				   .monotonic_to_epoch_ns = 1700000000000000000,
				   .bind = help_bind};
}

/* NULL with the error set when the text is refused. */
static inline struct bound *help_bound(const char *text, const struct expr_scope *scope,
				       struct error *e)
{
	_cleanup_(expr_freep) struct expr *x = NULL;
	struct bound *b = NULL;

	if (expr_parse(text, &x, e) < 0 || expr_bind(x, scope, &b, e) < 0)
		return NULL;
	return b;
}

#endif
