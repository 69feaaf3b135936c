/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled with frame pointers and without any unwind table. */
#include "st.h"
#include "st_middle.h"

WL_FUNC static void bare_inner(void (*callback)(void))
{
	volatile char room[500];

	room[0] = 1;
	callback();
	room[499] = room[0];
}

WL_FUNC void bare_outer(void (*callback)(void))
{
	bare_inner(callback);
	__asm__ volatile("" ::: "memory");
}
