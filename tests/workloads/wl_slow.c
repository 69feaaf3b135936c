/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slow minority with a known cause.
 *
 *   fast()        1000 calls of about 20 us each, on the CPU
 *   handle(i)     1000 calls, i = 0 … 999, about 5 us each; for i = 49, 99, … it calls slow_one()
 *   slow_one()      20 calls, each calls nap()
 *   nap()           20 calls, each sleeps 5 ms (off the CPU)
 *
 * So 20 calls of handle, 2 %, take 5 ms or more; the cause is off-CPU time in nap, nothing else.
 */
#include "wl.h"

static uint64_t n_fast, n_handle, n_slow_one, n_nap, slow_handles;

WL_FUNC void fast(void)
{
	n_fast++;
	wl_busy(20000);
}

WL_FUNC void nap(void)
{
	struct timespec left = {0, 5000000};

	n_nap++;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

WL_FUNC void slow_one(void)
{
	n_slow_one++;
	nap();
}

WL_FUNC void handle(int i)
{
	n_handle++;
	wl_busy(5000);
	if (i % 50 == 49)
		slow_one();
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong = 0;

	wl_gate(&o);
	for (int i = 0; i < 1000; i++)
		fast();
	for (int i = 0; i < 1000; i++) {
		uint64_t naps = n_nap, start = wl_clock(CLOCK_MONOTONIC);

		handle(i);
		/* A busy machine may delay any call, so only those with a nap are counted. */
		if (n_nap > naps)
			slow_handles += wl_clock(CLOCK_MONOTONIC) - start >= 5000000;
	}
	wrong += wl_count(&o, "fast", n_fast, 1000);
	wrong += wl_count(&o, "handle", n_handle, 1000);
	wrong += wl_count(&o, "slow_one", n_slow_one, 20);
	wrong += wl_count(&o, "nap", n_nap, 20);
	wrong += wl_count(&o, "handle_over_5ms", slow_handles, 20);
	return wl_done(wrong);
}
