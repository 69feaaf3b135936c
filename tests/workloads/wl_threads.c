/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads with known counts: --threads (8 by default) threads named worker-0, worker-1, … each
 * call task(i) 1000 times, i = 0 … 999. The first half of them exist before "ready" is printed and
 * wait for the gate, the rest are started after it.
 */
#include <pthread.h>

#include "wl.h"

enum { THREADS_MAX = 256 };

static uint64_t n_task; /* of all threads; atomic */
static pthread_barrier_t gate;

struct worker {
	pthread_t thread;
	int number, early;
	uint64_t tasks;
};

WL_FUNC int task(int i)
{
	__atomic_fetch_add(&n_task, 1, __ATOMIC_RELAXED);
	return i;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	/* A thread names itself, so that no task runs under another name. */
	snprintf(name, sizeof(name), "worker-%d", w->number % 1000);
	pthread_setname_np(pthread_self(), name);
	if (w->early) {
		pthread_barrier_wait(&gate); /* all are named */
		pthread_barrier_wait(&gate); /* the gate is open */
	}
	for (int i = 0; i < 1000; i++) {
		task(i);
		w->tasks++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 8);
	static struct worker workers[THREADS_MAX];
	int wrong = 0, n = o.threads > THREADS_MAX ? THREADS_MAX : (int)o.threads, early = n / 2;

	pthread_barrier_init(&gate, NULL, (unsigned int)early + 1);
	for (int i = 0; i < n; i++) {
		workers[i].number = i;
		workers[i].early = i < early;
	}
	for (int i = 0; i < early; i++)
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
			return 1;
	pthread_barrier_wait(&gate);
	wl_gate(&o);
	pthread_barrier_wait(&gate);
	for (int i = early; i < n; i++)
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
			return 1;
	for (int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		wrong += wl_count(&o, i < early ? "early worker" : "late worker", workers[i].tasks,
				  1000);
	}
	wrong += wl_count(&o, "task", n_task, 1000 * (uint64_t)n);
	return wl_done(wrong);
}
