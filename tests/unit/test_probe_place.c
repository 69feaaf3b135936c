/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where entry probes go, instruction by instruction. */
#include "place_help.h"

#include "base_random.h"
#include "probe/insn_raw.h"
#include "probe/zydis.h"

struct hit_case {
	uint8_t bytes[12];
	size_t size;
	bool at_start;
	enum hit_kind hit;
};

Test(place, knows_how_the_kernel_gets_instructions_done)
{
	static const struct hit_case cases[] = {
		{{0x55}, 1, true, HIT_EMULATED},
		{{0x41, 0x54}, 2, true, HIT_EMULATED},
		{{0x66, 0x55}, 2, true, HIT_STEPPED},
		{{0x48, 0x55}, 2, true, HIT_STEPPED},
		{{0x90}, 1, true, HIT_EMULATED},
		{{0x66, 0x90}, 2, true, HIT_EMULATED},
		{{0xf3, 0x90}, 2, true, HIT_STEPPED},
		{{0x41, 0x90}, 2, true, HIT_KINDS}, /* xchg, which the kernel takes for a nop */
		{{0x0f, 0x1f, 0x44, 0, 0}, 5, true, HIT_OPTIMISED},
		{{0x0f, 0x1f, 0x44, 0, 0}, 5, false, HIT_STEPPED},
		{{0x0f, 0x1f, 0x40, 0}, 4, true, HIT_STEPPED},
		{{0xe8, 1, 0, 0, 0}, 5, true, HIT_EMULATED},
		{{0x66, 0xe8, 1, 0, 0, 0}, 6, true, HIT_KINDS},
		{{0xeb, 2}, 2, true, HIT_EMULATED},
		{{0xe9, 2, 0, 0, 0}, 5, true, HIT_EMULATED},
		{{0xf2, 0xe9, 2, 0, 0, 0}, 6, true, HIT_EMULATED},
		{{0x74, 2}, 2, true, HIT_EMULATED},
		{{0x0f, 0x85, 2, 0, 0, 0}, 6, true, HIT_EMULATED},
		{{0x2e, 0x74, 2}, 3, true, HIT_KINDS},
		{{0xf3, 0x0f, 0x1e, 0xfa}, 4, true, HIT_STEPPED},
		{{0x48, 0x89, 0xf8}, 3, true, HIT_STEPPED},
		{{0xc3}, 1, true, HIT_STEPPED},
		{{0xf3, 0xc3}, 2, true, HIT_STEPPED},
		{{0xff, 0xe0}, 2, true, HIT_STEPPED},
		{{0x3e, 0xff, 0xe0}, 3, true, HIT_KINDS}, /* notrack */
		{{0xf0, 0xff, 0x07}, 3, true, HIT_KINDS},
		{{0xc5, 0xf9, 0x74, 0xc1}, 4, true, HIT_KINDS}, /* vpcmpeqb: "je" to the kernel */
		{{0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1}, 6, true, HIT_KINDS},
		{{0xcc}, 1, true, HIT_KINDS},
		{{0xe4, 1}, 2, true, HIT_KINDS},
		{{0x0f}, 1, true, HIT_KINDS},
		{{0x06}, 1, true, HIT_KINDS},
	};

	SKIP_ELSEWHERE();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(place_hit(cases[i].bytes, cases[i].size, cases[i].at_start),
			     cases[i].hit, "case %zu", i);
	cr_expect_eq(place_hit(cases[0].bytes, 0, true), HIT_KINDS);
}

static struct entry_place entry(struct place_code code, uint8_t needed, bool may_move)
{
	struct entry_place p;

	place_entry(&code, needed, may_move, true, &p);
	return p;
}

#define ENDBR 0xf3, 0x0f, 0x1e, 0xfa
#define RET   0xc3

