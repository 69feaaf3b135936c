/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decoder behind insn.h, for the few that look at operands; x86-64 only. */
#ifndef SONDE_PROBE_ZYDIS_H
#define SONDE_PROBE_ZYDIS_H

#include <Zydis/Zydis.h>

#include "sonde/base/util.h"

/* Lengths, opcodes and raw fields alone. */
bool zydis_quick(const uint8_t *bytes, size_t size, ZydisDecodedInstruction *ret);
/* Everything, hidden operands included. */
bool zydis_full(const uint8_t *bytes, size_t size, ZydisDecodedInstruction *ret,
		ZydisDecodedOperand operands[static ZYDIS_MAX_OPERAND_COUNT]);
bool zydis_has_prefix(const ZydisDecodedInstruction *x, uint8_t prefix);

#endif
