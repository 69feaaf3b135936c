/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of one instruction's encoding. */
#ifndef SONDE_PROBE_INSN_RAW_H
#define SONDE_PROBE_INSN_RAW_H

#include "sonde/base/util.h"

enum raw_map { RAW_ONE_BYTE, RAW_0F, RAW_OTHER /* longer opcodes, VEX, EVEX */ };

enum raw_prefix {
	RAW_OPERAND = 1 << 0, /* 66 */
	RAW_REPEAT = 1 << 1,  /* f2 or f3 */
	RAW_NOTRACK = 1 << 2, /* 3e */
};

struct raw {
	uint8_t length, map, opcode, prefixes;
	bool has_modrm, wide; /* wide: REX.W */
	uint8_t mod, group;   /* of ModRM; group is its reg field without the REX bit */
	uint8_t reg, rm, low; /* with the REX bits; low: the register in the opcode */
	bool has_index;	      /* of the memory operand; rm 4 is its base rsp otherwise */
	uint8_t base;	      /* of SIB, with the REX bit */
	int64_t disp, imm;
};

/* False when there is no instruction, or not all of it. */
bool raw_decode(const uint8_t *bytes, size_t size, struct raw *ret);
/* The common encodings only; false for the others. For tests; raw_decode() calls it. */
bool raw_decode_common(const uint8_t *bytes, size_t size, struct raw *ret);

#endif
