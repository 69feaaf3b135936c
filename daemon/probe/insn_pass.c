/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel does with an instruction that is probed, by arch/x86/kernel/uprobes.c of Linux
 * 6.1 to 6.18; and what it means to probe behind one.
 */
#include "probe/insn.h"

/* 0f 1f 44 00 00, the one nop of five bytes that compilers and the kernel use. */
bool insn_is_nop5(const uint8_t *bytes, size_t size)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

	return size >= sizeof(nop5) && memcmp(bytes, nop5, sizeof(nop5)) == 0;
}

#if defined(__x86_64__)

#include <pthread.h>

#include "probe/zydis.h"

/* The kernel refuses the lock prefix and all segments but those of threads. */
static bool has_refused_prefix(const ZydisDecodedInstruction *x)
{
	static const uint8_t refused[] = {0x26, 0x2e, 0x36, 0x3e, 0xf0};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (zydis_has_prefix(x, refused[i]))
			return true;
	return false;
}

/* Opcodes of one byte that are not there in 64-bit mode, trap, or are not a program's. */
static bool is_refused_opcode(uint8_t op)
{
	if (op < 0x40)
		return (op & 7) >= 6 && op != 0x0f && op != 0x26 && op != 0x2e && op != 0x36 &&
		       op != 0x3e;
	return (op >= 0x60 && op <= 0x62) || (op >= 0x6c && op <= 0x6f) || op == 0x82 ||
	       op == 0x9a || (op >= 0xcc && op <= 0xcf) || (op >= 0xd4 && op <= 0xd6) ||
	       (op >= 0xe4 && op <= 0xe7) || op == 0xea || (op >= 0xec && op <= 0xef) ||
	       op == 0xf1 || op == 0xf4 || op == 0xfa || op == 0xfb;
}

static enum hit_kind hit_of_branch(const ZydisDecodedInstruction *x)
{
	return zydis_has_prefix(x, 0x66) ? HIT_KINDS : HIT_EMULATED;
}

/*
 * Nops: all kernels emulate 90 with any prefix, 6.18 the canonical ones of more bytes as well; only
 * what all do counts here. A REX.B before 90 makes an xchg of it, which the kernel takes for a nop
 * all the same: never probe that. Neither VEX and EVEX instructions: the kernel looks at the opcode
 * behind such a prefix, and takes vpcmpeqb (74) for a je.
 */
enum hit_kind place_hit(const uint8_t *bytes, size_t size, bool at_function_start)
{
	ZydisDecodedInstruction x;
	uint8_t op;

	if (!zydis_quick(bytes, size, &x) || has_refused_prefix(&x) ||
	    x.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return HIT_KINDS;
	op = x.opcode;
	if (x.opcode_map == ZYDIS_OPCODE_MAP_0F) {
		if (op >= 0x80 && op <= 0x8f)
			return hit_of_branch(&x);
		if (op == 0x05 || op == 0x0b || op == 0x34)
			return HIT_KINDS;
		return at_function_start && insn_is_nop5(bytes, size) ? HIT_OPTIMISED : HIT_STEPPED;
	}
	if (x.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
		return HIT_STEPPED;
	if (op == 0x90) {
		if (x.raw.rex.B)
			return HIT_KINDS;
		return zydis_has_prefix(&x, 0xf3) ? HIT_STEPPED : HIT_EMULATED;
	}
	if ((op >= 0x70 && op <= 0x7f) || op == 0xe8 || op == 0xe9 || op == 0xeb)
		return hit_of_branch(&x);
	if (op >= 0x50 && op <= 0x57 && (x.length == 1 || (x.length == 2 && bytes[0] == 0x41)))
		return HIT_EMULATED;
	return is_refused_opcode(op) || (op == 0x8e && x.raw.modrm.reg == 2) ? HIT_KINDS
									     : HIT_STEPPED;
}

static bool is_general(ZydisRegister reg)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);

	return class == ZYDIS_REGCLASS_GPR8 || class == ZYDIS_REGCLASS_GPR16 ||
	       class == ZYDIS_REGCLASS_GPR32 || class == ZYDIS_REGCLASS_GPR64;
}

