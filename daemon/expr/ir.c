/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/ir.h"

static struct ir *new_ir(struct arena *a, enum ir_kind kind)
{
	struct ir *n = arena_alloc(a, sizeof(*n));

	if (n) {
		n->kind = kind;
		n->in_kernel = true;
		n->need = 1;
	}
	return n;
}

/* Two values at a time: the one that needs more goes first, then the other beside its result. */
static uint8_t need_of_pair(const struct ir *l, const struct ir *r)
{
	return l->need == r->need ? l->need + 1 : MAX(l->need, r->need);
}

/* A node over one or two others. */
static struct ir *new_over(struct arena *a, enum ir_kind kind, struct ir *l, struct ir *r)
{
	struct ir *n;

	if (!l || !r)
		return NULL;
	n = new_ir(a, kind);
	if (!n)
		return NULL;
	n->left = l;
	n->right = r;
	n->in_kernel = l->in_kernel && r->in_kernel;
	n->needs = l->needs | r->needs;
	n->may_undef = l->may_undef || r->may_undef;
	n->need = l == r ? l->need : need_of_pair(l, r);
	return n;
}

static struct ir *new_truth_over(struct arena *a, enum ir_kind kind, struct ir *l, struct ir *r)
{
	struct ir *n = new_over(a, kind, l, r);

	if (n) {
		n->may_undef = false;
		n->need = MAX(l->need, r->need);
	}
	return n;
}

struct ir *ir_const(struct arena *a, uint64_t value, bool is_signed)
{
	struct ir *n = new_ir(a, IR_CONST);

	if (n) {
		n->value = value;
		n->is_signed = is_signed;
	}
	return n;
}

struct ir *ir_undef(struct arena *a)
{
	struct ir *n = new_ir(a, IR_UNDEF);

	if (n)
		n->may_undef = true;
	return n;
}

struct ir *ir_load(struct arena *a, const struct ir_load *load, bool is_signed, uint32_t needs)
{
	struct ir *n = new_ir(a, IR_LOAD);

	if (n) {
		n->load = *load;
		n->is_signed = is_signed;
		n->needs = needs;
		n->may_undef = load->guard != GUARD_NONE;
	}
	return n;
}

struct ir *ir_attr(struct arena *a, const char *key, enum ir_attr_type of)
{
	struct ir *n = new_ir(a, IR_ATTR);

	if (n) {
		n->key = key;
		n->of = of;
		n->is_signed = n->may_undef = true;
		n->in_kernel = false;
	}
	return n;
}

struct ir *ir_binary(struct arena *a, enum op op, bool is_signed_op, bool is_signed,
		     struct ir *left, struct ir *right)
{
	struct ir *n;
	uint64_t value;

	if (!left || !right)
		return NULL;
	if (left->kind == IR_UNDEF || right->kind == IR_UNDEF)
		return ir_undef(a);
	if (ir_is_const(left) && ir_is_const(right))
		return ir_arith(op, is_signed_op, left->value, right->value, &value)
			       ? ir_const(a, value, is_signed)
			       : ir_undef(a);
	if ((op == OP_DIV || op == OP_MOD) && ir_is_const(right) && !right->value)
		return ir_undef(a);
	n = new_over(a, IR_ARITH, left, right);
	if (!n)
		return NULL;
	n->op = op;
	n->is_signed_op = is_signed_op;
	n->is_signed = is_signed;
	n->may_undef |= (op == OP_DIV || op == OP_MOD) && !ir_is_const(right);
	return n;
}

struct ir *ir_unary(struct arena *a, enum ir_kind kind, struct ir *of)
{
	struct ir *n;

	if (!of || of->kind == IR_UNDEF)
		return of;
	if (kind == IR_LOGIC && of->kind == IR_BOOL)
		return ir_const(a, of->value, true);
	if (of->kind == IR_DECIMAL)
		return ir_decimal_negated(a, of);
	if (ir_is_const(of))
		return ir_const(a,
				kind == IR_NEG	    ? 0 - of->value
				: kind == IR_INVERT ? ~of->value
						    : of->value != 0,
				kind == IR_INVERT ? of->is_signed : true);
	n = new_over(a, kind, of, of);
	if (n)
		n->is_signed = kind == IR_INVERT ? of->is_signed : true;
	return n;
}

