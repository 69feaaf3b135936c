/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single x86-64 instructions, as far as placing probes needs them: where control goes, what the
 * stack pointer does, what is overwritten, and how the kernel would get them done. On other
 * machines nothing decodes.
 */
#ifndef SONDE_PROBE_INSN_H
#define SONDE_PROBE_INSN_H

#include "probe/place.h"

enum insn_kind {
	INSN_OTHER,
	INSN_RET,
	INSN_JUMP,	    /* to target */
	INSN_JUMP_IF,	    /* to target, on condition code */
	INSN_BRANCH,	    /* to target, on something else: loop, jrcxz, xbegin */
	INSN_JUMP_REG,	    /* to where register code points */
	INSN_JUMP_MEM,	    /* to where a word in memory points */
	INSN_CALL,	    /* of target */
	INSN_CALL_INDIRECT, /* of anything */
	INSN_STOP,	    /* execution does not go on: ud2, int3, hlt */
	INSN_SYSTEM,	    /* nothing that programs have: it is data, most likely */
};

/* What becomes of the stack pointer and of a frame pointer in rbp. */
enum insn_stack {
	STACK_SAME,
	STACK_ADD,     /* sp += value */
	STACK_SAVE,    /* bp = sp + value */
	STACK_RESTORE, /* sp = bp + value */
	STACK_LEAVE,   /* the same, then bp is the caller's */
	STACK_POP_BP,  /* sp += 8, bp is no frame pointer any more */
	STACK_LOST,    /* sp is something else */
	STACK_BP_LOST, /* bp is */
};

struct insn {
	uint64_t target;
	int32_t value;
	uint8_t length, kind, stack, code;
	bool notrack; /* a jump by a table, where the compiler marks those */
};

/* The instruction at the start of the bytes; false when there is none. */
bool insn_decode(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn *ret);

/* What passing over an instruction does. */
struct insn_effect {
	uint8_t length;
	uint16_t written; /* bit i: the general register of number i in encodings */
	int32_t sp;	  /* what it adds to the stack pointer */
	bool is_endbr;
	/* Whether it compares a stack pointer with the limit in Go's thread or goroutine. */
	bool is_go_check;
};

/*
 * True when what the instruction does is known, and does no harm to what a probe behind it reads:
 * it moves, computes, pushes. False for branches, calls, traps and unknown ones.
 */
bool insn_pass(const uint8_t *bytes, size_t size, uint64_t vaddr, struct insn_effect *ret);

bool insn_is_nop5(const uint8_t *bytes, size_t size);

#endif
