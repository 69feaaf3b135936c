/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * longjmp with known counts: main() calls jump_outer(i) 200 times, i = 0 … 199; it calls
 * jump_inner(i), which for odd i jumps past both frames back to main(), which then calls
 * after_jump(). So jump_outer and jump_inner are called 200 times each and do not return 100
 * times each; after_jump is called 100 times, from main() and from nothing else.
 */
#include <setjmp.h>

#include "wl.h"

static uint64_t n_outer, n_inner, n_after, outer_returned, inner_returned;
static jmp_buf back;

WL_FUNC int jump_inner(int i)
{
	n_inner++;
	if (i % 2)
		longjmp(back, 1);
	return i;
}

WL_FUNC int jump_outer(int i)
{
	int r;

	n_outer++;
	r = jump_inner(i);
	inner_returned++;
	return r;
}

WL_FUNC void after_jump(void)
{
	n_after++;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong = 0;

	wl_gate(&o);
	for (volatile int i = 0; i < 200; i++) {
		if (setjmp(back)) {
			after_jump();
		} else {
			jump_outer(i);
			outer_returned++;
		}
	}
	wrong += wl_count(&o, "jump_outer", n_outer, 200);
	wrong += wl_count(&o, "jump_outer_returned", outer_returned, 100);
	wrong += wl_count(&o, "jump_inner", n_inner, 200);
	wrong += wl_count(&o, "jump_inner_returned", inner_returned, 100);
	wrong += wl_count(&o, "after_jump", n_after, 100);
	return wl_done(wrong);
}