/* Kinds of instructions that do no more than their operands tell. A few may fault, as loads may. */
static bool is_known(const ZydisDecodedInstruction *x)
{
	switch (x->meta.category) {
	case ZYDIS_CATEGORY_AVX:
	case ZYDIS_CATEGORY_AVX2:
	case ZYDIS_CATEGORY_AVX512:
	case ZYDIS_CATEGORY_BINARY:
	case ZYDIS_CATEGORY_BITBYTE:
	case ZYDIS_CATEGORY_BMI1:
	case ZYDIS_CATEGORY_BMI2:
	case ZYDIS_CATEGORY_BROADCAST:
	case ZYDIS_CATEGORY_CMOV:
	case ZYDIS_CATEGORY_CONVERT:
	case ZYDIS_CATEGORY_DATAXFER:
	case ZYDIS_CATEGORY_LOGICAL:
	case ZYDIS_CATEGORY_LOGICAL_FP:
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_PUSH:
	case ZYDIS_CATEGORY_ROTATE:
	case ZYDIS_CATEGORY_SEMAPHORE:
	case ZYDIS_CATEGORY_SETCC:
	case ZYDIS_CATEGORY_SHIFT:
	case ZYDIS_CATEGORY_SSE:
	case ZYDIS_CATEGORY_STRINGOP:
	case ZYDIS_CATEGORY_WIDENOP:
		return true;
	case ZYDIS_CATEGORY_X87_ALU:
		return x->mnemonic == ZYDIS_MNEMONIC_FLD || x->mnemonic == ZYDIS_MNEMONIC_FILD;
	case ZYDIS_CATEGORY_CET:
		return x->mnemonic == ZYDIS_MNEMONIC_ENDBR64;
	default:
		return x->mnemonic == ZYDIS_MNEMONIC_LEA;
	}
}

/* What it does to the stack pointer: nothing, a push, or a constant added to it. */
static bool stack_effect(const ZydisDecodedInstruction *x, const ZydisDecodedOperand *operands,
			 const struct insn *insn, struct insn_effect *ret)
{
	for (uint8_t i = 0; i < x->operand_count; i++) {
		const ZydisDecodedOperand *o = &operands[i];

		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER || !is_general(o->reg.value) ||
		    !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value) ==
		    ZYDIS_REGISTER_RSP) {
			if (insn->stack != STACK_ADD)
				return false;
			ret->sp = insn->value;
		}
	}
	return true;
}

static bool is_go_check(const ZydisDecodedInstruction *x, const ZydisDecodedOperand *o)
{
	return x->mnemonic == ZYDIS_MNEMONIC_CMP && o[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       (o[0].reg.value == ZYDIS_REGISTER_RSP || o[0].reg.value == ZYDIS_REGISTER_R12 ||
		o[0].reg.value == ZYDIS_REGISTER_R13 || o[0].reg.value == ZYDIS_REGISTER_RSI ||
		o[0].reg.value == ZYDIS_REGISTER_RAX) &&
	       o[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (o[1].mem.base == ZYDIS_REGISTER_R14 || o[1].mem.base == ZYDIS_REGISTER_RCX) &&
	       (o[1].mem.disp.value == 0x10 || o[1].mem.disp.value == 0x18);
}

bool insn_pass(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn_effect *ret)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction x;
	struct insn insn;

	if (!zydis_full(bytes, size, &x, operands) || !insn_decode(bytes, size, vaddr, &insn) ||
	    insn.kind != INSN_OTHER || !is_known(&x) || (x.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED))
		return false;
	*ret = (struct insn_effect){.length = x.length,
				    .is_endbr = x.mnemonic == ZYDIS_MNEMONIC_ENDBR64,
				    .is_go_check = is_go_check(&x, operands)};
	for (uint8_t i = 0; i < x.operand_count; i++) {
		const ZydisDecodedOperand *o = &operands[i];

		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_SEGMENT)
			return false;
		if (is_general(o->reg.value))
			ret->written |=
				(uint16_t)(1U
					   << (ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(
						       ZYDIS_MACHINE_MODE_LONG_64, o->reg.value)) &
					       15));
	}
	return stack_effect(&x, operands, &insn, ret);
}

static ZydisFormatter formatter;

static void init_formatter(void)
{
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_DISP_PADDING,
				  ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_IMM_PADDING,
				  ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
				  ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
}

void place_instruction(const struct place_code *code, size_t offset, char *buf, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction x;
	char text[128];

	pthread_once(&once, init_formatter);
	if (offset >= code->size ||
	    !zydis_full(code->bytes + offset, code->size - offset, &x, operands) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(
		    &formatter, &x, operands, x.operand_count_visible, text, sizeof(text),
		    code->vaddr + offset, NULL)))
		snprintf(text, sizeof(text), "unknown");
	snprintf(buf, size, "%s", text);
}

#else

enum hit_kind place_hit(const uint8_t *bytes, size_t size, bool at_function_start)
{
	(void)bytes, (void)size, (void)at_function_start;
	return HIT_KINDS;
}

bool insn_pass(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn_effect *ret)
{
	(void)bytes, (void)size, (void)vaddr, (void)ret;
	return false;
}

void place_instruction(const struct place_code *code, size_t offset, char *buf, size_t size)
{
	(void)code, (void)offset;
	snprintf(buf, size, "unknown");
}

#endif
