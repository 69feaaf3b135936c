/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What numbers, durations, points in time and pointers do with each other. */
#include "expr/bind.h"

int bind_operands(struct binder *b, const struct node *n, const struct hint *outer,
		  struct typed *ret_left, struct typed *ret_right)
{
	struct hint hint = {};
	bool right_first = n->left->kind == NODE_NAME && n->right->kind != NODE_NAME;
	struct typed *first = right_first ? ret_right : ret_left;
	struct typed *second = right_first ? ret_left : ret_right;
	int r;

	if (n->has_name) {
		r = bind_find_names(b, n, &hint);
		if (r < 0)
			return r;
		if (!hint.n_names && outer)
			hint = *outer;
		hint.other = NULL;
	}
	r = bind_value(b, right_first ? n->right : n->left, &hint, first);
	if (r < 0)
		return r;
	hint.other = first;
	return bind_value(b, right_first ? n->left : n->right, &hint, second);
}

static bool is_small_const(const struct typed *t)
{
	return ir_is_const(t->ir) && (int64_t)t->ir->value >= 0;
}

/* As in C, where a constant takes the sign of what it is used with. */
static bool pair_is_signed(const struct typed *l, const struct typed *r)
{
	if (is_small_const(l))
		return is_small_const(r) || r->ir->is_signed;
	if (is_small_const(r))
		return l->ir->is_signed;
	return l->ir->is_signed && r->ir->is_signed;
}

static enum expr_kind kind_of_numbers(const struct typed *l, const struct typed *r, bool is_signed)
{
	bool consts = ir_is_const(l->ir) && ir_is_const(r->ir);

	if (consts && (l->kind == EXPR_SIZE || r->kind == EXPR_SIZE))
		return EXPR_SIZE;
	return is_signed ? EXPR_INT : EXPR_UINT;
}

struct rule {
	enum op op;
	enum expr_kind left, right, result; /* EXPR_INT: any number */
};

static const struct rule rules[] = {
	{OP_ADD, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_ADD, EXPR_DURATION, EXPR_DURATION, EXPR_DURATION},
	{OP_ADD, EXPR_TIME, EXPR_DURATION, EXPR_TIME},
	{OP_ADD, EXPR_DURATION, EXPR_TIME, EXPR_TIME},
	{OP_ADD, EXPR_POINTER, EXPR_INT, EXPR_POINTER},
	{OP_ADD, EXPR_INT, EXPR_POINTER, EXPR_POINTER},
	{OP_SUB, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_SUB, EXPR_DURATION, EXPR_DURATION, EXPR_DURATION},
	{OP_SUB, EXPR_TIME, EXPR_DURATION, EXPR_TIME},
	{OP_SUB, EXPR_TIME, EXPR_TIME, EXPR_DURATION},
	{OP_SUB, EXPR_POINTER, EXPR_INT, EXPR_POINTER},
	{OP_SUB, EXPR_POINTER, EXPR_POINTER, EXPR_INT},
	{OP_MUL, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_MUL, EXPR_DURATION, EXPR_INT, EXPR_DURATION},
	{OP_MUL, EXPR_INT, EXPR_DURATION, EXPR_DURATION},
	{OP_DIV, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_DIV, EXPR_DURATION, EXPR_INT, EXPR_DURATION},
	{OP_DIV, EXPR_DURATION, EXPR_DURATION, EXPR_INT},
	{OP_MOD, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_MOD, EXPR_DURATION, EXPR_DURATION, EXPR_DURATION},
	{OP_MOD, EXPR_POINTER, EXPR_INT, EXPR_INT},
	{OP_SHL, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_SHR, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_SHR, EXPR_POINTER, EXPR_INT, EXPR_INT},
	{OP_BIT_AND, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_BIT_AND, EXPR_POINTER, EXPR_INT, EXPR_INT},
	{OP_BIT_OR, EXPR_INT, EXPR_INT, EXPR_INT},
	{OP_BIT_XOR, EXPR_INT, EXPR_INT, EXPR_INT},
};

