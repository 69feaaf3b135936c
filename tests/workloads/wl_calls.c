/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls with known counts, results, nesting and arguments.
 *
 *   alpha()         10000 calls
 *   beta(i)          5000 calls, i = 0 … 4999, returns 2 * i
 *   gamma_fail(i)    1000 calls, i = 0 … 999, returns -1 (int) for i = 9, 19, … (100 errors), else
 * i delta_null(i)     400 calls, i = 0 … 399, returns NULL for i = 3, 7, … (100 errors), else a
 * pointer outer()           300 calls, each with one middle(), each with two inner(): 300, 300, 600
 *   six(1+i,2,3,4,5,6) 100 calls, i = 0 … 99, returns the sum, 21 + i
 */
#include "wl.h"

static uint64_t n_alpha, n_beta, n_gamma, n_delta, n_outer, n_middle, n_inner, n_six;
static uint64_t errors, nulls, sum_six;
static int cells[400];

WL_FUNC void alpha(void)
{
	n_alpha++;
}

WL_FUNC int beta(int i)
{
	n_beta++;
	return 2 * i;
}

WL_FUNC int gamma_fail(int i)
{
	n_gamma++;
	return i % 10 == 9 ? -1 : i;
}

WL_FUNC void *delta_null(int i)
{
	n_delta++;
	return i % 4 == 3 ? NULL : &cells[i];
}

WL_FUNC void inner(void)
{
	n_inner++;
}

WL_FUNC void middle(void)
{
	n_middle++;
	inner();
	inner();
}

WL_FUNC void outer(void)
{
	n_outer++;
	middle();
}

WL_FUNC long six(long a, long b, long c, long d, long e, long f)
{
	n_six++;
	return a + b + c + d + e + f;
}

static void work(void)
{
	for (int i = 0; i < 10000; i++)
		alpha();
	for (int i = 0; i < 5000; i++)
		beta(i);
	for (int i = 0; i < 1000; i++)
		errors += gamma_fail(i) < 0;
	for (int i = 0; i < 400; i++)
		nulls += delta_null(i) == NULL;
	for (int i = 0; i < 300; i++)
		outer();
	for (int i = 0; i < 100; i++)
		sum_six += (uint64_t)six(1 + i, 2, 3, 4, 5, 6);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong = 0;

	wl_gate(&o);
	work();
	wrong += wl_count(&o, "alpha", n_alpha, 10000);
	wrong += wl_count(&o, "beta", n_beta, 5000);
	wrong += wl_count(&o, "gamma_fail", n_gamma, 1000);
	wrong += wl_count(&o, "gamma_fail_errors", errors, 100);
	wrong += wl_count(&o, "delta_null", n_delta, 400);
	wrong += wl_count(&o, "delta_null_errors", nulls, 100);
	wrong += wl_count(&o, "outer", n_outer, 300);
	wrong += wl_count(&o, "middle", n_middle, 300);
	wrong += wl_count(&o, "inner", n_inner, 600);
	wrong += wl_count(&o, "six", n_six, 100);
	wrong += wl_count(&o, "six_sum", sum_six, 100 * 21 + 99 * 100 / 2);
	return wl_done(wrong);
}
