/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions to probe and spans written in source code in each other, --rounds times in each of
 * --threads threads (1 by default). What is in lower case with parentheses is a function, and each
 * of them keeps the CPU busy for a while before what is in it:
 *
 *   serve()
 *     app/request
 *       query()
 *         db/execute, fetch(), db/row
 *         db/execute
 *         fetch()
 *       finish()
 *     note()
 *       log/write, log/mark (an instant)
 *   app/alone
 *
 *   --only wait    behind it linger(), which has app/last in it and then waits for --seconds
 *   --only calls   instead: app/alone, then --rounds thousands of calls of empty(); "took NS" is
 *                  what they took on the clock of the CPU
 */
#include <pthread.h>

#include "sonde/span.h"
#include "wl.h"

enum { MAX_THREADS = 64, BUSY_NS = 100000 };

static struct wl_options options;

WL_FUNC void fetch(int with_row)
{
	wl_busy(BUSY_NS);
	if (with_row) {
		SONDE_SPAN_CAT("db", "row");
		wl_busy(BUSY_NS);
	}
}

WL_FUNC void query(void)
{
	wl_busy(BUSY_NS);
	for (int i = 0; i < 2; i++) {
		SONDE_SPAN_CAT("db", "execute");
		wl_busy(BUSY_NS);
		if (i == 0)
			fetch(1);
	}
	fetch(0);
}

WL_FUNC void finish(void)
{
	wl_busy(BUSY_NS);
}

WL_FUNC void note(void)
{
	wl_busy(BUSY_NS);
	SONDE_SPAN_CAT("log", "write");
	SONDE_INSTANT_CAT("log", "mark");
	wl_busy(BUSY_NS);
}

WL_FUNC void serve(void)
{
	wl_busy(BUSY_NS);
	{
		SONDE_SPAN_CAT("app", "request");
		wl_busy(BUSY_NS);
		query();
		finish();
	}
	note();
}

WL_FUNC void linger(void)
{
	wl_busy(BUSY_NS);
	{
		SONDE_SPAN_CAT("app", "last");
		wl_busy(BUSY_NS);
	}
	sleep((unsigned int)options.seconds);
}

static void alone(void)
{
	SONDE_SPAN_CAT("app", "alone");
	wl_busy(BUSY_NS);
}

WL_FUNC void empty(void)
{
	WL_FRAME();
}

static void *run(void *arg)
{
	(void)arg;
	for (long i = 0; i < options.rounds; i++) {
		serve();
		alone();
	}
	if (options.only && strcmp(options.only, "wait") == 0)
		linger();
	return NULL;
}

static void calls(void)
{
	uint64_t start;

	alone();
	start = wl_clock(CLOCK_THREAD_CPUTIME_ID);
	for (long i = 0; i < options.rounds * 1000; i++)
		empty();
	printf("took %llu\n", (unsigned long long)(wl_clock(CLOCK_THREAD_CPUTIME_ID) - start));
}

int main(int argc, char **argv)
{
	pthread_t threads[MAX_THREADS];

	options = wl_options(argc, argv, 1, 1);
	wl_gate(&options);
	if (options.only && strcmp(options.only, "calls") == 0) {
		calls();
		return wl_done(0);
	}
	for (long i = 1; i < options.threads && i < MAX_THREADS; i++)
		pthread_create(&threads[i], NULL, run, NULL);
	run(NULL);
	for (long i = 1; i < options.threads && i < MAX_THREADS; i++)
		pthread_join(threads[i], NULL);
	return wl_done(0);
}
