/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that start and end all the time: 200 live at once, and each that has ended is replaced
 * until there have been 600. Each thread
 *
 *   task → part                  calls task 5 times, and that part twice: 3,000 and 6,000 calls
 *   leave_outer → leave          every third thread (200) ends by pthread_exit in leave
 */
#include <pthread.h>

#include "hx.h"

enum { ALIVE = 200, ALL = 600 };

static uint64_t n_task, n_part, n_leave_outer, n_leave;

HX_FUNC uint64_t part(uint64_t x)
{
	HX_COUNT(n_part);
	return x * 3 + 1;
}

HX_FUNC uint64_t task(uint64_t x)
{
	HX_COUNT(n_task);
	return part(x) + part(x + 1);
}

HX_FUNC uint64_t leave(uint64_t x)
{
	HX_COUNT(n_leave);
	if (x % 3 == 0)
		pthread_exit(NULL);
	return x;
}

HX_FUNC uint64_t leave_outer(uint64_t x)
{
	HX_COUNT(n_leave_outer);
	return leave(x) + 1;
}

static void *run(void *arg)
{
	uint64_t number = (uint64_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < 5; i++)
		hx_add(task(number * 10 + i));
	if (number % 3 == 0)
		hx_add(leave_outer(number));
	return NULL;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	pthread_t threads[ALIVE];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	wl_gate(&o);
	for (int i = 0; i < ALL + ALIVE; i++) {
		if (i >= ALIVE)
			pthread_join(threads[i % ALIVE], NULL);
		if (i < ALL &&
		    pthread_create(&threads[i % ALIVE], &attr, run, (void *)(uintptr_t)i) != 0)
			abort();
	}
	hx_calls("task", n_task, 3000);
	hx_unwound("task", 0, 0);
	hx_calls("part", n_part, 6000);
	hx_unwound("part", 0, 0);
	hx_calls("leave_outer", n_leave_outer, 200);
	hx_unwound("leave_outer", n_leave_outer, 200);
	hx_calls("leave", n_leave, 200);
	hx_unwound("leave", n_leave, 200);
	return hx_done();
}
