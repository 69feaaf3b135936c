/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/reaper.h"

#include <time.h>

#include "sonde/base/thread.h"

enum { STACK_SIZE = 256 << 10 }; /* room for a sanitizer's bookkeeping, too */

/* One a process. The queue is fds[head … len); pending also counts those being closed. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int *fds;
	size_t head, len, cap, pending, threads;
} reaper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

static void *reap(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "sonde-reaper");
	pthread_mutex_lock(&reaper.lock);
	while (reaper.head < reaper.len) {
		int fd = reaper.fds[reaper.head++];

		pthread_mutex_unlock(&reaper.lock);
		close(fd);
		pthread_mutex_lock(&reaper.lock);
		if (--reaper.pending == 0)
			pthread_cond_broadcast(&reaper.idle);
	}
	reaper.head = reaper.len = 0;
	reaper.threads--;
	pthread_mutex_unlock(&reaper.lock);
	return NULL;
}

static bool start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = thread_start(&thread, &attr, reap, NULL);
	pthread_attr_destroy(&attr);
	return r == 0;
}

/* Threads that are blocked in a close do not count as help: one is started for each descriptor. */
static bool enqueue(const int *fds, size_t n, size_t at_a_time)
{
	size_t started = 0;

	if (array_reserve(&reaper.fds, &reaper.cap, reaper.len + n, sizeof(*reaper.fds)) < 0)
		return false;
	for (; started < n && reaper.threads < at_a_time && start_thread(); started++)
		reaper.threads++;
	if (reaper.threads == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		reaper.fds[reaper.len++] = fds[i];
		reaper.pending++;
	}
	return true;
}

void reaper_close(const int *fds, size_t n, size_t at_a_time)
{
	bool queued;

	if (n == 0)
		return;
	pthread_mutex_lock(&reaper.lock);
	queued = enqueue(fds, n, at_a_time);
	pthread_mutex_unlock(&reaper.lock);
	for (size_t i = 0; !queued && i < n; i++)
		safe_close(fds[i]);
}

size_t reaper_pending(void)
{
	size_t n;

	pthread_mutex_lock(&reaper.lock);
	n = reaper.pending;
	pthread_mutex_unlock(&reaper.lock);
	return n;
}

int reaper_wait(unsigned int timeout_ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= (long)NSEC_PER_SEC) {
		until.tv_sec++;
		until.tv_nsec -= NSEC_PER_SEC;
	}
	pthread_mutex_lock(&reaper.lock);
	while (reaper.pending > 0 && r == 0)
		r = pthread_cond_timedwait(&reaper.idle, &reaper.lock, &until);
	r = reaper.pending > 0 ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&reaper.lock);
	return r;
}
