/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled with -fcf-protection=full and a frame pointer: begins with endbr64, push %rbp. */
#include "wl.h"
#include "wl_spin.h"

WL_FUNC long endbr_call(long x)
{
	WL_FRAME();
	return x + 1;
}
