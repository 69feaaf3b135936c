/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a fraction: beside whole numbers, comparisons that need none are made of them. */
#include "expr/ir.h"

struct ir *ir_decimal(struct arena *a, const struct decimal *d)
{
	struct ir *n = ir_const(a, 0, true);

	if (n) {
		n->kind = IR_DECIMAL;
		n->decimal = *d;
	}
	return n;
}

struct ir *ir_decimal_negated(struct arena *a, const struct ir *of)
{
	struct decimal d = of->decimal;

	decimal_negate(&d);
	return ir_decimal(a, &d);
}

/* The greatest whole number that is not above d; false: 64 bits are too few. */
static bool find_floor(const struct decimal *d, uint64_t *ret, bool *ret_signed, bool *ret_more)
{
	const uint64_t least = 1ULL << 63;
	uint64_t whole;

	if (!decimal_split(d, &whole, ret_more) ||
	    (d->negative && (whole > least || (whole == least && *ret_more))))
		return false;
	*ret = !d->negative ? whole : *ret_more ? ~whole : 0 - whole;
	*ret_signed = d->negative || whole <= INT64_MAX;
	return true;
}

struct ir *ir_whole(struct arena *a, struct ir *of)
{
	uint64_t value;
	bool is_signed, more;

	if (of->kind != IR_DECIMAL || !find_floor(&of->decimal, &value, &is_signed, &more) || more)
		return of;
	return ir_const(a, value, is_signed);
}

struct ir *ir_decimal_comparison(struct arena *a, enum op op, struct ir *left, struct ir *right)
{
	const struct decimal *d = &right->decimal;
	uint64_t floor;
	bool is_signed, more;

	if (left->kind == IR_DECIMAL)
		return ir_bool(a, ir_holds(op, left->decimal.near < d->near
						       ? -1
						       : left->decimal.near > d->near));
	if (!find_floor(d, &floor, &is_signed, &more))
		return ir_if_defined(a, left, ir_holds(op, d->negative ? 1 : -1));
	if (more && (op == OP_EQ || op == OP_NE))
		return ir_if_defined(a, left, op == OP_NE);
	/* No whole number lies between the floor and d. */
	if (more)
		op = op == OP_GT || op == OP_GE ? OP_GT : OP_LE;
	return ir_comparison(a, op, left, ir_const(a, floor, is_signed));
}