struct ir *ir_bool(struct arena *a, bool value)
{
	struct ir *n = new_ir(a, IR_BOOL);

	if (n)
		n->value = value;
	return n;
}

struct ir *ir_and(struct arena *a, struct ir *left, struct ir *right)
{
	if (!left || !right)
		return NULL;
	if (left->kind == IR_BOOL)
		return left->value ? right : left;
	if (right->kind == IR_BOOL)
		return right->value ? left : right;
	return new_truth_over(a, IR_AND, left, right);
}

struct ir *ir_or(struct arena *a, struct ir *left, struct ir *right)
{
	if (!left || !right)
		return NULL;
	if (left->kind == IR_BOOL)
		return left->value ? left : right;
	if (right->kind == IR_BOOL)
		return right->value ? right : left;
	return new_truth_over(a, IR_OR, left, right);
}

struct ir *ir_not(struct arena *a, struct ir *of)
{
	if (!of)
		return NULL;
	if (of->kind == IR_BOOL)
		return ir_bool(a, !of->value);
	return new_truth_over(a, IR_NOT, of, of);
}

struct ir *ir_nonzero(struct arena *a, struct ir *of)
{
	if (!of)
		return NULL;
	if (of->kind == IR_UNDEF)
		return ir_bool(a, false);
	if (ir_is_const(of) || of->kind == IR_DECIMAL)
		return ir_bool(a, of->value || of->decimal.mantissa);
	if (of->kind == IR_LOGIC)
		return of->left;
	return new_truth_over(a, IR_NONZERO, of, of);
}

struct ir *ir_if_defined(struct arena *a, struct ir *of, bool truth)
{
	if (!truth || !of->may_undef)
		return ir_bool(a, truth);
	return new_truth_over(a, IR_DEFINED, of, of);
}

static enum op mirrored(enum op op)
{
	switch (op) {
	case OP_LT:
		return OP_GT;
	case OP_LE:
		return OP_GE;
	case OP_GT:
		return OP_LT;
	case OP_GE:
		return OP_LE;
	default:
		return op;
	}
}

static bool is_negative(const struct ir *n)
{
	return n->is_signed && (int64_t)n->value < 0;
}

/* No signed number has this value. */
static bool is_huge(const struct ir *n)
{
	return !n->is_signed && (int64_t)n->value < 0;
}

struct ir *ir_comparison(struct arena *a, enum op op, struct ir *left, struct ir *right)
{
	enum ir_mode mode;
	struct ir *n;

	if (!left || !right)
		return NULL;
	if (left->kind == IR_UNDEF || right->kind == IR_UNDEF)
		return ir_bool(a, false);
	if (left->kind == IR_DECIMAL && right->kind != IR_DECIMAL)
		return ir_comparison(a, mirrored(op), right, left);
	if (right->kind == IR_DECIMAL && left->kind != IR_ATTR)
		return ir_decimal_comparison(a, op, left, right);
	/* A constant stands on the right; of two values, the signed one stands on the left. */
	if ((ir_is_const(left) && !ir_is_const(right)) ||
	    (ir_is_const(left) == ir_is_const(right) && !left->is_signed && right->is_signed)) {
		struct ir *swap = left;

		left = right;
		right = swap;
		op = mirrored(op);
	}
	mode = left->is_signed == right->is_signed ? (left->is_signed ? MODE_SIGNED : MODE_UNSIGNED)
						   : MODE_MIXED;
	if (ir_is_const(left))
		return ir_bool(a, ir_compare(op, mode, left->value, right->value));
	/* Attributes are signed or not as each span has it. */
	if (ir_is_const(right) && mode == MODE_MIXED && left->kind != IR_ATTR) {
		if (left->is_signed && is_huge(right))
			return ir_if_defined(a, left, ir_compare(op, MODE_SIGNED, 0, 1));
		if (!left->is_signed && is_negative(right))
			return ir_if_defined(a, left, ir_compare(op, MODE_SIGNED, 1, 0));
		mode = left->is_signed ? MODE_SIGNED : MODE_UNSIGNED;
	}
	n = new_over(a, IR_COMPARE, left, right);
	if (n) {
		n->op = op;
		n->mode = mode;
		n->may_undef = false;
	}
	return n;
}

