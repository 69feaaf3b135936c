/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Truths: comparisons and what joins them, as jumps. */
#include "expr/code_gen.h"

static uint8_t jump_op(enum op op, bool is_signed)
{
	switch (op) {
	case OP_EQ:
		return BPF_JEQ;
	case OP_NE:
		return BPF_JNE;
	case OP_LT:
		return is_signed ? BPF_JSLT : BPF_JLT;
	case OP_LE:
		return is_signed ? BPF_JSLE : BPF_JLE;
	case OP_GT:
		return is_signed ? BPF_JSGT : BPF_JGT;
	default:
		return is_signed ? BPF_JSGE : BPF_JGE;
	}
}

static enum op opposite(enum op op)
{
	static const enum op of[] = {[OP_EQ] = OP_NE, [OP_NE] = OP_EQ, [OP_LT] = OP_GE,
				     [OP_GE] = OP_LT, [OP_LE] = OP_GT, [OP_GT] = OP_LE};

	return of[op];
}

static void go(struct emit *c, bool yes, struct ways w)
{
	uint32_t to = yes ? w.yes : w.no;

	if (to != w.next)
		emit_goto(c, to);
}

/* One jump where the other way is next, else two. */
static void branch_imm(struct emit *c, enum op op, bool is_signed, uint8_t x, int32_t y,
		       struct ways w)
{
	if (w.next == w.yes) {
		emit_jump_imm(c, jump_op(opposite(op), is_signed), x, y, w.no);
	} else {
		emit_jump_imm(c, jump_op(op, is_signed), x, y, w.yes);
		go(c, false, w);
	}
}

static void branch_reg(struct emit *c, enum op op, bool is_signed, uint8_t x, uint8_t y,
		       struct ways w)
{
	if (w.next == w.yes) {
		emit_jump_reg(c, jump_op(opposite(op), is_signed), x, y, w.no);
	} else {
		emit_jump_reg(c, jump_op(op, is_signed), x, y, w.yes);
		go(c, false, w);
	}
}

static void gen_comparison(struct emit *c, const struct ir *n, unsigned int at, struct ways w)
{
	bool is_signed = n->mode == MODE_SIGNED;
	uint8_t x, y;

	if (ir_is_const(n->right) && emit_fits(n->right->value)) {
		gen_value(c, n->left, at, w.no);
		branch_imm(c, n->op, is_signed, emit_value_regs[at], (int32_t)n->right->value, w);
		return;
	}
	gen_pair(c, n->left, n->right, at, w.no, &x, &y);
	/* A negative number is less than all unsigned ones. */
	if (n->mode == MODE_MIXED)
		emit_jump_imm(c, BPF_JSLT, x, 0,
			      n->op == OP_LT || n->op == OP_LE || n->op == OP_NE ? w.yes : w.no);
	branch_reg(c, n->op, is_signed, x, y, w);
}

static void gen_nonzero(struct emit *c, const struct ir *n, unsigned int at, struct ways w)
{
	const struct ir *v = n->left;

	if (v->kind == IR_ARITH && v->op == OP_BIT_AND && ir_is_const(v->right) &&
	    emit_fits(v->right->value)) {
		gen_value(c, v->left, at, w.no);
		emit_jump_imm(c, BPF_JSET, emit_value_regs[at], (int32_t)v->right->value, w.yes);
		go(c, false, w);
		return;
	}
	gen_value(c, v, at, w.no);
	branch_imm(c, OP_NE, false, emit_value_regs[at], 0, w);
}

/* Where `in` goes on when the value is the item at hand. */
static void gen_item(struct emit *c, const struct ir_item *item, unsigned int at, int16_t slot,
		     uint32_t found, uint32_t undef, uint32_t other)
{
	uint8_t value = emit_value_regs[at], reg;

	if (ir_is_const(item->value) && emit_fits(item->value->value)) {
		if (slot)
			emit_load(c, value, BPF_REG_10, slot, 8);
		emit_jump_imm(c, BPF_JEQ, value, (int32_t)item->value->value, found);
		return;
	}
	if (slot) {
		gen_value(c, item->value, at, undef);
		reg = REG_SCRATCH;
		emit_move(c, reg, value);
		emit_load(c, value, BPF_REG_10, slot, 8);
	} else {
		reg = emit_value_regs[at + 1];
		gen_value(c, item->value, at + 1, undef);
	}
	if (item->mixed)
		emit_jump_imm(c, BPF_JSLT, value, 0, other);
	emit_jump_reg(c, BPF_JEQ, value, reg, found);
}

