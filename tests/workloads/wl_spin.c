/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cost of a probe: spin_call(x), whose first instruction is a push, and its twin endbr_call(x),
 * whose first instruction is endbr64 and whose second is a push, are called in tight loops for
 * --seconds (2 by default) each, or one of them alone with --only spin_call or --only endbr_call.
 * For each it prints
 *
 *   NAME calls N ns_per_call X best Y
 *
 * N is exact; best is the cheapest of batches of 10,000 calls, which other load disturbs least.
 * --verify checks on x86-64 that the two begin with the instructions named here.
 */
#include "wl.h"
#include "wl_spin.h"

enum { BATCH = 10000 };

static volatile long sink;

static void measure(const char *name, long (*func)(long), long seconds)
{
	uint64_t begin = wl_clock(CLOCK_MONOTONIC), last = begin, calls = 0, best = UINT64_MAX;
	uint64_t end = begin + (uint64_t)seconds * 1000000000u;

	while (last < end) {
		uint64_t now;

		for (long i = 0; i < BATCH; i++)
			sink = func(i);
		calls += BATCH;
		now = wl_clock(CLOCK_MONOTONIC);
		if (now - last < best)
			best = now - last;
		last = now;
	}
	printf("%s calls %llu ns_per_call %.2f best %.2f\n", name, (unsigned long long)calls,
	       (double)(last - begin) / (double)calls, (double)best / BATCH);
	fflush(stdout);
}

static int begins_wrong(const struct wl_options *o)
{
#ifdef __x86_64__
	static const unsigned char endbr64_push[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x55};
	static const unsigned char push[] = {0x55};

	return wl_count(o, "spin_call begins with push",
			memcmp((const void *)(uintptr_t)spin_call, push, sizeof(push)) == 0, 1) +
	       wl_count(o, "endbr_call begins with endbr64, push",
			memcmp((const void *)(uintptr_t)endbr_call, endbr64_push,
			       sizeof(endbr64_push)) == 0,
			1);
#else
	(void)o;
	return 0;
#endif
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 2, 0);

	wl_gate(&o);
	if (!o.only || strcmp(o.only, "spin_call") == 0)
		measure("spin_call", spin_call, o.seconds);
	if (!o.only || strcmp(o.only, "endbr_call") == 0)
		measure("endbr_call", endbr_call, o.seconds);
	/* Reads the text, so only once nothing is attached any more if the answer is to be right.
	 */
	return wl_done(o.verify ? begins_wrong(&o) : 0);
}
