/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a span costs the program that has it: the same function CALLS times a round, with a span
 * of one kind in it, chosen when it is built:
 *
 *   (nothing)   SONDE_SPAN_CAT() of sonde/span.h
 *   -DLTTNG     two tracepoints of LTTng-UST (span_lttng.h)
 *   -DUSDT      two static probes
 *   -DPLAIN     nothing: what the loop costs; and what uftrace makes of a function when built -pg
 *
 *   span_cost ROUNDS CALLS
 *
 * prints "ready PID", waits for a line on stdin, and prints the nanoseconds of a call, those of
 * the best round, as others use this machine, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(LTTNG)
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "span_lttng.h"
#define BEGIN() lttng_ust_tracepoint(span_cost, begin, "io", "read")
#define END()	lttng_ust_tracepoint(span_cost, end, "io", "read")
#elif defined(USDT)
#include "../../tests/workloads/usdt_note.h"
NOTE_SEMAPHORE(cost, begin);
NOTE_SEMAPHORE(cost, end);
static const char category[] = "io", name[] = "read";
#define BEGIN()                                                                                    \
	do {                                                                                       \
		if (NOTE_IS_UP(cost, begin))                                                       \
			NOTE_PROBE("cost", "begin", "cost_begin_semaphore", "8@%0 8@%1",           \
				   "r"(category), "r"(name));                                      \
	} while (0)
#define END()                                                                                      \
	do {                                                                                       \
		if (NOTE_IS_UP(cost, end))                                                         \
			NOTE_PROBE("cost", "end", "cost_end_semaphore", "8@%0 8@%1",               \
				   "r"(category), "r"(name));                                      \
	} while (0)
#elif defined(PLAIN)
#define BEGIN() (void)0
#define END()	(void)0
#else
#include <sonde/span.h>
#define BEGIN() SONDE_SPAN_CAT("io", "read")
#define END()	(void)0
#endif

__attribute__((noinline)) static void call(void)
{
	BEGIN();
	__asm__ volatile("" ::: "memory");
	END();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	uint64_t best = UINT64_MAX;
	char line[8];

	if (rounds < 1 || calls < 1) {
		fprintf(stderr, "usage: span_cost ROUNDS CALLS\n");
		return 2;
	}
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (long r = 0; r < rounds; r++) {
		uint64_t begin = now_ns(), took;

		for (long i = 0; i < calls; i++)
			call();
		took = now_ns() - begin;
		if (took < best)
			best = took;
	}
	printf("%.3f\n", (double)best / (double)calls);
	return 0;
}
