/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/dwarf_place.h"

#include <dwarf.h>

enum { STACK_POINTER = 7, XMM0 = 17, XMM15 = 32, WORDS_MAX = 1 << 16, PROLOGUE_MAX = 64 };

/* What DW_OP_fbreg counts from when the function is entered, as far as it is known. */
struct frame_base {
	bool is_known;
	int64_t offset; /* from the first word of the arguments on the stack */
};

/* The number of an integer argument register; -1 for other registers. */
static int argument_register(uint64_t dwarf_register)
{
	/* rdi, rsi, rdx, rcx, r8, r9 in DWARF's numbers. */
	static const uint8_t order[] = {5, 4, 1, 2, 8, 9};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i] == dwarf_register)
			return (int)i;
	return -1;
}

static enum dwarf_place in_register(uint64_t dwarf_register, struct dwarf_location *ret)
{
	int reg = argument_register(dwarf_register);

	if (reg >= 0)
		*ret = (struct dwarf_location){.place = PARAM_IN_REGISTER, .reg = (uint32_t)reg};
	else if (dwarf_register >= XMM0 && dwarf_register <= XMM15)
		*ret = (struct dwarf_location){.place = PARAM_IN_FLOAT};
	else
		return DWARF_PLACE_GONE;
	return DWARF_PLACE_IS;
}

/* offset: from the first word of the arguments on the stack. */
static enum dwarf_place on_stack(int64_t offset, struct dwarf_location *ret)
{
	if (offset < 0 || offset % 8 != 0 || offset / 8 >= WORDS_MAX)
		return DWARF_PLACE_UNSAID;
	*ret = (struct dwarf_location){.place = PARAM_ON_STACK, .reg = (uint32_t)(offset / 8)};
	return DWARF_PLACE_IS;
}

static bool register_op(const Dwarf_Op *op, uint64_t *ret)
{
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
		*ret = op->atom - DW_OP_reg0;
	else if (op->atom == DW_OP_regx)
		*ret = op->number;
	else
		return false;
	return true;
}

/* A struct in pieces: "reg, piece, reg, piece". */
static enum dwarf_place in_pieces(const Dwarf_Op *ops, size_t n, struct dwarf_location *ret)
{
	struct dwarf_location second = {};
	uint64_t a, b;

	if (!register_op(&ops[0], &a) || in_register(a, ret) != DWARF_PLACE_IS)
		return DWARF_PLACE_GONE;
	if (n == 2 && ops[1].atom == DW_OP_piece)
		return DWARF_PLACE_IS;
	if (n != 4 || ops[1].atom != DW_OP_piece || ops[3].atom != DW_OP_piece ||
	    !register_op(&ops[2], &b) || in_register(b, &second) != DWARF_PLACE_IS)
		return DWARF_PLACE_GONE;
	if (ret->place == PARAM_IN_FLOAT || second.place == PARAM_IN_FLOAT)
		*ret = (struct dwarf_location){.place = PARAM_IN_FLOAT};
	else if (second.reg == ret->reg + 1)
		ret->place = PARAM_SPREAD;
	else
		return DWARF_PLACE_GONE;
	return DWARF_PLACE_IS;
}

/* "breg offset": memory, whose address is in the register or computed from it. */
static enum dwarf_place by_register(const Dwarf_Op *ops, size_t n, struct dwarf_location *ret)
{
	uint64_t reg = ops[0].atom == DW_OP_bregx ? ops[0].number : ops[0].atom - DW_OP_breg0;
	int64_t offset = (int64_t)(ops[0].atom == DW_OP_bregx ? ops[0].number2 : ops[0].number);

	if (n == 1 && reg == STACK_POINTER) /* the return address is at it */
		return on_stack(offset - 8, ret);
	if (argument_register(reg) < 0)
		return DWARF_PLACE_UNSAID;
	in_register(reg, ret);
	ret->is_address = n == 1;
	return n == 1 && offset == 0 ? DWARF_PLACE_IS : DWARF_PLACE_FROM;
}

