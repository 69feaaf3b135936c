/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled with -fcf-protection=none and a frame pointer: begins with push %rbp. */
#include "wl.h"
#include "wl_spin.h"

WL_FUNC long spin_call(long x)
{
	WL_FRAME();
	return x + 1;
}