Test(place, slides_to_what_is_emulated)
{
	struct entry_place p;

	SKIP_ELSEWHERE();
	/* endbr64; push %rbp; ret */
	p = entry(CODE(ENDBR, 0x55, 0x5d, RET), 0, false);
	cr_expect_eq(p.skipped, 4);
	cr_expect_eq(p.hit, HIT_EMULATED);
	cr_expect_str_eq(p.instruction, "push %rbp");
	/* mov %rdi,%rax; mov $1,%esi; test %rax,%rax; je +1; ret; ret */
	p = entry(CODE(0x48, 0x89, 0xf8, 0xbe, 1, 0, 0, 0, 0x48, 0x85, 0xc0, 0x74, 1, RET, RET), 0,
		  false);
	cr_expect_eq(p.skipped, 11);
	cr_expect_eq(p.hit, HIT_EMULATED);
	cr_expect_eq(p.lost_args, 1 << 1, "rsi alone is overwritten");
	cr_expect_eq(p.sp_below, 0);
}

Test(place, keeps_the_arguments_that_are_needed)
{
	/* endbr64; mov $1,%esi; push %rbp; … */
	struct place_code code = CODE(ENDBR, 0xbe, 1, 0, 0, 0, 0x55, 0x5d, RET);
	struct entry_place p;

	SKIP_ELSEWHERE();
	p = entry(code, 1 << 1, false);
	cr_expect_eq(p.skipped, 4);
	cr_expect_eq(p.hit, HIT_STEPPED);
	cr_expect_eq(p.lost_args, 0);
	p = entry(code, 1 << 0, false);
	cr_expect_eq(p.skipped, 9);
	/* mul writes rdx without naming it. */
	p = entry(CODE(0x48, 0x89, 0xf8, 0x48, 0xf7, 0xe6, 0x55, 0x5d, RET), 1 << 2, false);
	cr_expect_eq(p.skipped, 0);
	p = entry(CODE(0x48, 0x89, 0xf8, 0x48, 0xf7, 0xe6, 0x55, 0x5d, RET), 0, false);
	cr_expect_eq(p.lost_args, 1 << 2);
}

Test(place, knows_the_argument_registers_of_go)
{
	/* mov $1,%esi; mov $1,%eax; mov $1,%edx; jmp: Go's fifth and first, and none of Go's */
	struct place_code code =
		CODE(0xbe, 1, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xba, 1, 0, 0, 0, 0xeb, 0, RET);
	struct entry_place p;

	SKIP_ELSEWHERE();
	p = entry(code, 0, false);
	cr_expect_eq(p.lost_args, 1 << 1 | 1 << 2);
	code.is_go = true;
	p = entry(code, 0, false);
	cr_expect_eq(p.skipped, 15);
	cr_expect_eq(p.lost_args, 1 << 4 | 1 << 0);
	p = entry(code, 1 << 0, false);
	cr_expect_eq(p.skipped, 0);
}

Test(place, moves_the_stack_pointer_only_if_it_may)
{
	/* sub $8,%rsp; call +0xfffff0; add $8,%rsp; ret */
	struct place_code code =
		CODE(0x48, 0x83, 0xec, 8, 0xe8, 0xf0, 0xff, 0xff, 0, 0x48, 0x83, 0xc4, 8, RET);
	struct entry_place p;

	SKIP_ELSEWHERE();
	p = entry(code, 0, false);
	cr_expect_eq(p.skipped, 0);
	cr_expect_eq(p.hit, HIT_STEPPED);
	p = entry(code, 0, true);
	cr_expect_eq(p.skipped, 4);
	cr_expect_eq(p.sp_below, 8);
	cr_expect_eq(p.hit, HIT_EMULATED);
}

Test(place, stops_before_branch_targets)
{
	struct entry_place p;

	SKIP_ELSEWHERE();
	/* endbr64; 4: inc %rax; dec %rdi; jne 4; ret */
	p = entry(CODE(ENDBR, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xcf, 0x75, 0xf8, RET), 0, false);
	cr_expect_eq(p.skipped, 0, "a loop begins behind the endbr64");
	/* endbr64; mov; 7: dec %rdi; jne 7; ret: the jne itself is passed again and again */
	p = entry(CODE(ENDBR, 0x48, 0x89, 0xf8, 0x48, 0xff, 0xcf, 0x75, 0xfb, RET), 0, false);
	cr_expect_eq(p.skipped, 4);
	cr_expect_eq(p.hit, HIT_STEPPED);
	/* An indirect jump whose targets are not known may lead anywhere: notrack jmp *%rax. */
	p = entry(CODE(ENDBR, 0x48, 0x89, 0xf8, 0x74, 3, 0x3e, 0xff, 0xe0, RET), 0, false);
	cr_expect_eq(p.skipped, 0);
}