static void gen_in(struct emit *c, const struct ir *n, unsigned int at, struct ways w)
{
	uint32_t found = n->negated ? w.no : w.yes;
	int16_t slot = 0;

	gen_value(c, n->left, at, w.no);
	if (at + 1 == VALUE_REGS) {
		slot = emit_take_slot(c);
		emit_store(c, BPF_REG_10, slot, emit_value_regs[at]);
	}
	for (size_t i = 0; i < n->n_items; i++) {
		uint32_t other = emit_label(c);

		gen_item(c, &n->items[i], at, slot, found, n->negated ? w.no : other, other);
		emit_place(c, other);
	}
	if (slot)
		emit_drop_slot(c);
	go(c, n->negated, w);
}

void gen_truth(struct emit *c, const struct ir *n, unsigned int at, struct ways w)
{
	uint32_t middle;

	switch (n->kind) {
	case IR_AND:
	case IR_OR:
		middle = emit_label(c);
		if (n->kind == IR_AND)
			gen_truth(c, n->left, at, (struct ways){middle, w.no, middle});
		else
			gen_truth(c, n->left, at, (struct ways){w.yes, middle, middle});
		emit_place(c, middle);
		gen_truth(c, n->right, at, w);
		break;
	case IR_NOT:
		gen_truth(c, n->left, at, (struct ways){w.no, w.yes, w.next});
		break;
	case IR_NONZERO:
		gen_nonzero(c, n, at, w);
		break;
	case IR_DEFINED:
		gen_value(c, n->left, at, w.no);
		go(c, true, w);
		break;
	case IR_COMPARE:
		gen_comparison(c, n, at, w);
		break;
	case IR_IN:
		gen_in(c, n, at, w);
		break;
	case IR_TEXT:
		gen_text(c, n, w);
		break;
	default:
		c->error = c->error ? c->error : -EINVAL;
		break;
	}
}

/* ---- texts ---- */

/* Compares bytes of the call with what is wanted, in loads as wide as their alignment allows. */
static void gen_bytes(struct emit *c, size_t off, const char *wanted, size_t len, uint32_t differ)
{
	while (len) {
		size_t size = 8;
		uint64_t chunk = 0;

		while (size > len || off % size)
			size /= 2;
		memcpy(&chunk, wanted, size);
		emit_load(c, REG_SCRATCH, REG_CALL, (int16_t)off, (uint8_t)size);
		if (size == 8) {
			emit_const(c, REG_SCRATCH_2, chunk);
			emit_jump_reg(c, BPF_JNE, REG_SCRATCH, REG_SCRATCH_2, differ);
		} else {
			emit_jump32_imm(c, BPF_JNE, REG_SCRATCH, (int32_t)chunk, differ);
		}
		off += size;
		wanted += size;
		len -= size;
	}
}

static void gen_capture(struct emit *c, const struct ir_text *t, uint32_t differ, uint32_t undef)
{
	size_t off = offsetof(struct record_call, values) + t->source.slot;

	gen_valid(c, t->source.bit, undef);
	if (t->pattern.kind == PATTERN_EXACT || t->pattern.len) {
		emit_load(c, REG_SCRATCH, REG_CALL, (int16_t)off, 4);
		emit_jump_imm(c, t->pattern.kind == PATTERN_EXACT ? BPF_JNE : BPF_JLT, REG_SCRATCH,
			      (int32_t)t->pattern.len, differ);
	}
	gen_bytes(c, off + sizeof(struct record_text), t->pattern.text, t->pattern.len, differ);
}

static void gen_caller(struct emit *c, const struct ir_callers *callers, bool negated,
		       struct ways w)
{
	/* The list are those that decide it the one way; the rest of the probes goes the other. */
	bool listed = callers->flipped == negated;

	emit_load(c, REG_SCRATCH, REG_CALL, offsetof(struct record_call, caller), 4);
	emit_jump_imm(c, BPF_JEQ, REG_SCRATCH, 0, w.no);
	if (!listed)
		emit_jump_imm(c, BPF_JGT, REG_SCRATCH, (int32_t)callers->total, w.no);
	for (size_t i = 0; i < callers->n; i++)
		emit_jump_imm(c, BPF_JEQ, REG_SCRATCH, (int32_t)callers->list[i] + 1,
			      listed ? w.yes : w.no);
	go(c, !listed, w);
}

void gen_text(struct emit *c, const struct ir *n, struct ways w)
{
	const struct ir_text *t = n->text;
	uint32_t differ = n->negated ? w.yes : w.no;
	size_t nul = t->pattern.kind == PATTERN_EXACT ? 1 : 0;

	if (t->callers) {
		gen_caller(c, t->callers, n->negated, w);
		return;
	}
	if (t->source.kind == TEXT_CAPTURE)
		gen_capture(c, t, differ, w.no);
	else
		gen_bytes(c, offsetof(struct record_call, comm), t->pattern.text,
			  t->pattern.len + nul, differ);
	go(c, !n->negated, w);
}
