/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static probes with known answers, made by hand so that the operands in their notes are known.
 * Provider wl: see tests/integration/test_usdt.py for what is expected of each. A line of output
 * says how often the semaphore of "gated" was up, of 1000 times.
 */
#include <setjmp.h>

#include "usdt_note.h"
#include "wl.h"

NOTE_SEMAPHORE(wl, gated);

static long table[4] = {10, 20, 30, 40};

/* Every kind of place an argument can have. */
__attribute__((noinline)) static void places(long i)
{
	short shorts[3] = {-1, -2, -3};
	double inside = 2.5;
	register double outside __asm__("xmm3") = 1.5;

	__asm__ volatile("" : "+x"(outside));
	/* arg0 … arg5 */
	NOTE_PROBE("wl", "places", "0",
		   "-4@%0 8@%1 -2@2(%%rax,%%rcx,2) 1@%%dh -4@$-7 8@$4294967306", "r"((int)-i),
		   "m"(table[i & 3]), "a"(shorts), "c"(i & 1), "d"(0x4200L));
	/* A float that can be read, one that cannot, a name, and one that is none of these. */
	NOTE_PROBE("wl", "odd", "0", "8f@%0 8f@%%xmm3 8@table(%%rip) 16@%%rax 4@%1", "m"(inside),
		   "r"((unsigned)i), "x"(outside));
	__asm__ volatile("" : : "m"(shorts), "x"(outside));
}

__attribute__((noinline)) static void many(long i)
{
	NOTE_PROBE("wl", "many", "0",
		   "8@$0 8@$1 8@$2 8@$3 8@$4 8@$5 8@$6 8@$7 8@$8 8@$9 8@$10 8@%0", "r"(i));
}

/* Beginnings and ends of a pair in functions of their own, at whatever depth of the stack. */
__attribute__((noinline)) static void begin_deep(int n, int levels)
{
	volatile char room[200];

	room[0] = 0;
	if (levels > 0)
		begin_deep(n, levels - 1);
	else
		NOTE_PROBE("wl", "op__entry", "0", "-4@%0 8@%1", "r"(n), "r"("deep"));
	room[1] = room[0];
}

__attribute__((noinline)) static void begin_here(int n)
{
	NOTE_PROBE("wl", "op__entry", "0", "-4@%0 8@%1", "m"(n), "r"("here"));
}

__attribute__((noinline)) static void end(int result)
{
	if (result < 0)
		NOTE_PROBE("wl", "op__return", "0", "-4@%0", "r"(result));
	else
		NOTE_PROBE("wl", "op__return", "0", "-4@%0", "m"(result));
}

__attribute__((noinline)) int wl_usdt_call(int n)
{
	begin_deep(n, 3);
	begin_here(n + 1000);
	NOTE_PROBE("wl", "inside", "0", "-4@%0", "r"(n));
	end(n + 1);
	end(n % 10 ? 0 : -5);
	return n;
}

static jmp_buf out;

__attribute__((noinline)) static void leave(int n)
{
	NOTE_PROBE("wl", "left__entry", "0", "-4@%0", "r"(n));
	if (n >= 0)
		longjmp(out, 1);
	NOTE_PROBE("wl", "left__return", "0", "");
}

__attribute__((noinline)) static void leaving(int n)
{
	NOTE_PROBE("wl", "leaving__entry", "0", "-4@%0", "r"(n));
	if (setjmp(out) == 0)
		leave(n);
	NOTE_PROBE("wl", "leaving__return", "0", "");
}

__attribute__((noinline)) static int deep(int n)
{
	int r = 0;

	NOTE_PROBE("wl", "deep__entry", "0", "-4@%0", "r"(n));
	if (n > 1)
		r = deep(n - 1);
	NOTE_PROBE("wl", "deep__return", "0", "-4@%0", "r"(n));
	return r + 1;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int up = 0;

	wl_gate(&o);
	for (int i = 0; i < 100; i++) {
		places(i);
		many(i);
		wl_usdt_call(i);
		leaving(i);
	}
	deep(100);
	deep(10);
	for (int i = 0; i < 1000; i++) {
		if (!NOTE_IS_UP(wl, gated))
			continue;
		up++;
		NOTE_PROBE("wl", "gated", "wl_gated_semaphore", "-4@%0", "r"(i));
	}
	printf("semaphore up %d\n", up);
	return wl_done(0);
}
