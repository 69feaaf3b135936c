/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The place of an entry probe. What is slid over is executed in full at each call, as no branch
 * leads behind the function's start and no further than the place. Catch blocks, which no branch
 * leads to, may jump anywhere behind the frame's making, but not before it: the compiler has no
 * reason to undo a frame only to make it again. So where the stack pointer has not moved, branches
 * are all that counts; where it has, what no path reached must not branch here either.
 */
#include "probe/flow.h"

enum { SLIDE_MAX = 128, SP_MAX = 255, ENDBR_SIZE = 4 };

/* The lowest target of what may be a branch among the bytes that no path reached. */
static uint64_t lowest_unreached(const struct flow *f, uint64_t lowest)
{
	const struct place_code *code = f->code;

	for (size_t i = 0; i < code->size; i++) {
		struct insn insn;

		if (f->marks[i] != MARK_NONE)
			continue;
		if (insn_decode(code->bytes + i, code->size - i, code->vaddr + i, &insn) &&
		    insn.target > code->vaddr && insn.kind != INSN_CALL)
			lowest = MIN(lowest, insn.target);
	}
	return lowest;
}

struct limits {
	size_t branch; /* offset of the first branch target: places are before it */
	size_t moved;  /* the same where the stack pointer has moved */
};

static int find_limits(const struct place_code *code, bool may_move_sp, struct limits *ret)
{
	struct flow local, *f = flow_of(code, &local);
	uint64_t moved = f->lowest;
	int r = f->result;

	if (r == 0) {
		if (may_move_sp)
			moved = lowest_unreached(f, f->lowest);
		ret->branch = f->lowest == UINT64_MAX ? SIZE_MAX : f->lowest - code->vaddr;
		ret->moved = moved == UINT64_MAX ? SIZE_MAX : moved - code->vaddr;
	}
	flow_release(&local);
	return r;
}

struct slide {
	const struct place_code *code;
	uint8_t needed_args;
	bool may_move_sp, avoid_nop5;
	size_t offset;
	uint8_t lost_args;
	int32_t sp;
	size_t first; /* offset of what is probed when nothing cheap is found */
};

/* Whether a probe can go there at no more than the price of an emulated instruction. */
static bool is_cheap(const struct slide *s)
{
	const uint8_t *bytes = s->code->bytes + s->offset;
	size_t size = s->code->size - s->offset;
	enum hit_kind hit =
		place_hit(bytes, size, s->offset == s->first && s->offset <= ENDBR_SIZE);

	if (hit == HIT_OPTIMISED)
		return s->offset == 0 || !s->avoid_nop5;
	return hit == HIT_EMULATED;
}

/* The arguments that have been in those registers. */
static uint8_t arguments_of(uint16_t registers, bool is_go)
{
	/* rdi rsi rdx rcx r8 r9; and the first six of Go: rax rbx rcx rdi rsi r8. */
	static const uint8_t numbers[2][6] = {{7, 6, 2, 1, 8, 9}, {0, 3, 1, 7, 6, 8}};
	uint8_t arguments = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers[0]); i++)
		if (registers >> numbers[is_go][i] & 1)
			arguments |= (uint8_t)(1U << i);
	return arguments;
}

/* Passes one instruction; false when that cannot be done or leads too far. */
static bool pass(struct slide *s, struct insn_effect *ret)
{
	const struct place_code *code = s->code;
	uint8_t lost;

	if (!insn_pass(code->bytes + s->offset, code->size - s->offset, code->vaddr + s->offset,
		       ret))
		return false;
	if (ret->sp != 0 && (!s->may_move_sp || ret->sp > 0))
		return false;
	if (s->sp + ret->sp < -SP_MAX || s->offset + ret->length >= MIN(code->size, SLIDE_MAX))
		return false;
	lost = s->lost_args | arguments_of(ret->written, code->is_go);
	if (lost & s->needed_args)
		return false;
	s->offset += ret->length;
	s->sp += ret->sp;
	s->lost_args = lost;
	return true;
}

/*
 * Go's functions begin by comparing the stack pointer with a limit and, where it is below, get more
 * stack and start again: such a call is seen once by probing behind that.
 */
static void pass_go_check(struct slide *s)
{
	struct slide before = *s;
	struct insn_effect effect = {};
	struct insn insn;

	for (int i = 0; i < 6; i++) {
		const uint8_t *bytes = s->code->bytes + s->offset;
		size_t size = s->code->size - s->offset;

		if (effect.is_go_check && insn_decode(bytes, size, s->code->vaddr, &insn) &&
		    insn.kind == INSN_JUMP_IF && insn.code == 6 &&
		    s->offset + insn.length < s->code->size) {
			s->offset += insn.length;
			s->first = s->offset;
			return;
		}
		if (!pass(s, &effect))
			break;
	}
	*s = before;
}

/* Behind an endbr64, as far as that is certain. */
static void pass_endbr(struct slide *s, const struct limits *limits)
{
	struct insn_effect effect;
	struct slide before = *s;

	if (pass(s, &effect) && effect.is_endbr && s->offset < limits->branch)
		s->first = s->offset;
	else
		*s = before;
}

static void take(const struct slide *s, struct entry_place *ret)
{
	const struct place_code *code = s->code;

	*ret = (struct entry_place){
		.skipped = (uint32_t)s->offset,
		.hit = place_hit(code->bytes + s->offset, code->size - s->offset,
				 s->offset == s->first && s->offset <= ENDBR_SIZE),
		.lost_args = s->lost_args,
		.sp_below = (uint8_t)-s->sp,
	};
	place_instruction(code, s->offset, ret->instruction, sizeof(ret->instruction));
}

void place_entry(const struct place_code *code, uint8_t needed_args, bool may_move_sp,
		 bool avoid_nop5, struct entry_place *ret)
{
	struct slide s = {.code = code,
			  .needed_args = needed_args,
			  .may_move_sp = may_move_sp,
			  .avoid_nop5 = avoid_nop5};
	struct limits limits = {};
	struct insn_effect effect;

	*ret = (struct entry_place){.hit = HIT_KINDS};
	if (code->size == 0) {
		snprintf(ret->instruction, sizeof(ret->instruction), "unknown");
		return;
	}
	if (code->is_go)
		pass_go_check(&s);
	if (is_cheap(&s) || find_limits(code, may_move_sp, &limits) < 0) {
		take(&s, ret);
		return;
	}
	if (s.offset == 0)
		pass_endbr(&s, &limits);
	take(&s, ret);
	while (!is_cheap(&s) && pass(&s, &effect)) {
		if (s.offset >= (s.sp ? limits.moved : limits.branch))
			return;
		/* What the kernel refuses is no place; the first that it takes is one. */
		if (is_cheap(&s) || ret->hit == HIT_KINDS)
			take(&s, ret);
	}
	if (ret->hit == HIT_KINDS && s.first > 0 && !code->is_go)
		take(&(struct slide){.code = code}, ret);
}