static const struct rule *find_rule(enum op op, enum expr_kind left, enum expr_kind right)
{
	left = kind_is_number(left) ? EXPR_INT : left;
	right = kind_is_number(right) ? EXPR_INT : right;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].op == op && rules[i].left == left && rules[i].right == right)
			return &rules[i];
	return NULL;
}

static bool is_comparison(const struct node *n)
{
	return n->kind == NODE_BINARY && n->op >= OP_EQ && n->op <= OP_GE;
}

/* `flags & 4 == 4`: C has == bind first, which is never meant. Said before its names confuse. */
static int check_precedence(struct binder *b, const struct node *n)
{
	bool right = is_comparison(n->right);
	const struct node *inner = right ? n->right : n->left;
	int r;

	if ((n->op != OP_BIT_AND && n->op != OP_BIT_OR && n->op != OP_BIT_XOR) ||
	    right == is_comparison(n->left))
		return 0;
	r = bind_complain(b, inner,
			  "expected a number on both sides of `%s`, found `%s` (yes or no)",
			  op_text(n->op), bind_slice(b, inner));
	if (right)
		error_fix(b->e, "write `(%s %s %s) %s %s`", bind_slice(b, n->left), op_text(n->op),
			  bind_slice(b, inner->left), op_text(inner->op),
			  bind_slice(b, inner->right));
	else
		error_fix(b->e, "write `%s %s (%s %s %s)`", bind_slice(b, inner->left),
			  op_text(inner->op), bind_slice(b, inner->right), op_text(n->op),
			  bind_slice(b, n->right));
	return r;
}

static int no_fractions(struct binder *b, const struct node *n, const struct typed *l,
			const struct typed *r)
{
	const struct typed *wrong = l->kind == EXPR_DECIMAL ? l : r, *other = wrong == l ? r : l;
	int result = bind_complain(b, wrong->node, "expected a whole number under `%s`, found %s",
				   op_text(n->op), bind_describe(b, wrong));

	if (other->kind == EXPR_DURATION && (n->op == OP_ADD || n->op == OP_SUB))
		error_fix(b->e, "write `%sms`", bind_slice(b, wrong->node));
	else
		error_fix(b->e, "fractions are compared only: write for example `self * 3 / 2` for "
				"`self * 1.5`");
	return result;
}

static int no_rule(struct binder *b, const struct node *n, const struct typed *l,
		   const struct typed *r)
{
	bool left_wrong = l->kind == EXPR_BOOL || l->kind == EXPR_STRING;
	const struct typed *wrong = left_wrong ? l : r;
	const struct typed *other = left_wrong ? r : l;
	bool arithmetic = n->op == OP_ADD || n->op == OP_SUB;
	int result;

	if (wrong->kind == EXPR_BOOL || wrong->kind == EXPR_STRING)
		result = bind_complain(b, wrong->node,
				       "expected a number on both sides of `%s`, found %s",
				       op_text(n->op), bind_describe(b, wrong));
	else
		result = bind_complain(b, wrong->node,
				       "expected something that goes with %s under "
				       "`%s`, found %s",
				       bind_describe(b, other), op_text(n->op),
				       bind_describe(b, wrong));
	if (wrong->kind == EXPR_BOOL) {
		error_fix(b->e, "write `%s` between conditions", n->op == OP_BIT_OR ? "||" : "&&");
	} else if (wrong->kind == EXPR_STRING) {
		error_fix(b->e, "texts are compared only: write for example `%s == %s`",
			  wrong->is_literal ? "comm" : bind_slice(b, wrong->node),
			  wrong->is_literal ? bind_slice(b, wrong->node) : "\"text\"");
	} else if (arithmetic && other->kind == EXPR_DURATION && kind_is_number(wrong->kind)) {
		error_fix(b->e,
			  wrong->is_literal && wrong->kind != EXPR_SIZE ? "write `%sms`"
									: "write `%s * 1ms`",
			  bind_slice(b, wrong->node));
	} else if (arithmetic && wrong->kind == EXPR_DURATION && kind_is_number(other->kind)) {
		error_fix(b->e,
			  other->is_literal && other->kind != EXPR_SIZE ? "write `%sms`"
									: "write `%s * 1ms`",
			  bind_slice(b, other->node));
	} else if (wrong->kind == EXPR_DURATION || other->kind == EXPR_DURATION) {
		error_fix(b->e,
			  "durations can be added, and multiplied and divided by numbers; "
			  "`%s / 1us` is a number",
			  bind_slice(b, wrong->kind == EXPR_DURATION ? wrong->node : other->node));
	} else if (wrong->kind == EXPR_TIME || other->kind == EXPR_TIME) {
		error_fix(b->e, "write a duration, as in `start + 10ms`");
	} else {
		error_fix(b->e, "pointers go with +, -, &, >> and %% only");
	}
	return result;
}

