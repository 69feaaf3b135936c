/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of every shape, at -O2 without frame pointers: of variable size (alloca), of more than
 * 64 KiB, realigned (with a pointer to the arguments, DRAP, too), a call that never returns as the
 * last instruction, functions inlined three deep, a part that is moved away as it is cold, short
 * functions whose prologues are hit, and recursion of 100 and 300 frames.
 * Compiled with -falign-functions=1, so that a function begins right behind the one before.
 */
#include <alloca.h>
#include <setjmp.h>

#include "st_main.h"

#define LEAF(name)                                                                                 \
	WL_FUNC void name(void)                                                                    \
	{                                                                                          \
		ST_SPIN();                                                                         \
	}

LEAF(alloca_leaf)
LEAF(big_leaf)
LEAF(align_leaf)
LEAF(drap_leaf)
LEAF(force_leaf)
LEAF(inline_leaf)
LEAF(cold_leaf)
LEAF(recurse_leaf)

WL_FUNC void alloca_mid(size_t size)
{
	volatile char *room = alloca(size);

	room[0] = 1;
	ST_LIVE(alloca_leaf());
	room[size - 1] = room[0];
}

WL_FUNC void alloca_top(void)
{
	static size_t size = 100;

	size = size * 7 % 4099 + 1;
	ST_LIVE(alloca_mid(size));
}

WL_FUNC void big_mid(void)
{
	volatile char room[100000];

	room[0] = 1;
	ST_LIVE(big_leaf());
	room[st_value(99999)] = room[0];
}

WL_FUNC void big_top(void)
{
	ST_LIVE(big_mid());
}

WL_FUNC void align_mid(void)
{
	_Alignas(64) volatile char room[64];

	room[0] = 1;
	ST_LIVE(align_leaf());
	room[63] = room[0];
}

WL_FUNC void align_top(void)
{
	ST_LIVE(align_mid());
}

/* Arguments on the stack, which is realigned and then grows: they are reached by a pointer. */
WL_FUNC long drap_mid(long a, long b, long c, long d, long e, long f, long g, long h)
{
	_Alignas(128) volatile char room[128];
	volatile char *more = alloca((size_t)g);

	room[0] = more[0] = 1;
	ST_LIVE(drap_leaf());
	room[127] = more[g - 1] = room[0];
	return a + b + c + d + e + f + g + h;
}

WL_FUNC void drap_top(void)
{
	ST_LIVE(drap_mid(1, 2, 3, 4, 5, 6, st_value(77), 8));
}

/* Not where arguments are passed as usual, but the attribute is for functions of old code. */
__attribute__((force_align_arg_pointer)) WL_FUNC void force_mid(void)
{
	ST_LIVE(force_leaf());
}

WL_FUNC void force_top(void)
{
	ST_LIVE(force_mid());
}

static jmp_buf back;

WL_FUNC _Noreturn void noreturn_leaf(void)
{
	ST_SPIN();
	longjmp(back, 1);
}

/* Ends with the call: the return address is the first byte of what follows. */
WL_FUNC _Noreturn void noreturn_tail(void)
{
	long value = st_value(1);

	__asm__ volatile("" : : "r"(value));
	noreturn_leaf();
}

WL_FUNC void noreturn_next(void)
{
	ST_LIVE(noreturn_tail());
}

WL_FUNC void noreturn_top(void)
{
	if (!setjmp(back))
		noreturn_next();
}

__attribute__((always_inline)) static inline long inline_three(long n)
{
	inline_leaf();
	return n + 3;
}

__attribute__((always_inline)) static inline long inline_two(long n)
{
	return inline_three(n + 1) * n;
}

__attribute__((always_inline)) static inline long inline_one(long n)
{
	return inline_two(n + 1) * n;
}

WL_FUNC void inline_top(void)
{
	ST_LIVE(st_value(inline_one(st_value(4))));
}

__attribute__((cold)) WL_FUNC _Noreturn void cold_mid(void)
{
	ST_LIVE(cold_leaf());
	longjmp(back, 1);
}

/* What leads to a function that is cold and never returns, gcc moves away: cold_split.cold. */
WL_FUNC void cold_split(long n)
{
	ST_LIVE({
		if (__builtin_expect(n != 0, 0))
			cold_mid();
	});
}

WL_FUNC void cold_top(void)
{
	if (!setjmp(back))
		cold_split(st_value(1));
}

/*
 * Many samples are in prologues and epilogues here: a register is saved an instruction before it is
 * used, and the stack grows and shrinks under the return address.
 */
WL_FUNC void edge_leaf(void)
{
	ST_LIVE(__asm__ volatile("" ::: "memory"));
}

WL_FUNC void edge_mid(long n)
{
	volatile char room[64];

	room[0] = 1;
	ST_LIVE((edge_leaf(), n = room[0]));
	st_value(n);
}

WL_FUNC void edge_top(void)
{
	for (long i = 0; i < 10000; i++)
		ST_LIVE(edge_mid(i));
}

WL_FUNC void recurse100(long n)
{
	if (n == 1)
		recurse_leaf();
	else
		ST_LIVE(recurse100(n - 1));
}

WL_FUNC void recurse_top(void)
{
	ST_LIVE(recurse100(100));
}

/*
 * Spins in itself, so that nothing but itself is in what is kept of the stack, and long, as 300
 * calls and returns are not nothing.
 */
WL_FUNC void recurse(long n)
{
	if (n == 1)
		for (int i = 0; i < 20; i++)
			ST_SPIN();
	else
		ST_LIVE(recurse(n - 1));
}

WL_FUNC void deep_top(void)
{
	ST_LIVE(recurse(300));
}

#define R10                                                                                        \
	"recurse100;recurse100;recurse100;recurse100;recurse100;"                                  \
	"recurse100;recurse100;recurse100;recurse100;recurse100;"

static const struct st_case cases[] = {
	{"stack alloca: alloca_leaf;alloca_mid;alloca_top" ST_END, alloca_top},
	{"stack big: big_leaf;big_mid;big_top" ST_END, big_top},
	{"stack align: align_leaf;align_mid;align_top" ST_END, align_top},
	{"stack drap: drap_leaf;drap_mid;drap_top" ST_END, drap_top},
	{"stack force: force_leaf;force_mid;force_top" ST_END, force_top},
	{"stack noreturn: noreturn_leaf;noreturn_tail;noreturn_next;noreturn_top" ST_END,
	 noreturn_top},
	{"stack inline: inline_leaf;inline_top" ST_END, inline_top},
	{"inlined inline: inline_leaf;inline_three;inline_two;inline_one;inline_top" ST_END, NULL},
	{"stack cold: cold_leaf;cold_mid;cold_split;cold_top" ST_END, cold_top},
	{"stack recurse: recurse_leaf;" R10 R10 R10 R10 R10 R10 R10 R10 R10 R10
	 "recurse_top" ST_END,
	 recurse_top},
	{"stack edge: edge_leaf;edge_mid;edge_top" ST_END "\nstack edge: edge_mid;edge_top" ST_END
	 "\nstack edge: edge_top" ST_END,
	 edge_top},
	{"deep deep: recurse", deep_top},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
