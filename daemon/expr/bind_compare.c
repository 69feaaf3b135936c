/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be compared with what. */
#include "expr/bind.h"

static bool is_cgroup(const struct typed *t)
{
	return t->node->kind == NODE_FIELD && t->node->field == FIELD_cgroup;
}

/* A quoted text beside a number that has names: users, points in time, characters. */
static int explain_text(struct binder *b, struct typed *text, const struct typed *other)
{
	const struct node *n = text->node;

	if (n->kind != NODE_STRING)
		return 0;
	if (other->node->kind == NODE_FIELD && other->node->field == FIELD_uid)
		return bind_user(b, n, text);
	if (other->kind == EXPR_TIME)
		return bind_time(b, n, text);
	if (kind_is_number(other->kind) && n->quoted_once && strlen(n->text) == 1) {
		text->kind = EXPR_INT;
		text->ir = ir_const(b->a, (signed char)n->text[0], true);
		return text->ir ? 0 : -ENOMEM;
	}
	return 0;
}

/* A number that is a control group is its path beside a text. */
static void explain_cgroup(struct typed *t, const struct typed *other)
{
	if (!is_cgroup(t) || other->kind != EXPR_STRING)
		return;
	t->kind = EXPR_STRING;
	t->text = (struct text_source){.kind = TEXT_CGROUP};
}

static void suggest_duration(struct binder *b, const struct typed *duration,
			     const struct typed *wrong)
{
	if (wrong->kind == EXPR_DECIMAL ||
	    (kind_is_number(wrong->kind) && wrong->kind != EXPR_SIZE && wrong->is_literal))
		error_fix(b->e, "write `%sms`", bind_slice(b, wrong->node));
	else if (kind_is_number(wrong->kind) && wrong->kind != EXPR_SIZE && !duration->is_literal)
		error_fix(b->e, "write `%s * 1ms`, or `%s / 1ms` on the other side",
			  bind_slice(b, wrong->node), bind_slice(b, duration->node));
	else
		error_fix(b->e, "write a duration, as in `10ms`");
}

/* What str() can be written around. */
static bool may_point_to_text(const struct node *n)
{
	return n->kind == NODE_REF && !n->ref->str && n->ref->kind != EXPR_REF_RET;
}

