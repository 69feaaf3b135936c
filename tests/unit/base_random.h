/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The random numbers of the tests of base: the seed is printed. */
#ifndef TEST_BASE_RANDOM_H
#define TEST_BASE_RANDOM_H

#include "sonde/base/format.h"

/* SONDE_TEST_SEED repeats a run that failed. */
static uint64_t rng;

static inline void seed_rng(void)
{
	const char *fixed = getenv("SONDE_TEST_SEED");

	rng = fixed ? strtoull(fixed, NULL, 0) : now_monotonic_ns() ^ ((uint64_t)getpid() << 32);
	fprintf(stderr, "seed 0x%llx\n", (unsigned long long)rng);
}

static inline uint64_t next_random(void)
{
	uint64_t z = (rng += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

#endif
