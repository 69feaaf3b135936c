/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values: loads and arithmetic. */
#include "expr/code_gen.h"

void gen_valid(struct emit *c, uint8_t bit, uint32_t undef)
{
	emit_load(c, REG_SCRATCH, REG_CALL, offsetof(struct record_call, valid), 8);
	if (bit < 31) {
		emit_alu_imm(c, BPF_AND, REG_SCRATCH, 1 << bit);
	} else {
		emit_alu_imm(c, BPF_RSH, REG_SCRATCH, bit);
		emit_alu_imm(c, BPF_AND, REG_SCRATCH, 1);
	}
	emit_jump_imm(c, BPF_JEQ, REG_SCRATCH, 0, undef);
}

static void gen_load(struct emit *c, const struct ir_load *l, uint8_t dst, uint32_t undef)
{
	int shift = 64 - l->size * 8;

	if (l->guard == GUARD_VALID)
		gen_valid(c, l->bit, undef);
	if (l->guard == GUARD_RETURNED) {
		emit_load(c, REG_SCRATCH, REG_CALL, offsetof(struct record_call, span.h.flags), 2);
		emit_jump_imm(c, BPF_JSET, REG_SCRATCH, SPAN_UNWOUND | SPAN_TAIL | SPAN_INSTANT,
			      undef);
	}
	emit_load(c, dst, REG_CALL, l->offset, l->size);
	if (l->is_signed && shift) {
		emit_alu_imm(c, BPF_LSH, dst, shift);
		emit_alu_imm(c, BPF_ARSH, dst, shift);
	}
	if (l->guess_int && l->size == 8) {
		/* The upper half 0 and the lower one negative: its upper 33 bits are 1. */
		emit_alu_reg(c, BPF_MOV, REG_SCRATCH, dst);
		emit_alu_imm(c, BPF_RSH, REG_SCRATCH, 31);
		emit_insn(c, BPF_JMP | BPF_JNE | BPF_K, REG_SCRATCH, 0, 2, 1);
		emit_alu_imm(c, BPF_LSH, dst, 32);
		emit_alu_imm(c, BPF_ARSH, dst, 32);
	}
}

void gen_pair(struct emit *c, const struct ir *x, const struct ir *y, unsigned int at,
	      uint32_t undef, uint8_t *ret_x, uint8_t *ret_y)
{
	bool y_first = y->need > x->need;
	const struct ir *first = y_first ? y : x, *second = y_first ? x : y;
	uint8_t reg = emit_value_regs[at], other;

	gen_value(c, first, at, undef);
	if (ir_is_const(second)) {
		other = REG_SCRATCH;
		emit_const(c, other, second->value);
	} else if (at + 1 < VALUE_REGS) {
		other = emit_value_regs[at + 1];
		gen_value(c, second, at + 1, undef);
	} else {
		int16_t slot = emit_take_slot(c);

		emit_store(c, BPF_REG_10, slot, reg);
		gen_value(c, second, at, undef);
		other = REG_SCRATCH;
		emit_move(c, other, reg);
		emit_load(c, reg, BPF_REG_10, slot, 8);
		emit_drop_slot(c);
	}
	*ret_x = y_first ? other : reg;
	*ret_y = y_first ? reg : other;
}

static void negate(struct emit *c, uint8_t reg)
{
	emit_insn(c, BPF_ALU64 | BPF_NEG, reg, 0, 0, 0);
}

/* -reg when `sign` is negative. */
static void negate_if(struct emit *c, uint8_t sign, uint8_t reg)
{
	emit_insn(c, BPF_JMP | BPF_JSGE | BPF_K, sign, 0, 1, 0);
	negate(c, reg);
}

/*
 * x is divided by y, both signed, with the unsigned division that BPF has. The quotient is negative
 * when one of them is, the remainder when x is. The smallest number is its own negative, which
 * read as unsigned is right again, so that its quotient by -1 wraps.
 */
static void divide_signed(struct emit *c, enum op op, uint8_t x, uint8_t y)
{
	emit_alu_reg(c, BPF_MOV, REG_SCRATCH_2, x);
	if (op == OP_DIV)
		emit_alu_reg(c, BPF_XOR, REG_SCRATCH_2, y);
	negate_if(c, x, x);
	negate_if(c, y, y);
	emit_alu_reg(c, op == OP_DIV ? BPF_DIV : BPF_MOD, x, y);
	negate_if(c, REG_SCRATCH_2, x);
}