static enum dwarf_place read_ops(Dwarf_Attribute *a, const Dwarf_Op *ops, size_t n,
				 const struct frame_base *base, int depth,
				 struct dwarf_location *ret)
{
	uint64_t reg;

	if (n == 0)
		return DWARF_PLACE_GONE;
	if (register_op(&ops[0], &reg))
		return n == 1 ? in_register(reg, ret) : in_pieces(ops, n, ret);
	if ((ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) ||
	    ops[0].atom == DW_OP_bregx)
		return by_register(ops, n, ret);
	switch (ops[0].atom) {
	case DW_OP_fbreg:
		/* Above the CFA are arguments; below it is where the function keeps it later. */
		if (n != 1 || !base->is_known)
			return DWARF_PLACE_UNSAID;
		return on_stack(base->offset + (int64_t)ops[0].number, ret);
	case DW_OP_call_frame_cfa:
		return n == 1 ? on_stack(0, ret) : DWARF_PLACE_UNSAID;
	case DW_OP_entry_value:
	case DW_OP_GNU_entry_value: {
		Dwarf_Attribute inner;
		Dwarf_Op *inner_ops;
		size_t n_inner;

		/* What a register had at entry is what it has now. */
		if (depth > 0 || dwarf_getlocation_attr(a, &ops[0], &inner) != 0 ||
		    dwarf_getlocation(&inner, &inner_ops, &n_inner) != 0 || n_inner != 1)
			return DWARF_PLACE_GONE;
		if (read_ops(&inner, inner_ops, n_inner, base, depth + 1, ret) != DWARF_PLACE_IS)
			return DWARF_PLACE_GONE;
		return n == 2 && ops[1].atom == DW_OP_stack_value ? DWARF_PLACE_IS
								  : DWARF_PLACE_FROM;
	}
	default:
		return DWARF_PLACE_GONE;
	}
}

static struct frame_base frame_base_at(Dwarf_Die *function, uint64_t pc)
{
	struct frame_base base = {};
	Dwarf_Attribute a;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(function, DW_AT_frame_base, &a) ||
	    dwarf_getlocation_addr(&a, pc, &ops, &n, 1) != 1 || n != 1)
		return base;
	if (ops[0].atom == DW_OP_call_frame_cfa) {
		base.is_known = true;
	} else if (ops[0].atom == DW_OP_breg0 + STACK_POINTER) {
		base.is_known = true;
		base.offset = (int64_t)ops[0].number - 8;
	}
	return base;
}

/*
 * Clang says where arguments on the stack are from behind the prologue only. Memory that is known
 * from there on is where the calling convention has put the argument, or its copy.
 */
static bool is_in_memory_later(Dwarf_Attribute *a, uint64_t pc)
{
	Dwarf_Addr base, start, end;
	Dwarf_Op *ops;
	size_t n;

	return dwarf_getlocations(a, 0, &base, &start, &end, &ops, &n) > 0 && start >= pc &&
	       start - pc < PROLOGUE_MAX && n == 1 &&
	       (ops[0].atom == DW_OP_breg0 + STACK_POINTER || ops[0].atom == DW_OP_fbreg);
}

struct dwarf_location dwarf_place_at_entry(Dwarf_Die *function, Dwarf_Die *param, uint64_t pc)
{
	struct dwarf_location found = {.what = DWARF_PLACE_GONE};
	struct frame_base base = frame_base_at(function, pc);
	Dwarf_Attribute a;
	Dwarf_Op *ops;
	size_t n;

	/* A constant, or nothing at all. */
	if (!dwarf_attr(param, DW_AT_location, &a))
		return found;
	if (dwarf_getlocation_addr(&a, pc, &ops, &n, 1) == 1) {
		enum dwarf_place what = read_ops(&a, ops, n, &base, 0, &found);

		found.what = what;
	} else if (is_in_memory_later(&a, pc)) {
		found.what = DWARF_PLACE_UNSAID;
	}
	return found;
}
