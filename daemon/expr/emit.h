/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions and labels, for the code generator alone. Labels are numbers; jumps to them are
 * resolved at the end, always forward. A failure is remembered and reported by emit_finish().
 */
#ifndef SONDE_EXPR_EMIT_H
#define SONDE_EXPR_EMIT_H

#include <linux/bpf.h>

#include "sonde/base/util.h"

/* What a generated program keeps where. Values are in the value registers, then on the stack. */
enum {
	REG_SCRATCH = BPF_REG_0, /* never live across the code of an operand */
	REG_CALL = BPF_REG_6,	 /* the struct record_call */
	REG_CTX = BPF_REG_7,
	REG_SCRATCH_2 = BPF_REG_9,
	VALUE_REGS = 6,
};
static const uint8_t emit_value_regs[VALUE_REGS] = {BPF_REG_1, BPF_REG_2, BPF_REG_3,
						    BPF_REG_4, BPF_REG_5, BPF_REG_8};

struct emit_jump {
	uint32_t insn, label;
};

struct emit {
	struct bpf_insn *insns;
	size_t n, cap;
	struct emit_jump *jumps;
	size_t n_jumps, jumps_cap;
	uint32_t *labels; /* instruction each stands before */
	size_t n_labels, labels_cap;
	unsigned int slots; /* of the stack, in use */
	int error;
};

void emit_insn(struct emit *c, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm);
void emit_alu_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm);
void emit_alu_reg(struct emit *c, uint8_t op, uint8_t dst, uint8_t src);
void emit_move(struct emit *c, uint8_t dst, uint8_t src); /* nothing when they are the same */
void emit_const(struct emit *c, uint8_t dst, uint64_t value);
void emit_map(struct emit *c, uint8_t dst, int fd);
void emit_load(struct emit *c, uint8_t dst, uint8_t base, int16_t off, uint8_t size);
void emit_store(struct emit *c, uint8_t base, int16_t off, uint8_t src); /* 8 bytes */

uint32_t emit_label(struct emit *c);
void emit_place(struct emit *c, uint32_t label);
void emit_goto(struct emit *c, uint32_t label);
void emit_jump_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm, uint32_t label);
void emit_jump_reg(struct emit *c, uint8_t op, uint8_t dst, uint8_t src, uint32_t label);
/* Compares the lower 32 bits. */
void emit_jump32_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm, uint32_t label);

/* The stack slot is free again after the matching emit_drop(). */
int16_t emit_take_slot(struct emit *c);
void emit_drop_slot(struct emit *c);

/* Resolves the jumps. 0, -ENOMEM, or -E2BIG when it is more than jumps can span. */
int emit_finish(struct emit *c);
void emit_release(struct emit *c);

static inline bool emit_fits(uint64_t value)
{
	return (int64_t)value == (int32_t)value;
}

#endif
