/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine code that is hard to take apart: hx_text_asm.S. Each function is called 40 times, with
 * 0 … 39.
 *
 *   tiny_one, tiny_two           one byte: ret
 *   tiny_rep                     rep ret
 *   tiny_alias                   has a second name, tiny_sizeless, and no size
 *   tiny_empty                   an empty function of C
 *   skip_data                    jumps over data that it then reads: a probe in them shows
 *   table_text                   a jump table in its middle
 *   string_text                  text behind its ret
 *   loop_start                   its first instruction is a branch target: one call is many hits
 *   fall_first → fall_second     falls through; fall_second is called by itself, too (80 times)
 *   jump_if → jump_target        for odd numbers, by a conditional jump
 *   overlapped                   jumps into the middle of an instruction
 *   push_ret → jump_target       jumps by a ret: so jump_target is entered 60 times
 *   red_zone                     keeps values below the stack pointer, around a nop
 *   nop_first                    begins with a five-byte nop
 *   lock_first                   begins with a lock prefix, which the kernel refuses to probe
 *   vex_first, evex_first        begin with vector instructions that a kernel takes for jumps; only
 *                                where the processor has AVX2, AVX-512VL
 *   uses_flags → keeps_flags     relies on what a call does not change
 */
#include "hx.h"

void tiny_one(void);
void tiny_two(void);
void tiny_rep(void);
void tiny_empty(void);
uint64_t tiny_alias(uint64_t x);
uint64_t skip_data(uint64_t x);
uint64_t table_text(uint64_t x);
const char *string_text(void);
uint64_t loop_start(uint64_t x);
uint64_t fall_first(uint64_t x);
uint64_t fall_second(uint64_t x);
uint64_t jump_if(uint64_t x);
uint64_t overlapped(uint64_t x);
uint64_t push_ret(uint64_t x);
uint64_t red_zone(uint64_t x);
uint64_t nop_first(uint64_t x);
uint64_t lock_first(uint64_t x);
uint32_t vex_first(uint32_t x);
uint32_t evex_first(uint32_t x);
void clear_vex(void);
void clear_evex(void);
uint64_t uses_flags(uint64_t x);

enum { ROUNDS = 40 };

HX_FUNC void tiny_empty(void)
{
}

static void round_of_calls(uint64_t i)
{
	tiny_one();
	tiny_two();
	tiny_rep();
	tiny_empty();
	hx_mix(tiny_alias(i));
	hx_mix(skip_data(i));
	hx_mix(table_text(i));
	for (const char *s = string_text(); *s; s++)
		hx_mix((unsigned char)*s);
	hx_mix(loop_start(i + 1));
	hx_mix(fall_first(i));
	hx_mix(fall_second(i));
	hx_mix(jump_if(i));
	hx_mix(overlapped(i));
	hx_mix(push_ret(i));
	hx_mix(red_zone(i));
	hx_mix(nop_first(i));
	hx_mix(lock_first(i));
	hx_mix(uses_flags(i));
}

static void vectors(uint64_t vex, uint64_t evex)
{
	for (uint64_t i = 0; i < vex; i++) {
		clear_vex();
		hx_mix(vex_first((uint32_t)i));
	}
	for (uint64_t i = 0; i < evex; i++) {
		clear_evex();
		hx_mix(evex_first((uint32_t)i));
	}
	hx_calls("vex_first", vex, vex);
	hx_calls("evex_first", evex, evex);
}

int main(int argc, char **argv)
{
	static const char *const plain[] = {
		"tiny_one",   "tiny_two",    "tiny_rep",    "tiny_empty", "skip_data", "table_text",
		"fall_first", "jump_if",     "push_ret",    "overlapped", "red_zone",  "nop_first",
		"uses_flags", "keeps_flags", "string_text", "lock_first",
	};
	struct wl_options o = wl_options(argc, argv, 0, 0);

	wl_gate(&o);
	for (uint64_t i = 0; i < ROUNDS; i++)
		round_of_calls(i);
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		hx_calls(plain[i], ROUNDS, 40);
	vectors(__builtin_cpu_supports("avx2") ? ROUNDS : 0,
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") ? ROUNDS
											 : 0);
	hx_calls("fall_second", 2 * ROUNDS, 80);
	hx_calls("jump_target", ROUNDS / 2 + ROUNDS, 60);
	return hx_done();
}
