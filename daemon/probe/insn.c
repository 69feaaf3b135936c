/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/insn.h"
#include "probe/insn_raw.h"

#if defined(__x86_64__)

#include <pthread.h>

#include "probe/zydis.h"

enum { RSP = 4, RBP = 5 };

/* Without names of operands, which is four times as fast: a function is decoded whole. */
static ZydisDecoder quick;
static ZydisDecoder full;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	ZydisDecoderInit(&full, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderInit(&quick, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&quick, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
}

bool zydis_quick(const uint8_t *bytes, size_t size, ZydisDecodedInstruction *ret)
{
	pthread_once(&once, init);
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&quick, NULL, bytes, size, ret));
}

bool zydis_full(const uint8_t *bytes, size_t size, ZydisDecodedInstruction *ret,
		ZydisDecodedOperand operands[static ZYDIS_MAX_OPERAND_COUNT])
{
	pthread_once(&once, init);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&full, bytes, size, ret, operands));
}

bool zydis_has_prefix(const ZydisDecodedInstruction *x, uint8_t prefix)
{
	for (uint8_t i = 0; i < x->raw.prefix_count; i++)
		if (x->raw.prefixes[i].value == prefix)
			return true;
	return false;
}

static void set_stack(struct insn *insn, enum insn_stack stack, int64_t value)
{
	bool fits = value >= INT32_MIN && value <= INT32_MAX;

	insn->stack = fits ? stack : STACK_LOST;
	insn->value = fits ? (int32_t)value : 0;
}

static void set_written(struct insn *insn, uint8_t reg)
{
	if (reg == RSP)
		insn->stack = STACK_LOST;
	else if (reg == RBP && insn->stack == STACK_SAME)
		insn->stack = STACK_BP_LOST;
}

/* mov and lea with rsp or rbp on either side: how frames are made and undone. */
static void stack_of_move(const struct raw *x, struct insn *insn)
{
	bool is_lea = x->opcode == 0x8d, wide = x->wide;
	bool to_reg = x->opcode != 0x89;
	uint8_t to = to_reg ? x->reg : x->rm, from = to_reg ? x->rm : x->reg;
	int64_t value = 0;

	if (!to_reg && !(x->mod == 3))
		return;
	if (is_lea && !(x->mod == 3)) {
		bool plain = x->rm == RSP && x->base == RSP && !x->has_index;

		value = x->disp;
		if (x->rm == RSP ? !plain : (x->rm != RBP || x->mod == 0))
			wide = false;
	} else if (!(x->mod == 3)) {
		wide = false;
	}
	if (wide && to == RSP && from == RSP)
		set_stack(insn, STACK_ADD, value);
	else if (wide && to == RSP && from == RBP)
		set_stack(insn, STACK_RESTORE, value);
	else if (wide && to == RBP && from == RSP)
		set_stack(insn, STACK_SAVE, value);
	else
		set_written(insn, to);
}

static void stack_of_default(const struct raw *x, struct insn *insn)
{
	uint8_t op = x->opcode, low = x->low;
	bool narrow = (x->prefixes & RAW_OPERAND);

	if ((op >= 0x50 && op <= 0x57) || op == 0x68 || op == 0x6a || op == 0x9c ||
	    (op == 0xff && x->group == 6)) {
		set_stack(insn, narrow ? STACK_LOST : STACK_ADD, -8);
	} else if ((op >= 0x58 && op <= 0x5f) || op == 0x9d || op == 0x8f) {
		uint8_t to = op == 0x9d ? 0 : op == 0x8f ? ((x->mod == 3) ? x->rm : 0) : low;

		set_stack(insn, STACK_ADD, 8);
		if (to == RBP)
			insn->stack = STACK_POP_BP;
		if (to == RSP || narrow)
			insn->stack = STACK_LOST;
	} else if (op == 0xc9) {
		set_stack(insn, STACK_LEAVE, 8);
	} else if (op == 0xc8) {
		insn->stack = STACK_LOST;
	} else if (op == 0x89 || op == 0x8b || op == 0x8d) {
		stack_of_move(x, insn);
	} else if ((op == 0x81 || op == 0x83) && (x->mod == 3) && x->rm == RSP && x->wide &&
		   (x->group == 0 || x->group == 5)) {
		int64_t value = x->imm;

		set_stack(insn, STACK_ADD, x->group == 0 ? value : -value);
	} else if (op >= 0xb8 && op <= 0xbf) {
		set_written(insn, low);
	} else if (op < 0x40 && (op & 7) < 4 && op < 0x38) {
		if (op & 2)
			set_written(insn, x->reg);
		else if ((x->mod == 3))
			set_written(insn, x->rm);
	} else if (op == 0x63 || op == 0x69 || op == 0x6b || op == 0x87 || op == 0x86) {
		set_written(insn, x->reg);
		if (op >= 0x86 && (x->mod == 3))
			set_written(insn, x->rm);
	} else if ((op >= 0x80 && op <= 0x83 && x->group != 7) || op == 0xc0 || op == 0xc1 ||
		   (op >= 0xc6 && op <= 0xc7) || (op >= 0xd0 && op <= 0xd3) ||
		   (op >= 0xf6 && op <= 0xf7 && x->group >= 2) || (op >= 0xfe && x->group < 2)) {
		if ((x->mod == 3))
			set_written(insn, x->rm);
	}
}