/* False: no value of `left` can be equal to the item. */
static bool can_equal(const struct ir *left, const struct ir *item)
{
	if (left->kind == IR_ATTR || left->kind == IR_DECIMAL)
		return true;
	if (item->kind == IR_DECIMAL)
		return false;
	if (!ir_is_const(item))
		return true;
	return left->is_signed ? !is_huge(item) : !is_negative(item);
}

struct ir *ir_in(struct arena *a, bool negated, struct ir *left, struct ir_item *items, size_t n)
{
	size_t kept = 0;
	struct ir *in;

	if (!left)
		return NULL;
	if (left->kind == IR_UNDEF)
		return ir_bool(a, false);
	for (size_t i = 0; i < n; i++) {
		struct ir *item = items[i].value;

		if (!item)
			return NULL;
		if (item->kind == IR_UNDEF) {
			/* `x != undefined` is false, and so is all of `not in`. */
			if (negated)
				return ir_bool(a, false);
			continue;
		}
		item = ir_whole(a, item);
		if (!item)
			return NULL;
		if (!can_equal(left, item))
			continue;
		items[kept].value = item;
		items[kept++].mixed = !ir_is_const(item) && item->is_signed != left->is_signed;
	}
	if (ir_is_const(left) || left->kind == IR_DECIMAL) {
		/* The tests are then the items', each by itself. */
		struct ir *all = ir_bool(a, negated);

		for (size_t i = 0; i < kept; i++) {
			struct ir *one =
				ir_comparison(a, negated ? OP_NE : OP_EQ, left, items[i].value);

			all = negated ? ir_and(a, all, one) : ir_or(a, all, one);
		}
		return all;
	}
	if (!kept)
		return ir_if_defined(a, left, negated);
	in = new_over(a, IR_IN, left, left);
	if (!in)
		return NULL;
	in->items = items;
	in->n_items = kept;
	in->negated = negated;
	in->may_undef = false;
	for (size_t i = 0; i < kept; i++) {
		in->in_kernel &= items[i].value->in_kernel;
		in->needs |= items[i].value->needs;
		in->need = MAX(in->need, items[i].value->need + 1);
	}
	return in;
}

static bool is_undecided(const struct ir_text *t)
{
	return t->source.kind == TEXT_UNDEF ||
	       (t->pattern.kind == PATTERN_SOURCE && t->pattern.other.kind == TEXT_UNDEF);
}

struct ir *ir_text(struct arena *a, const struct ir_text *text, bool negated)
{
	struct ir *n;

	if (is_undecided(text))
		return ir_bool(a, false);
	if (text->source.kind == TEXT_CONST && text->pattern.kind != PATTERN_SOURCE)
		return ir_bool(a, pattern_matches(&text->pattern, text->source.text,
						  text->source.len) == !negated);
	n = new_ir(a, IR_TEXT);
	if (!n)
		return NULL;
	n->text = arena_alloc(a, sizeof(*n->text));
	if (!n->text)
		return NULL;
	*n->text = *text;
	n->negated = negated;
	n->in_kernel =
		(text->source.kind == TEXT_COMM || text->source.kind == TEXT_CAPTURE) &&
		(text->pattern.kind == PATTERN_EXACT || text->pattern.kind == PATTERN_PREFIX);
	if (text->source.kind == TEXT_COMM)
		n->needs = EXPR_NEEDS_COMM;
	else if (text->source.kind == TEXT_CAPTURE)
		n->needs = EXPR_NEEDS_VALUES;
	else if (text->callers) {
		n->in_kernel = true;
		n->needs = EXPR_NEEDS_CALLER;
	}
	if (text->pattern.kind == PATTERN_SOURCE && text->pattern.other.kind == TEXT_CAPTURE)
		n->needs |= EXPR_NEEDS_VALUES;
	/* The name of a thread is always known: "*" says nothing about it. */
	if (text->source.kind == TEXT_COMM && text->pattern.kind == PATTERN_PREFIX &&
	    !text->pattern.len)
		return ir_bool(a, !negated);
	/* No text there is differs from all of them. */
	if (text->pattern.kind == PATTERN_PREFIX && !text->pattern.len && negated)
		return ir_bool(a, false);
	if (text->callers && !text->callers->n && text->callers->flipped == negated)
		return ir_bool(a, false);
	return n;
}
