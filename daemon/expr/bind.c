/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/bind.h"

#include <stdarg.h>

int bind_complain(struct binder *b, const struct node *at, const char *fmt, ...)
{
	_cleanup_(freep) char *message = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&message, fmt, ap);
	va_end(ap);
	if (len < 0) {
		message = NULL;
		return -ENOMEM;
	}
	return error_complain(b->e, b->x->text, at->begin, "%s", message);
}

const char *bind_slice(struct binder *b, const struct node *n)
{
	size_t len = n->end - n->begin;
	const char *text = arena_printf(b->a, "%.*s%s", (int)MIN(len, (size_t)80),
					b->x->text + n->begin, len > 80 ? "…" : "");

	return text ? text : "?";
}

const char *bind_describe(struct binder *b, const struct typed *t)
{
	static const char *const kinds[] = {
		[EXPR_BOOL] = "yes or no",
		[EXPR_INT] = "a number",
		[EXPR_UINT] = "a number",
		[EXPR_DURATION] = "a duration",
		[EXPR_SIZE] = "a size",
		[EXPR_TIME] = "a point in time",
		[EXPR_POINTER] = "a pointer",
		[EXPR_STRING] = "a text",
		[EXPR_DECIMAL] = "a number with a fraction",
	};
	const char *text;

	if (t->is_literal && t->kind != EXPR_BOOL && t->kind != EXPR_POINTER)
		text = arena_printf(b->a, "the %s `%s`", kinds[t->kind] + 2,
				    bind_slice(b, t->node));
	else
		text = arena_printf(b->a, "`%s` (%s)", bind_slice(b, t->node), kinds[t->kind]);
	return text ? text : "?";
}

bool kind_is_number(enum expr_kind kind)
{
	return kind == EXPR_INT || kind == EXPR_UINT || kind == EXPR_SIZE;
}

int bind_use(struct binder *b, const struct node *n, const char *type)
{
	struct bound *bound = b->b;
	const char *text = arena_strndup(b->a, b->x->text + n->begin, n->end - n->begin);

	if (!text || !type ||
	    array_reserve(&bound->uses, &bound->uses_cap, bound->n_uses + 1, sizeof(*bound->uses)) <
		    0)
		return -ENOMEM;
	bound->uses[bound->n_uses++] = (struct expr_use){text, type, EXPR_WHOLE};
	return 0;
}

int bind_value(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret)
{
	struct typed t = {.node = n};
	struct ir *truth = NULL;
	int r;

	switch (n->kind) {
	case NODE_FIELD:
		r = bind_field(b, n, &t);
		break;
	case NODE_REF:
		r = bind_reference(b, n, &t);
		break;
	case NODE_ATTR:
		r = bind_attr(b, n, &t);
		break;
	case NODE_NAME:
		r = bind_name(b, n, hint, &t);
		break;
	case NODE_UNARY:
		if (n->op != OP_NOT) {
			r = bind_sign(b, n, hint, &t);
			break;
		}
		/* fall through */
	case NODE_MATCH:
	case NODE_IN:
		r = bind_truth(b, n, &truth);
		break;
	case NODE_BINARY:
		if (n->op >= OP_SHL || (n->op >= OP_BIT_OR && n->op <= OP_BIT_AND)) {
			r = bind_arith(b, n, hint, &t);
			break;
		}
		r = bind_truth(b, n, &truth);
		break;
	default:
		r = bind_literal(b, n, &t);
		break;
	}
	if (r < 0)
		return r;
	if (truth) {
		t.kind = EXPR_BOOL;
		t.ir = ir_unary(b->a, IR_LOGIC, truth);
	}
	if (t.kind != EXPR_STRING && !t.ir)
		return -ENOMEM;
	t.node = n;
	*ret = t;
	return 0;
}

static int bind_number_as_truth(struct binder *b, const struct node *n, struct ir **ret)
{
	struct hint hint = {};
	struct typed t;
	int r = n->has_name ? bind_find_names(b, n, &hint) : 0;

	if (r == 0)
		r = bind_value(b, n, &hint, &t);
	if (r < 0)
		return r;
	if (n->kind == NODE_ATTR) {
		*ret = ir_nonzero(b->a, ir_attr(b->a, t.text.text, ATTR_EITHER));
		return *ret ? 0 : -ENOMEM;
	}
	if (t.kind == EXPR_STRING || t.kind == EXPR_DURATION || t.kind == EXPR_TIME) {
		r = bind_complain(b, n, "expected a condition, found %s", bind_describe(b, &t));
		if (t.kind == EXPR_STRING)
			error_fix(b->e,
				  t.is_literal
					  ? "write what it is compared with, as in `name =~ %s`"
					  : "write `%s =~ \"*\"`, or what it is compared with",
				  bind_slice(b, n));
		else if (t.kind == EXPR_DURATION)
			error_fix(b->e, t.is_literal ? "write `duration > %s`" : "write `%s > 0ms`",
				  bind_slice(b, n));
		else
			error_fix(b->e, "write `%s > \"12:30\"`", bind_slice(b, n));
		return r;
	}
	*ret = ir_nonzero(b->a, t.ir);
	return 0;
}

int bind_truth(struct binder *b, const struct node *n, struct ir **ret)
{
	struct ir *left = NULL, *right = NULL;
	int r;

	if (n->kind == NODE_MATCH)
		r = bind_match(b, n, &left);
	else if (n->kind == NODE_IN)
		r = bind_in(b, n, &left);
	else if (n->kind == NODE_BINARY && n->op >= OP_EQ && n->op <= OP_GE)
		r = bind_comparison(b, n, &left);
	else if (n->kind == NODE_BINARY && (n->op == OP_AND || n->op == OP_OR)) {
		r = bind_truth(b, n->left, &left);
		if (r == 0)
			r = bind_truth(b, n->right, &right);
		if (r == 0)
			left = n->op == OP_AND ? ir_and(b->a, left, right)
					       : ir_or(b->a, left, right);
	} else if (n->kind == NODE_UNARY && n->op == OP_NOT) {
		r = bind_truth(b, n->left, &left);
		if (r == 0)
			left = ir_not(b->a, left);
	} else {
		r = bind_number_as_truth(b, n, &left);
	}
	if (r < 0)
		return r;
	if (!left)
		return -ENOMEM;
	*ret = left;
	return 0;
}
