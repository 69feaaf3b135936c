/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slow minority of calls that spends its time elsewhere than the fast majority does.
 *
 *   request(i)      120 calls, i = 0 … 119; each has a span io/batch of the source code, with the
 *                   field rows, around what it does:
 *     fast_part()   108 calls, about 1 ms on the CPU, where rows is 10
 *     slow_part()    12 calls, about 30 ms on the CPU, where rows is 2000 (i = 9, 19, … 119)
 *     slow_nap()     12 calls, after slow_part(); each sleeps 12 ms
 *   between()       120 calls, about 2 ms on the CPU, one after each request
 *   aside()         in a thread of its own, about 1 ms on the CPU and then 1 ms asleep, until all
 *                   requests are done
 *
 * "fast_ns N", "slow_ns N", "between_ns N", "aside_ns N" are printed: what they took, on the clock
 * of the thread's CPU.
 */
#include <pthread.h>

#include "sonde/span.h"
#include "wl.h"

enum { REQUESTS = 120, EACH = 10 };

static uint64_t n_fast, n_slow, fast_ns, slow_ns, between_ns, aside_ns;
static uint64_t per_ms; /* iterations */
static int is_over;

static uint64_t cpu_clock(void)
{
	return wl_clock(CLOCK_THREAD_CPUTIME_ID);
}

WL_FUNC void sleep_ns(long ns)
{
	struct timespec left = {0, ns};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

WL_FUNC void calibrate(uint64_t iterations)
{
	WL_SPIN(iterations);
}

WL_FUNC void fast_part(uint64_t iterations)
{
	n_fast++;
	WL_SPIN(iterations);
}

WL_FUNC void slow_part(uint64_t iterations)
{
	n_slow++;
	WL_SPIN(iterations);
}

WL_FUNC void slow_nap(void)
{
	sleep_ns(12000000);
}

WL_FUNC void between(uint64_t iterations)
{
	WL_SPIN(iterations);
}

WL_FUNC void request(int i)
{
	uint64_t start = cpu_clock();
	SONDE_SPAN_CAT("io", "batch");

	if (i % EACH != EACH - 1) {
		SONDE_FIELD("rows", 10);
		fast_part(per_ms);
		fast_ns += cpu_clock() - start;
		return;
	}
	SONDE_FIELD("rows", 2000);
	slow_part(30 * per_ms);
	slow_ns += cpu_clock() - start;
	slow_nap();
}

WL_FUNC void aside(uint64_t iterations)
{
	WL_SPIN(iterations);
}

static void *beside(void *arg)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		aside(per_ms);
		sleep_ns(1000000);
	}
	aside_ns = cpu_clock();
	return arg;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t start = cpu_clock();
	pthread_t thread;
	int wrong = 0;

	calibrate(20000000);
	per_ms = 20000000ull * 1000000 / (cpu_clock() - start + 1);
	wl_gate(&o);
	if (pthread_create(&thread, NULL, beside, NULL) != 0)
		return 1;
	for (int i = 0; i < REQUESTS; i++) {
		request(i);
		start = cpu_clock();
		between(2 * per_ms);
		between_ns += cpu_clock() - start;
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("fast_ns %llu\nslow_ns %llu\nbetween_ns %llu\naside_ns %llu\n",
	       (unsigned long long)fast_ns, (unsigned long long)slow_ns,
	       (unsigned long long)between_ns, (unsigned long long)aside_ns);
	wrong += wl_count(&o, "fast_part", n_fast, REQUESTS - REQUESTS / EACH);
	wrong += wl_count(&o, "slow_part", n_slow, REQUESTS / EACH);
	return wl_done(wrong);
}
