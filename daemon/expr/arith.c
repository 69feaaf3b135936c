/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What arithmetic and comparisons mean; the generated code does the same in code_value.c. */
#include "expr/ir.h"

bool ir_arith(enum op op, bool is_signed, uint64_t a, uint64_t b, uint64_t *ret)
{
	switch (op) {
	case OP_ADD:
		*ret = a + b;
		return true;
	case OP_SUB:
		*ret = a - b;
		return true;
	case OP_MUL:
		*ret = a * b;
		return true;
	case OP_DIV:
		if (!b)
			return false;
		/* The one quotient that does not fit wraps. */
		*ret = !is_signed	 ? a / b
		       : b == UINT64_MAX ? 0 - a
					 : (uint64_t)((int64_t)a / (int64_t)b);
		return true;
	case OP_MOD:
		if (!b)
			return false;
		*ret = !is_signed	 ? a % b
		       : b == UINT64_MAX ? 0
					 : (uint64_t)((int64_t)a % (int64_t)b);
		return true;
	case OP_SHL:
		*ret = a << (b & 63);
		return true;
	case OP_SHR:
		*ret = is_signed ? (uint64_t)((int64_t)a >> (b & 63)) : a >> (b & 63);
		return true;
	case OP_BIT_AND:
		*ret = a & b;
		return true;
	case OP_BIT_OR:
		*ret = a | b;
		return true;
	case OP_BIT_XOR:
		*ret = a ^ b;
		return true;
	default:
		return false;
	}
}

bool ir_compare(enum op op, enum ir_mode mode, uint64_t a, uint64_t b)
{
	bool less = mode == MODE_UNSIGNED ? a < b : (int64_t)a < (int64_t)b;
	bool equal = a == b;

	if (mode == MODE_MIXED) {
		less = (int64_t)a < 0 || a < b;
		equal = (int64_t)a >= 0 && a == b;
	}
	return ir_holds(op, less ? -1 : !equal);
}

bool ir_holds(enum op op, int order)
{
	switch (op) {
	case OP_EQ:
		return order == 0;
	case OP_NE:
		return order != 0;
	case OP_LT:
		return order < 0;
	case OP_LE:
		return order <= 0;
	case OP_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}