Test(place, does_not_pass_what_it_does_not_know)
{
	struct entry_place p;

	SKIP_ELSEWHERE();
	/* syscall; push */
	p = entry(CODE(0x0f, 0x05, 0x55, 0x5d, RET), 0, false);
	cr_expect_eq(p.skipped, 0);
	/* cpuid; push: four registers, and a trap to the hypervisor */
	p = entry(CODE(0x0f, 0xa2, 0x55, 0x5d, RET), 0, false);
	cr_expect_eq(p.skipped, 0);
	/* mov %rax,%rsp; push */
	p = entry(CODE(0x48, 0x89, 0xc4, 0x55, 0x5d, RET), 0, true);
	cr_expect_eq(p.skipped, 0);
	p = entry((struct place_code){}, 0, false);
	cr_expect_eq(p.hit, HIT_KINDS);
}

Test(place, behind_the_stack_check_of_go)
{
	/* cmp 0x10(%r14),%rsp; jbe +12; sub $8,%rsp; add $8,%rsp; ret; nop; nop; call; jmp 0 */
	struct place_code code =
		CODE(0x49, 0x3b, 0x66, 0x10, 0x76, 11, 0x48, 0x83, 0xec, 8, 0x48, 0x83, 0xc4, 8,
		     RET, 0x90, 0x90, 0xe8, 0xf0, 0xff, 0xff, 0, 0xeb, 0xe8);
	struct return_site *sites _cleanup_(freep) = NULL;
	const char *reason = NULL;
	struct entry_place p;
	size_t n = 0;

	SKIP_ELSEWHERE();
	code.is_go = true;
	p = entry(code, 0, false);
	cr_expect_eq(p.skipped, 6);
	cr_expect_eq(p.hit, HIT_STEPPED);
	cr_assert_eq(place_returns(&code, &sites, &n, &reason), 0, "%s", reason);
	cr_expect_eq(n, 1, "starting again is not leaving");
}

Test(place, nop5)
{
	struct place_code code = CODE(ENDBR, 0x0f, 0x1f, 0x44, 0, 0, 0x55, 0x5d, RET);
	struct entry_place p;

	SKIP_ELSEWHERE();
	p = entry(code, 0, false);
	cr_expect_eq(p.skipped, 9, "no nop5 but at offset 0");
	place_entry(&code, 0, false, false, &p);
	cr_expect_eq(p.skipped, 4);
	cr_expect_eq(p.hit, HIT_OPTIMISED);
	p = entry(CODE(0x0f, 0x1f, 0x44, 0, 0, RET), 0, false);
	cr_expect_eq(p.skipped, 0);
	cr_expect_eq(p.hit, HIT_OPTIMISED);
	/* mov; nop5; push: one in the middle is slid over */
	p = entry(CODE(0x48, 0x89, 0xf8, 0x0f, 0x1f, 0x44, 0, 0, 0x55, 0x5d, RET), 0, false);
	cr_expect_eq(p.skipped, 8);
}

#if defined(__x86_64__)
/* The quick decoder says the same as Zydis about whatever it takes. */
Test(place, decodes_as_zydis_does)
{
	size_t taken = 0;

	seed_rng();
	for (int i = 0; i < 2000000; i++) {
		ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
		ZydisDecodedInstruction x;
		uint64_t words[2] = {next_random(), next_random()};
		uint8_t bytes[16];
		struct raw r;

		memcpy(bytes, words, sizeof(bytes));
		if (!raw_decode_common(bytes, sizeof(bytes), &r))
			continue;
		taken++;
		cr_assert(zydis_full(bytes, sizeof(bytes), &x, operands), "round %d", i);
		cr_assert(x.length == r.length && x.opcode == r.opcode &&
				  x.raw.modrm.mod == r.mod && x.raw.modrm.reg == r.group &&
				  x.raw.disp.value == r.disp,
			  "round %d: length %d, not %d", i, r.length, x.length);
		if (x.raw.imm[0].is_relative)
			cr_assert_eq(x.raw.imm[0].value.s, r.imm, "round %d", i);
	}
	cr_expect_gt(taken, 1000000);
}
#endif
