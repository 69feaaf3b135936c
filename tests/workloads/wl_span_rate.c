/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans written in C, as many as a program can have: --rounds thousands (100 by default) of
 * rate/span in each of --threads threads (1 by default), one after the other, nothing in them.
 * "took NS" is what they took altogether, on the clock of the CPU, "spans N" how many there were.
 *
 *   --only fork     instead: fork/parent 10 times, then 2 children, each with fork/child 20 times
 *   --only inside   instead: app/outer 5 times, in each work() 3 times, whose app/inner is in it;
 *                   then work() once, by itself
 *   --only idle     instead: idle/short 5 times, then the thread waits for --seconds
 *   --only killed   as idle, but it dies of SIGKILL, by itself
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "sonde/span.h"
#include "wl.h"

enum { CHILDREN = 2, MAX_THREADS = 64 };

static long n_rounds;

WL_FUNC void work(void)
{
	SONDE_SPAN_CAT("app", "inner");
	wl_busy(50000);
}

WL_FUNC void inside(void)
{
	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("app", "outer");
		for (int k = 0; k < 3; k++)
			work();
	}
	work();
}

WL_FUNC void parent_and_children(void)
{
	for (int i = 0; i < 10; i++) {
		SONDE_SPAN_CAT("fork", "parent");
	}
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < 20; k++) {
			SONDE_SPAN_CAT("fork", "child");
		}
		exit(0);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		errno = 0;
}

WL_FUNC void idle(long seconds)
{
	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("idle", "short");
	}
	sleep((unsigned int)seconds);
}

static void *rate(void *arg)
{
	uint64_t start = wl_clock(CLOCK_THREAD_CPUTIME_ID);

	for (long i = 0; i < n_rounds * 1000; i++) {
		SONDE_SPAN_CAT("rate", "span");
	}
	*(uint64_t *)arg = wl_clock(CLOCK_THREAD_CPUTIME_ID) - start;
	return NULL;
}

static void rates(long n)
{
	pthread_t thread[MAX_THREADS];
	uint64_t took[MAX_THREADS], all = 0;

	for (long i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, rate, &took[i]);
	for (long i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		all += took[i];
	}
	printf("took %llu\nspans %ld\n", (unsigned long long)all, n * n_rounds * 1000);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, 1);

	n_rounds = o.rounds > 1 ? o.rounds : 100;
	wl_gate(&o);
	if (o.only && strcmp(o.only, "fork") == 0)
		parent_and_children();
	else if (o.only && strcmp(o.only, "inside") == 0)
		inside();
	else if (o.only && (strcmp(o.only, "idle") == 0 || strcmp(o.only, "killed") == 0))
		idle(o.seconds);
	else
		rates(o.threads < MAX_THREADS ? o.threads : MAX_THREADS);
	if (o.only && strcmp(o.only, "killed") == 0)
		raise(SIGKILL);
	return wl_done(0);
}
