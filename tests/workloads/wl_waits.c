/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait, and measure it themselves.
 *
 *   long_wait()     20 calls, each sleeps 25 ms
 *   short_wait()  1000 calls, each sleeps 300 us
 *   stuck()          1 call, in a thread of its own: reads from a pipe that nobody writes to, from
 *                    before the first of the others until the process ends
 *
 * "long_ns N", "short_ns N" and "stuck_ns N" are printed: what the waits took, to the end.
 */
#include <pthread.h>

#include "wl.h"

static int pipe_fds[2];
static uint64_t n_long, n_short;

WL_FUNC static void sleep_ns(long ns)
{
	struct timespec left = {0, ns};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

WL_FUNC uint64_t long_wait(void)
{
	uint64_t start = wl_clock(CLOCK_MONOTONIC);

	n_long++;
	sleep_ns(25000000);
	return wl_clock(CLOCK_MONOTONIC) - start;
}

WL_FUNC uint64_t short_wait(void)
{
	volatile char room[128]; /* another place of the stack than the long ones' */
	uint64_t start = wl_clock(CLOCK_MONOTONIC);

	room[0] = 0;
	n_short++;
	sleep_ns(300000);
	return wl_clock(CLOCK_MONOTONIC) - start + (uint64_t)room[0];
}

WL_FUNC void *stuck(void *arg)
{
	char c;

	(void)arg;
	if (read(pipe_fds[0], &c, 1) != 0)
		_exit(3);
	return NULL;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t long_ns = 0, short_ns = 0, start;
	pthread_t thread;
	int wrong = 0;

	wl_gate(&o);
	start = wl_clock(CLOCK_MONOTONIC);
	if (pipe(pipe_fds) < 0 || pthread_create(&thread, NULL, stuck, NULL) != 0)
		return 2;
	for (int i = 0; i < 1000; i++) {
		short_ns += short_wait();
		if (i % 50 == 49)
			long_ns += long_wait();
	}
	wrong += wl_count(&o, "long_wait", n_long, 20);
	wrong += wl_count(&o, "short_wait", n_short, 1000);
	printf("long_ns %llu\nshort_ns %llu\nstuck_ns %llu\n", (unsigned long long)long_ns,
	       (unsigned long long)short_ns,
	       (unsigned long long)(wl_clock(CLOCK_MONOTONIC) - start));
	return wl_done(wrong);
}