static bool is_constant_name(const char *text)
{
	return *text && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static void suggest_number(struct binder *b, const struct typed *number, const struct typed *wrong)
{
	const char *text = wrong->node->kind == NODE_STRING ? wrong->node->text : "";
	size_t digits = wrong->kind == EXPR_DURATION
				? strspn(b->x->text + wrong->node->begin, "0123456789.")
				: 0;

	if (*text && !text[strspn(text, "0123456789")])
		error_fix(b->e, "write `%s` without quotes", text);
	else if (is_constant_name(text))
		error_fix(b->e, "write `%s%s` without quotes",
			  text[0] == 'E' && number->node->kind == NODE_REF &&
					  number->node->ref->kind == EXPR_REF_RET
				  ? "-"
				  : "",
			  text);
	else if (wrong->is_literal && digits)
		error_fix(b->e, "write `%.*s`, or compare a duration", (int)digits,
			  b->x->text + wrong->node->begin);
	else if (wrong->kind == EXPR_DURATION)
		error_fix(b->e, "write `%s / 1ms` for a number of milliseconds",
			  bind_slice(b, wrong->node));
	else if (wrong->kind == EXPR_STRING && may_point_to_text(number->node))
		error_fix(b->e, "write `str(%s)` for the text it points to",
			  bind_slice(b, number->node));
	else if (wrong->kind == EXPR_BOOL)
		error_fix(b->e, "write `&&` between two conditions");
	else
		error_fix(b->e, "write a number, as in `10`");
}

static void suggest_text(struct binder *b, const struct typed *text, const struct typed *wrong)
{
	if (text->node->kind == NODE_STRING && kind_is_number(wrong->kind) &&
	    may_point_to_text(wrong->node))
		error_fix(b->e, "write `str(%s)` for the text it points to",
			  bind_slice(b, wrong->node));
	else if (wrong->is_literal)
		error_fix(b->e, "write `\"%s\"`", bind_slice(b, wrong->node));
	else
		error_fix(b->e, "write a text in quotes");
}

/* Chained comparisons, as in mathematics. */
static bool suggest_chain(struct binder *b, const struct node *n)
{
	const struct node *l = n->left;

	if (n->kind != NODE_BINARY || n->op < OP_LT || n->op > OP_GE || l->kind != NODE_BINARY ||
	    l->op < OP_LT || l->op > OP_GE)
		return false;
	error_fix(b->e, "write `%s && %s %s %s`", bind_slice(b, l), bind_slice(b, l->right),
		  op_text(n->op), bind_slice(b, n->right));
	return true;
}

static int unlike(struct binder *b, const struct node *n, const struct typed *l,
		  const struct typed *r)
{
	/* The one that is a literal is the wrong one, else the right one. */
	const struct typed *wrong = l->is_literal && !r->is_literal ? l : r;
	const struct typed *other = wrong == l ? r : l;
	int result;

	if (wrong->is_literal && other->is_literal && other->node->kind != NODE_STRING &&
	    wrong->kind == EXPR_DURATION) {
		wrong = l;
		other = r;
	}
	result = bind_complain(b, wrong->node, "expected %s to compare with `%s`, found %s",
			       other->kind == EXPR_DURATION  ? "a duration"
			       : other->kind == EXPR_TIME    ? "a point in time"
			       : other->kind == EXPR_STRING  ? "a text"
			       : other->kind == EXPR_BOOL    ? "true or false"
			       : other->kind == EXPR_POINTER ? "a pointer"
							     : "a number",
			       bind_slice(b, other->node), bind_describe(b, wrong));
	if (suggest_chain(b, n))
		return result;
	if (other->kind == EXPR_DURATION)
		suggest_duration(b, other, wrong);
	else if (other->kind == EXPR_TIME)
		error_fix(
			b->e,
			"write `\"12:30\"`, or a date and a time as in `\"2026-11-30 12:30:00\"`");
	else if (other->kind == EXPR_STRING)
		suggest_text(b, other, wrong);
	else if (other->kind == EXPR_BOOL && other->node->kind == NODE_FIELD)
		error_fix(b->e, "write `%s` alone, or `!%s`", bind_slice(b, other->node),
			  bind_slice(b, other->node));
	else if (other->kind == EXPR_BOOL)
		error_fix(b->e, "write `&&` between two conditions");
	else if (other->kind == EXPR_POINTER && wrong->kind != EXPR_STRING)
		error_fix(b->e, "write `NULL` or an address, as in `0x7f0000001000`");
	else
		suggest_number(b, other, wrong);
	return result;
}

static bool are_alike(enum expr_kind l, enum expr_kind r)
{
	if (l == EXPR_DECIMAL)
		return kind_is_number(r) || r == EXPR_DECIMAL;
	if (r == EXPR_DECIMAL)
		return kind_is_number(l);
	if (kind_is_number(l) || l == EXPR_POINTER)
		return kind_is_number(r) || r == EXPR_POINTER;
	return l == r;
}

static int no_order(struct binder *b, const struct node *n, const struct typed *l,
		    const struct typed *r)
{
	int result =
		bind_complain(b, n, "expected numbers around `%s`, found %s, which has no order",
			      op_text(n->op), bind_describe(b, l->is_literal ? r : l));

	if (!suggest_chain(b, n))
		error_fix(b->e, l->kind == EXPR_STRING ? "write `==`, `!=`, `in` or `=~`"
						       : "write `==` or `!=`");
	return result;
}

/* NORM of a truth's value is that value. */
static struct ir *as_bit(struct binder *b, const struct typed *t)
{
	return t->ir->kind == IR_LOGIC ? t->ir : ir_unary(b->a, IR_NORM, t->ir);
}

static struct ir *compare_bools(struct binder *b, enum op op, const struct typed *l,
				const struct typed *r)
{
	const struct typed *constant = ir_is_const(l->ir) ? l : r;
	const struct typed *other = constant == l ? r : l;
	bool wants_true;

	if (!ir_is_const(constant->ir))
		return ir_comparison(b->a, op, as_bit(b, l), as_bit(b, r));
	wants_true = (constant->ir->value != 0) == (op == OP_EQ);
	return wants_true ? ir_nonzero(b->a, other->ir)
			  : ir_comparison(b->a, OP_EQ, other->ir, ir_const(b->a, 0, true));
}

/* Both operands are explained and go together, or there is an error. */
static int make_alike(struct binder *b, const struct node *n, struct typed *l, struct typed *r)
{
	int result = bind_attr_as(b, l, r->kind);

	if (result == 0)
		result = bind_attr_as(b, r, l->kind);
	if (result < 0)
		return result;
	if (l->kind == EXPR_STRING)
		result = explain_text(b, l, r);
	else if (r->kind == EXPR_STRING)
		result = explain_text(b, r, l);
	if (result < 0)
		return result;
	explain_cgroup(l, r);
	explain_cgroup(r, l);
	return are_alike(l->kind, r->kind) ? 0 : unlike(b, n, l, r);
}

int bind_comparison(struct binder *b, const struct node *n, struct ir **ret)
{
	struct typed l, r;
	int result = bind_operands(b, n, NULL, &l, &r);

	/* Two attributes that are put in order are numbers. */
	if (result == 0 && n->op != OP_EQ && n->op != OP_NE && r.node->kind == NODE_ATTR)
		result = bind_attr_as(b, &l, EXPR_INT);
	if (result == 0)
		result = make_alike(b, n, &l, &r);
	if (result == 0)
		result = bind_in_units(b, &l, &r);
	if (result == 0)
		result = bind_in_units(b, &r, &l);
	if (result < 0)
		return result;
	if ((l.kind == EXPR_STRING || l.kind == EXPR_BOOL) && n->op != OP_EQ && n->op != OP_NE)
		return no_order(b, n, &l, &r);
	if (l.kind == EXPR_STRING)
		return bind_same_text(b, n->op, &l, &r, ret);
	*ret = l.kind == EXPR_BOOL ? compare_bools(b, n->op, &l, &r)
				   : ir_comparison(b->a, n->op, l.ir, r.ir);
	return *ret ? 0 : -ENOMEM;
}

static int bind_text_in(struct binder *b, const struct node *n, const struct typed *left,
			const struct typed *item, struct ir **all)
{
	struct ir *one;
	int r = bind_same_text(b, n->negated ? OP_NE : OP_EQ, left, item, &one);

	if (r < 0)
		return r;
	*all = n->negated ? ir_and(b->a, *all, one) : ir_or(b->a, *all, one);
	return *all ? 0 : -ENOMEM;
}

/* `duration_ms in (0.5)`: no whole number of them ever is. */
static int check_units(struct binder *b, const struct typed *left, const struct typed *item)
{
	const char *unit = bind_unit(left);
	int r;

	if (!unit || item->kind != EXPR_DECIMAL)
		return 0;
	r = bind_complain(b, item->node, "expected a whole number in the list, found %s",
			  bind_describe(b, item));
	error_fix(b->e, "write `duration in (%s%s)`", bind_slice(b, item->node), unit);
	return r;
}

int bind_in(struct binder *b, const struct node *n, struct ir **ret)
{
	struct hint hint = {};
	struct typed left, item;
	struct ir_item *items;
	struct ir *texts = ir_bool(b->a, n->negated);
	size_t n_items = 0;
	int r = n->has_name ? bind_find_names(b, n->left, &hint) : 0;

	if (r == 0)
		r = bind_value(b, n->left, &hint, &left);
	if (r < 0)
		return r;
	if (left.kind == EXPR_BOOL) {
		r = bind_complain(b, n->left, "expected a number or a text before `in`, found %s",
				  bind_describe(b, &left));
		error_fix(b->e, "write `%s` alone, or `==`", bind_slice(b, n->left));
		return r;
	}
	for (const struct node *i = n->items; i; i = i->next)
		n_items++;
	items = arena_alloc(b->a, n_items * sizeof(*items));
	if (!items || !texts)
		return -ENOMEM;
	n_items = 0;
	hint.other = &left;
	for (const struct node *i = n->items; i; i = i->next) {
		r = bind_value(b, i, &hint, &item);
		if (r == 0)
			r = make_alike(b, n, &left, &item);
		if (r == 0)
			r = check_units(b, &left, &item);
		if (r == 0 && left.kind == EXPR_STRING)
			r = bind_text_in(b, n, &left, &item, &texts);
		if (r < 0)
			return r;
		items[n_items++].value = item.ir;
	}
	*ret = left.kind == EXPR_STRING ? texts : ir_in(b->a, n->negated, left.ir, items, n_items);
	return *ret ? 0 : -ENOMEM;
}
