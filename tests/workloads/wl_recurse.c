/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recursion with known counts.
 *
 *   recurse(20)   called 50 times; each goes down to recurse(0): 21 * 50 = 1050 calls, 21 deep
 *   fib(15)       called once, as fib(n - 1) + fib(n - 2) down to fib(1) and fib(0): 1973 calls
 *   ping(9)       called 40 times; ping(n) calls pong(n - 1) and pong(n) calls ping(n - 1) down
 *                 to 0: 5 * 40 = 200 calls of each
 */
#include "wl.h"

static uint64_t n_recurse, n_fib, n_ping, n_pong;

WL_FUNC int recurse(int depth)
{
	n_recurse++;
	return depth == 0 ? 0 : recurse(depth - 1) + 1;
}

WL_FUNC int fib(int n)
{
	n_fib++;
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

WL_FUNC int pong(int n);

WL_FUNC int ping(int n)
{
	n_ping++;
	return n == 0 ? 0 : pong(n - 1) + 1;
}

WL_FUNC int pong(int n)
{
	n_pong++;
	return n == 0 ? 0 : ping(n - 1) + 1;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong = 0;

	wl_gate(&o);
	for (int i = 0; i < 50; i++)
		wrong += recurse(20) != 20;
	wrong += fib(15) != 610;
	for (int i = 0; i < 40; i++)
		wrong += ping(9) != 9;
	wrong += wl_count(&o, "recurse", n_recurse, 1050);
	wrong += wl_count(&o, "fib", n_fib, 1973);
	wrong += wl_count(&o, "ping", n_ping, 200);
	wrong += wl_count(&o, "pong", n_pong, 200);
	return wl_done(wrong);
}
