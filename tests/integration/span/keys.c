/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that has taken so many keys of pthreads that values of another one need memory. The
 * first span of a thread is in a signal handler, where none may be allocated; and the memory of
 * threads that have ended is used again all the same. It is its own catcher, and its own calloc(),
 * which is what glibc calls for such values. Prints what is wrong; exit status 1 then.
 */
#include <sonde/span.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "span_help.h"

enum { KEYS = 32, THREADS = 50 };

void *calloc(size_t n, size_t size);
void *__libc_calloc(size_t n, size_t size);

static volatile sig_atomic_t handling;
static volatile unsigned allocated;

void *calloc(size_t n, size_t size)
{
	allocated += handling != 0;
	return __libc_calloc(n, size);
}

static void handle(int number)
{
	(void)number;
	handling = 1;
	{
		SONDE_SPAN_CAT("keys", "handler");
	}
	handling = 0;
}

static void *run(void *data)
{
	raise(SIGUSR1);
	return data;
}

int main(void)
{
	struct sigaction action;
	pthread_key_t key = 0;
	unsigned lines = 0, blocks = 0;
	pthread_t thread;

	while (key < KEYS)
		pthread_key_create(&key, NULL);
	memset(&action, 0, sizeof(action));
	action.sa_handler = handle;
	sigaction(SIGUSR1, &action, NULL);
	SONDE_SHARED(interest) = SONDE_INTEREST_BATCH;
	for (int i = 0; i < THREADS; i++) {
		pthread_create(&thread, NULL, run, NULL);
		pthread_join(thread, NULL);
	}
	run(NULL);
	sonde_finish();
	for (const char *at = span_lines(); (at = strchr(at, '\n')); at++)
		lines++;
	for (const struct sonde_thread *t =
		     (const struct sonde_thread *)SONDE_SHARED(object).threads;
	     t; t = (const struct sonde_thread *)t->block.next)
		blocks++;
	if (allocated || lines != THREADS + 1 || blocks > THREADS / 5)
		printf("%u allocations, %u spans, %u blocks\n%s", allocated, lines, blocks,
		       span_lines());
	return allocated || lines != THREADS + 1 || blocks > THREADS / 5;
}
