/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/emit.h"

enum { MAX_SLOTS = 32, UNPLACED = UINT32_MAX };

static void fail(struct emit *c, int error)
{
	if (!c->error)
		c->error = error;
}

void emit_insn(struct emit *c, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (array_reserve(&c->insns, &c->cap, c->n + 1, sizeof(*c->insns)) < 0) {
		fail(c, -ENOMEM);
		return;
	}
	c->insns[c->n++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

void emit_alu_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm)
{
	emit_insn(c, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void emit_alu_reg(struct emit *c, uint8_t op, uint8_t dst, uint8_t src)
{
	emit_insn(c, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void emit_move(struct emit *c, uint8_t dst, uint8_t src)
{
	if (dst != src)
		emit_alu_reg(c, BPF_MOV, dst, src);
}

static void emit_wide(struct emit *c, uint8_t dst, uint8_t src, uint64_t value)
{
	emit_insn(c, BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, (int32_t)value);
	emit_insn(c, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void emit_const(struct emit *c, uint8_t dst, uint64_t value)
{
	if (emit_fits(value))
		emit_alu_imm(c, BPF_MOV, dst, (int32_t)value);
	else
		emit_wide(c, dst, 0, value);
}

void emit_map(struct emit *c, uint8_t dst, int fd)
{
	emit_wide(c, dst, BPF_PSEUDO_MAP_FD, (uint32_t)fd);
}

void emit_load(struct emit *c, uint8_t dst, uint8_t base, int16_t off, uint8_t size)
{
	uint8_t width = size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;

	emit_insn(c, BPF_LDX | BPF_MEM | width, dst, base, off, 0);
}

void emit_store(struct emit *c, uint8_t base, int16_t off, uint8_t src)
{
	emit_insn(c, BPF_STX | BPF_MEM | BPF_DW, base, src, off, 0);
}

uint32_t emit_label(struct emit *c)
{
	if (array_reserve(&c->labels, &c->labels_cap, c->n_labels + 1, sizeof(*c->labels)) < 0) {
		fail(c, -ENOMEM);
		return 0;
	}
	c->labels[c->n_labels] = UNPLACED;
	return c->n_labels++;
}

void emit_place(struct emit *c, uint32_t label)
{
	if (!c->error)
		c->labels[label] = c->n;
}

static void note_jump(struct emit *c, uint32_t label)
{
	if (array_reserve(&c->jumps, &c->jumps_cap, c->n_jumps + 1, sizeof(*c->jumps)) < 0) {
		fail(c, -ENOMEM);
		return;
	}
	c->jumps[c->n_jumps++] = (struct emit_jump){c->n, label};
}

void emit_goto(struct emit *c, uint32_t label)
{
	note_jump(c, label);
	emit_insn(c, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

void emit_jump_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm, uint32_t label)
{
	note_jump(c, label);
	emit_insn(c, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

void emit_jump_reg(struct emit *c, uint8_t op, uint8_t dst, uint8_t src, uint32_t label)
{
	note_jump(c, label);
	emit_insn(c, BPF_JMP | op | BPF_X, dst, src, 0, 0);
}

void emit_jump32_imm(struct emit *c, uint8_t op, uint8_t dst, int32_t imm, uint32_t label)
{
	note_jump(c, label);
	emit_insn(c, BPF_JMP32 | op | BPF_K, dst, 0, 0, imm);
}

int16_t emit_take_slot(struct emit *c)
{
	if (c->slots == MAX_SLOTS)
		fail(c, -E2BIG);
	else
		c->slots++;
	return -8 * (int16_t)c->slots;
}

void emit_drop_slot(struct emit *c)
{
	if (c->slots)
		c->slots--;
}

int emit_finish(struct emit *c)
{
	for (size_t i = 0; i < c->n_jumps && !c->error; i++) {
		const struct emit_jump *j = &c->jumps[i];
		int64_t off = (int64_t)c->labels[j->label] - j->insn - 1;

		if (c->labels[j->label] == UNPLACED || off < 0)
			fail(c, -EINVAL);
		else if (off > INT16_MAX)
			fail(c, -E2BIG);
		else
			c->insns[j->insn].off = (int16_t)off;
	}
	return c->error;
}

void emit_release(struct emit *c)
{
	free(c->insns);
	free(c->jumps);
	free(c->labels);
	*c = (struct emit){};
}