/* 2.0 is a number like 2. */
static void take_whole(struct binder *b, struct typed *t)
{
	if (t->kind != EXPR_DECIMAL)
		return;
	t->ir = ir_whole(b->a, t->ir);
	if (t->ir && ir_is_const(t->ir))
		t->kind = t->ir->is_signed ? EXPR_INT : EXPR_UINT;
}

int bind_arith(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret)
{
	struct typed l, r;
	const struct rule *rule;
	bool is_signed, result_is_signed;
	int error = check_precedence(b, n);

	if (error == 0)
		error = bind_operands(b, n, hint, &l, &r);
	if (error == 0)
		error = bind_attr_as(b, &l, EXPR_INT);
	if (error == 0)
		error = bind_attr_as(b, &r, EXPR_INT);
	if (error < 0)
		return error;
	take_whole(b, &l);
	take_whole(b, &r);
	rule = find_rule(n->op, l.kind, r.kind);
	if (!rule && (l.kind == EXPR_DECIMAL || r.kind == EXPR_DECIMAL))
		return no_fractions(b, n, &l, &r);
	if (!rule)
		return no_rule(b, n, &l, &r);
	/* A shift has the type of what is shifted. */
	is_signed = n->op == OP_SHL || n->op == OP_SHR		       ? l.ir->is_signed
		    : l.ir->kind == IR_UNDEF || r.ir->kind == IR_UNDEF ? true
								       : pair_is_signed(&l, &r);
	ret->kind = rule->result;
	if (rule->result == EXPR_INT && rule->left == EXPR_INT && rule->right == EXPR_INT)
		ret->kind = kind_of_numbers(&l, &r, is_signed);
	else if (rule->left == EXPR_POINTER && rule->result == EXPR_INT && n->op != OP_SUB)
		ret->kind = EXPR_UINT;
	result_is_signed = ret->kind == EXPR_SIZE
				   ? is_signed
				   : ret->kind != EXPR_UINT && ret->kind != EXPR_POINTER;
	ret->is_literal = l.is_literal && r.is_literal;
	ret->ir = ir_binary(b->a, n->op, is_signed, result_is_signed, l.ir, r.ir);
	return ret->ir ? 0 : -ENOMEM;
}

int bind_sign(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret)
{
	struct typed t;
	int r = bind_value(b, n->left, hint, &t);

	if (r == 0)
		r = bind_attr_as(b, &t, EXPR_INT);
	if (r < 0)
		return r;
	if (!kind_is_number(t.kind) &&
	    !((t.kind == EXPR_DURATION || t.kind == EXPR_DECIMAL) && n->op == OP_NEG)) {
		r = bind_complain(b, n->left, "expected a %s behind `%s`, found %s",
				  t.kind == EXPR_DECIMAL ? "whole number" : "number",
				  op_text(n->op), bind_describe(b, &t));
		if (t.kind == EXPR_BOOL)
			error_fix(b->e, "write `!` to turn a condition around");
		else
			error_fix(b->e, "leave the `%s` out", op_text(n->op));
		return r;
	}
	ret->kind = t.kind;
	if (n->op == OP_NEG && t.kind != EXPR_DURATION && t.kind != EXPR_DECIMAL)
		ret->kind = EXPR_INT;
	ret->is_literal = t.is_literal;
	ret->ir = ir_unary(b->a, n->op == OP_NEG ? IR_NEG : IR_INVERT, t.ir);
	return ret->ir ? 0 : -ENOMEM;
}