static void stack_of_0f(const struct raw *x, struct insn *insn)
{
	uint8_t op = x->opcode;

	if ((op >= 0x40 && op <= 0x4f) || op == 0xaf || op == 0xb6 || op == 0xb7 ||
	    (op >= 0xbc && op <= 0xbf) || op == 0xb8)
		set_written(insn, x->reg);
	else if (op >= 0xc8 && op <= 0xcf)
		set_written(insn, x->low);
}

static void set_branch(struct insn *insn, enum insn_kind kind, uint64_t vaddr, const struct raw *x)
{
	insn->kind = kind;
	insn->target = vaddr + x->length + (uint64_t)x->imm;
}

/* in, out, string I/O, interrupts, cli and sti: refused to programs. */
static bool is_privileged(uint8_t op)
{
	return (op >= 0x6c && op <= 0x6f) || (op >= 0xe4 && op <= 0xe7) ||
	       (op >= 0xec && op <= 0xef) || op == 0xfa || op == 0xfb || op == 0xcf || op == 0xca ||
	       op == 0xcb;
}

static void kind_of_default(const struct raw *x, uint64_t vaddr, struct insn *insn)
{
	uint8_t op = x->opcode;

	if (op >= 0x70 && op <= 0x7f) {
		set_branch(insn, INSN_JUMP_IF, vaddr, x);
		insn->code = op & 15;
	} else if (op >= 0xe0 && op <= 0xe3) {
		set_branch(insn, INSN_BRANCH, vaddr, x);
	} else if (op == 0xe8) {
		set_branch(insn, INSN_CALL, vaddr, x);
	} else if (op == 0xe9 || op == 0xeb) {
		set_branch(insn, INSN_JUMP, vaddr, x);
	} else if (op == 0xc7 && x->mod == 3 && x->group == 7) {
		set_branch(insn, INSN_BRANCH, vaddr, x);
	} else if (op == 0xc3 || op == 0xc2) {
		insn->kind = INSN_RET;
	} else if (op == 0xff && (x->group == 4 || x->group == 5)) {
		insn->kind = (x->mod == 3) ? INSN_JUMP_REG : INSN_JUMP_MEM;
		insn->code = x->rm;
		insn->notrack = x->prefixes & RAW_NOTRACK;
	} else if (op == 0xff && (x->group == 2 || x->group == 3)) {
		insn->kind = INSN_CALL_INDIRECT;
	} else if (op == 0xcc || op == 0xf4 || op == 0xf1) {
		insn->kind = INSN_STOP;
	} else if (is_privileged(op)) {
		insn->kind = INSN_SYSTEM;
	}
}

bool insn_decode(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn *ret)
{
	struct raw x;

	if (!raw_decode(bytes, size, &x))
		return false;
	*ret = (struct insn){.length = x.length};
	if (x.map == RAW_ONE_BYTE) {
		kind_of_default(&x, vaddr, ret);
		if (ret->kind == INSN_OTHER)
			stack_of_default(&x, ret);
		/* The operand size prefix makes some processors cut the target to 16 bits. */
		if (ret->target && (x.prefixes & RAW_OPERAND) && ret->kind != INSN_CALL)
			ret->kind = INSN_SYSTEM;
	} else if (x.map == RAW_0F) {
		if (x.opcode >= 0x80 && x.opcode <= 0x8f) {
			set_branch(ret, INSN_JUMP_IF, vaddr, &x);
			ret->code = x.opcode & 15;
		} else if (x.opcode == 0x0b || x.opcode == 0xb9 || x.opcode == 0xff) {
			ret->kind = INSN_STOP;
		} else {
			stack_of_0f(&x, ret);
		}
	}
	return true;
}

#else

bool insn_decode(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn *ret)
{
	(void)bytes, (void)size, (void)vaddr, (void)ret;
	return false;
}

#endif
