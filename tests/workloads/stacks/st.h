/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How frames of planted stacks spend time and use registers. The programs: st_main.h. */
#ifndef SONDE_ST_H
#define SONDE_ST_H

#include "../wl.h"

/* About 0.1 ms at 1 ns an iteration; no frame pointer is asked for, unlike in WL_SPIN. */
#define ST_SPIN()                                                                                  \
	do {                                                                                       \
		for (int _i = 0; _i < 150000; _i++)                                                \
			__asm__ volatile("" ::: "memory");                                         \
	} while (0)

/*
 * Six values that live across the call of what they are given to: all registers that a call
 * preserves are in use, rbp among them where it is no frame pointer. None of them looks like an
 * address of the stack.
 */
#define ST_LIVE(call)                                                                              \
	do {                                                                                       \
		long _a = st_value(1), _b = st_value(2), _c = st_value(3), _d = st_value(4);       \
		long _e = st_value(5), _f = st_value(6);                                           \
                                                                                                   \
		call;                                                                              \
		__asm__ volatile("" : : "r"(_a), "r"(_b), "r"(_c), "r"(_d), "r"(_e), "r"(_f));     \
	} while (0)

static inline long st_value(long value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

#endif