/* The same by a positive constant. */
static void divide_signed_imm(struct emit *c, enum op op, uint8_t x, int32_t y)
{
	emit_alu_reg(c, BPF_MOV, REG_SCRATCH_2, x);
	negate_if(c, x, x);
	emit_alu_imm(c, op == OP_DIV ? BPF_DIV : BPF_MOD, x, y);
	negate_if(c, REG_SCRATCH_2, x);
}

static uint8_t alu_op(const struct ir *n)
{
	switch (n->op) {
	case OP_ADD:
		return BPF_ADD;
	case OP_SUB:
		return BPF_SUB;
	case OP_MUL:
		return BPF_MUL;
	case OP_DIV:
		return BPF_DIV;
	case OP_MOD:
		return BPF_MOD;
	case OP_SHL:
		return BPF_LSH;
	case OP_SHR:
		return n->is_signed_op ? BPF_ARSH : BPF_RSH;
	case OP_BIT_AND:
		return BPF_AND;
	case OP_BIT_OR:
		return BPF_OR;
	default:
		return BPF_XOR;
	}
}

static void gen_arith_imm(struct emit *c, const struct ir *n, unsigned int at, uint32_t undef)
{
	uint8_t x = emit_value_regs[at];
	int32_t imm = (int32_t)n->right->value;
	bool divides = n->op == OP_DIV || n->op == OP_MOD;

	gen_value(c, n->left, at, undef);
	if (n->op == OP_SHL || n->op == OP_SHR)
		imm &= 63;
	if (divides && n->is_signed_op)
		divide_signed_imm(c, n->op, x, imm);
	else
		emit_alu_imm(c, alu_op(n), x, imm);
}

static void gen_arith(struct emit *c, const struct ir *n, unsigned int at, uint32_t undef)
{
	bool divides = n->op == OP_DIV || n->op == OP_MOD;
	bool shifts = n->op == OP_SHL || n->op == OP_SHR;
	uint8_t x, y;

	/* A shift needs the lower six bits of a constant alone; a negative divisor a register. */
	if (ir_is_const(n->right) && (shifts || (emit_fits(n->right->value) &&
						 (!divides || (int64_t)n->right->value > 0)))) {
		gen_arith_imm(c, n, at, undef);
		return;
	}
	gen_pair(c, n->left, n->right, at, undef, &x, &y);
	if (divides && !ir_is_const(n->right))
		emit_jump_imm(c, BPF_JEQ, y, 0, undef);
	if (shifts)
		emit_alu_imm(c, BPF_AND, y, 63);
	if (divides && n->is_signed_op)
		divide_signed(c, n->op, x, y);
	else
		emit_alu_reg(c, alu_op(n), x, y);
	emit_move(c, emit_value_regs[at], x);
}

static void gen_logic(struct emit *c, const struct ir *n, unsigned int at)
{
	uint32_t yes = emit_label(c), no = emit_label(c), done = emit_label(c);

	gen_truth(c, n->left, at, (struct ways){yes, no, yes});
	emit_place(c, yes);
	emit_const(c, emit_value_regs[at], 1);
	emit_goto(c, done);
	emit_place(c, no);
	emit_const(c, emit_value_regs[at], 0);
	emit_place(c, done);
}

void gen_value(struct emit *c, const struct ir *n, unsigned int at, uint32_t undef)
{
	uint8_t reg = emit_value_regs[at];

	switch (n->kind) {
	case IR_CONST:
		emit_const(c, reg, n->value);
		break;
	case IR_LOAD:
		gen_load(c, &n->load, reg, undef);
		break;
	case IR_ARITH:
		gen_arith(c, n, at, undef);
		break;
	case IR_LOGIC:
		gen_logic(c, n, at);
		break;
	case IR_NEG:
		gen_value(c, n->left, at, undef);
		negate(c, reg);
		break;
	case IR_INVERT:
		gen_value(c, n->left, at, undef);
		emit_alu_imm(c, BPF_XOR, reg, -1);
		break;
	case IR_NORM:
		gen_value(c, n->left, at, undef);
		emit_insn(c, BPF_JMP | BPF_JEQ | BPF_K, reg, 0, 1, 0);
		emit_const(c, reg, 1);
		break;
	default:
		/* Folding leaves nothing else where a value is. */
		c->error = c->error ? c->error : -EINVAL;
		break;
	}
}
