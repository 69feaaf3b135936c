/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recursion 10,000 deep, where the kernel keeps 64 nested return probes of a thread.
 *
 *   dive(9999)        once: 10,000 calls, on the main stack
 *   ping(9999)        once, in a thread: 5,000 calls each of ping and pong
 *   shallow(10)       200 times before the dive and 200 times after it: 4,400 calls
 *   hop(2000)         once: 2,001 calls, the last of which jumps over them all with longjmp
 */
#include <pthread.h>
#include <setjmp.h>

#include "hx.h"

static uint64_t n_dive, n_ping, n_pong, n_shallow, n_hop;
static jmp_buf surface;
static volatile int jumps = 1;

HX_FUNC uint64_t dive(uint64_t n)
{
	HX_COUNT(n_dive);
	return n == 0 ? 1 : dive(n - 1) * 3 + n;
}

HX_FUNC uint64_t pong(uint64_t n);

HX_FUNC uint64_t ping(uint64_t n)
{
	HX_COUNT(n_ping);
	return n == 0 ? 2 : pong(n - 1) * 5 + n;
}

HX_FUNC uint64_t pong(uint64_t n)
{
	HX_COUNT(n_pong);
	return n == 0 ? 2 : ping(n - 1) * 7 + n;
}

HX_FUNC uint64_t shallow(uint64_t n)
{
	HX_COUNT(n_shallow);
	return n == 0 ? 3 : shallow(n - 1) * 9 + n;
}

HX_FUNC uint64_t hop(uint64_t n)
{
	HX_COUNT(n_hop);
	if (n == 0) {
		if (jumps)
			longjmp(surface, 1);
		return 0;
	}
	return hop(n - 1) + n;
}

static void *in_thread(void *arg)
{
	*(uint64_t *)arg = ping(9999);
	return NULL;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t result = 0;
	pthread_t thread;

	wl_gate(&o);
	for (int i = 0; i < 200; i++)
		hx_mix(shallow(10));
	hx_mix(dive(9999));
	if (pthread_create(&thread, NULL, in_thread, &result) != 0)
		abort();
	pthread_join(thread, NULL);
	hx_mix(result);
	if (setjmp(surface) == 0)
		hx_mix(hop(2000));
	for (int i = 0; i < 200; i++)
		hx_mix(shallow(10));
	hx_calls("dive", n_dive, 10000);
	hx_calls("ping", n_ping, 5000);
	hx_calls("pong", n_pong, 5000);
	hx_calls("hop", n_hop, 2001);
	hx_calls("shallow", n_shallow, 4400);
	hx_unwound("shallow", 0, 0);
	return hx_done();
}
