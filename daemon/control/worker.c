/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/worker.h"

#include <sys/eventfd.h>

#include "sonde/base/thread.h"

struct job {
	void (*run)(void *arg);
	void (*done)(void *arg, bool cancelled);
	void *arg;
	bool cancelled;
	struct job *next;
};

struct job_queue {
	struct job *first, *last;
};

struct worker {
	pthread_t thread;
	bool has_thread;
	sd_event_source *source;
	int event_fd;	/* readable when a job has run */
	size_t pending; /* submitted, and done() not begun: the main thread's */

	pthread_mutex_t lock;
	pthread_cond_t wake;	/* a job waits, or stop */
	pthread_cond_t settled; /* a job has run */
	struct job_queue waiting, finished;
	bool stop;
};

static void queue_push(struct job_queue *q, struct job *job)
{
	job->next = NULL;
	if (q->last)
		q->last->next = job;
	else
		q->first = job;
	q->last = job;
}

static struct job *queue_pop(struct job_queue *q)
{
	struct job *job = q->first;

	if (!job)
		return NULL;
	q->first = job->next;
	if (!q->first)
		q->last = NULL;
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job;

		while (!w->stop && !w->waiting.first)
			pthread_cond_wait(&w->wake, &w->lock);
		if (w->stop)
			break;
		job = queue_pop(&w->waiting);
		pthread_mutex_unlock(&w->lock);
		job->run(job->arg);
		pthread_mutex_lock(&w->lock);
		queue_push(&w->finished, job);
		pthread_cond_signal(&w->settled);
		/* It fails only when the counter is full, and then the main loop has been woken. */
		(void)eventfd_write(w->event_fd, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Runs done() of the oldest job that has run; with wait, waits for it. False: there is none. */
static bool finish_one(struct worker *w, bool wait)
{
	struct job *job;

	pthread_mutex_lock(&w->lock);
	while (wait && w->pending && !w->finished.first)
		pthread_cond_wait(&w->settled, &w->lock);
	job = queue_pop(&w->finished);
	pthread_mutex_unlock(&w->lock);
	if (!job)
		return false;
	w->pending--;
	job->done(job->arg, job->cancelled);
	free(job);
	return true;
}

/*
 * Takes as many as were pending on arrival: jobs that done() submits have their turn in the next
 * round, so that a chain of jobs does not starve the main loop.
 */
static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct worker *w = arg;
	size_t n = w->pending;
	eventfd_t count;

	(void)source, (void)revents;
	(void)eventfd_read(fd, &count);
	while (n-- && finish_one(w, false))
		;
	pthread_mutex_lock(&w->lock);
	if (w->finished.first)
		(void)eventfd_write(w->event_fd, 1);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static int start_thread(struct worker *w, const char *name)
{
	char short_name[16];
	int r = thread_start(&w->thread, NULL, worker_main, w);

	if (r < 0)
		return r;
	w->has_thread = true;
	snprintf(short_name, sizeof(short_name), "%s", name);
	pthread_setname_np(w->thread, short_name);
	return 0;
}

int worker_new(sd_event *event, const char *thread_name, struct worker **ret)
{
	_cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	pthread_cond_init(&w->settled, NULL);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event_fd < 0)
		return -errno;
	r = sd_event_add_io(event, &w->source, w->event_fd, EPOLLIN, on_finished, w);
	if (r < 0)
		return r;
	r = start_thread(w, thread_name);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

static void cancel_waiting(struct worker *w)
{
	struct job *job;

	while ((job = queue_pop(&w->waiting))) {
		job->cancelled = true;
		queue_push(&w->finished, job);
	}
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	cancel_waiting(w);
	while (finish_one(w, false))
		;
	sd_event_source_disable_unref(w->source);
	safe_close(w->event_fd);
	pthread_cond_destroy(&w->settled);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

int worker_submit(struct worker *w, void (*run)(void *arg), void (*done)(void *arg, bool cancelled),
		  void *arg)
{
	struct job *job;
	bool stop;

	/* What has waited for something else until the daemon ends comes too late. */
	if (!w)
		return -ESHUTDOWN;
	/* Only this thread sets it: a done() that submits while the worker is being freed. */
	pthread_mutex_lock(&w->lock);
	stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	if (stop)
		return -ESHUTDOWN;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct job){.run = run, .done = done, .arg = arg};
	w->pending++;
	pthread_mutex_lock(&w->lock);
	queue_push(&w->waiting, job);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

size_t worker_pending(const struct worker *w)
{
	return w->pending;
}

void worker_drain(struct worker *w)
{
	while (finish_one(w, true))
		;
}
