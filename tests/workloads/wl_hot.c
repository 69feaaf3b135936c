/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time with known shares: for --seconds (3 by default) of its own CPU time, work() calls
 *
 *   hot_a   60 %
 *   hot_b   30 %
 *   hot_c   10 %
 *
 * Each burns its time in itself and calls nothing. The shares are held by feedback, not by fixed
 * loops: work() measures what each slice of about 1 ms took on the thread's CPU clock and calls
 * next whichever is furthest behind, so they are exact to a slice whatever else the machine does.
 * Slices differ in length, as equal ones would come round every 10 ms, and samples of a fixed
 * period see only parts of such a round.
 */
#include "wl.h"

WL_FUNC void hot_a(uint64_t iterations)
{
	WL_SPIN(iterations);
}

WL_FUNC void hot_b(uint64_t iterations)
{
	WL_SPIN(iterations);
}

WL_FUNC void hot_c(uint64_t iterations)
{
	WL_SPIN(iterations);
}

struct share {
	const char *name;
	void (*func)(uint64_t iterations);
	unsigned int percent;
	uint64_t spent_ns;
};

static struct share shares[] = {
	{"hot_a", hot_a, 60, 0},
	{"hot_b", hot_b, 30, 0},
	{"hot_c", hot_c, 10, 0},
};

static struct share *furthest_behind(uint64_t total)
{
	struct share *best = &shares[0];
	double most = -1e30;

	for (size_t i = 0; i < 3; i++) {
		double behind =
			(double)total * shares[i].percent / 100.0 - (double)shares[i].spent_ns;

		if (behind > most) {
			most = behind;
			best = &shares[i];
		}
	}
	return best;
}

WL_FUNC uint64_t work(uint64_t cpu_ns)
{
	uint64_t total = 0, iterations = 100000, random = 88172645463325252;
	uint64_t last = wl_clock(CLOCK_THREAD_CPUTIME_ID);

	while (total < cpu_ns) {
		struct share *s = furthest_behind(total);
		uint64_t now, took;

		/* xorshift64 (Marsaglia): from half to one and a half times as long. */
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		s->func(iterations / 2 + random % iterations);
		now = wl_clock(CLOCK_THREAD_CPUTIME_ID);
		took = now - last;
		last = now;
		s->spent_ns += took;
		total += took;
		/* Towards slices of 1 ms. */
		if (took < 500000)
			iterations *= 2;
		else if (took > 2000000 && iterations > 1000)
			iterations /= 2;
	}
	return total;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 3, 0);
	uint64_t total;
	int wrong = 0;

	wl_gate(&o);
	total = work((uint64_t)o.seconds * 1000000000u);
	for (size_t i = 0; i < 3; i++) {
		uint64_t percent = (shares[i].spent_ns * 100 + total / 2) / total;

		wrong += wl_count(&o, shares[i].name, percent, shares[i].percent);
	}
	return wl_done(wrong);
}
