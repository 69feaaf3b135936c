/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is over soon: short_hot() burns about 50 ms of CPU time in itself, called from
 * main() 50 times for about 1 ms each, then the program ends. It must still be named and
 * symbolised when it has gone.
 */
#include "wl.h"

static uint64_t n_short_hot;

WL_FUNC uint64_t short_hot(uint64_t iterations)
{
	n_short_hot++;
	WL_SPIN(iterations);
	return iterations;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t start, cpu, iterations = 300000;

	wl_gate(&o);
	start = wl_clock(CLOCK_THREAD_CPUTIME_ID);
	for (int i = 1; i <= 50; i++) {
		short_hot(iterations);
		/* Steers towards 1 ms a call from what the calls so far took. */
		cpu = wl_clock(CLOCK_THREAD_CPUTIME_ID) - start;
		if (cpu < (uint64_t)i * 900000)
			iterations += iterations / 4;
		else if (cpu > (uint64_t)i * 1100000)
			iterations -= iterations / 4;
	}
	cpu = wl_clock(CLOCK_THREAD_CPUTIME_ID) - start;
	return wl_done(
		wl_count(&o, "short_hot", n_short_hot, 50) +
		wl_count(&o, "short_hot took 30 to 80 ms", cpu > 30000000 && cpu < 80000000, 1));
}
