/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program whose file the test replaces while it runs. HX_NEW is what makes the file that takes
 * its place another one: there everything lies elsewhere, and pad() is new.
 *
 *   rep_outer → rep_inner        500 times (HX_NEW: 70 times)
 *
 * With --wait there is a second gate in the middle: "half PID", then a line on stdin.
 */
#include "hx.h"

static uint64_t n_outer, n_inner;

#ifdef HX_NEW
enum { ROUNDS = 70 };

HX_FUNC uint64_t pad(uint64_t x)
{
	uint64_t sum = 1;

	for (uint64_t i = 1; i < 20; i++)
		sum = sum * (x + i) + (x ^ i);
	return sum;
}
#else
enum { ROUNDS = 500 };
#endif

HX_FUNC uint64_t rep_inner(uint64_t x)
{
	HX_COUNT(n_inner);
	return x * 3 + 1;
}

HX_FUNC uint64_t rep_outer(uint64_t x)
{
	HX_COUNT(n_outer);
	return rep_inner(x) + 1;
}

static void work(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
#ifdef HX_NEW
		hx_mix(pad(i));
#endif
		hx_mix(rep_outer(i));
	}
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	wl_gate(&o);
	work(0, ROUNDS / 2);
	if (o.wait) {
		printf("half %d\n", (int)getpid());
		fflush(stdout);
		wl_read_line();
	}
	work(ROUNDS / 2, ROUNDS);
	hx_calls("rep_outer", n_outer, ROUNDS);
	hx_unwound("rep_outer", 0, 0);
	hx_calls("rep_inner", n_inner, ROUNDS);
	hx_unwound("rep_inner", 0, 0);
	return hx_done();
}
