// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Work that threads hand on to others (sonde/span.h), with known answers. The main thread has a
 * span app/main around all; two threads take from a queue what it hands on, each piece in a span
 * that is outermost there.
 *
 *   job/submit     40, in app/main, field n = 0 … 39; each begins job/run with key 1000 + n, and
 *   job/work       40 (field n) in the other threads end it, after job/submit has ended
 *   rpc/call       30, in app/main, field n; each hands on its trace context
 *   rpc/serve      30 (field n) in the other threads continue it; rpc/inner (field n) is in it, and
 *   rpc/further    30, in rpc/inner, hand the context on once more
 *   rpc/child      1, in a child of fork(), continues that of rpc/parent (1), in app/main
 *   rpc/foreign    1, in app/main, continues trace 0af7651916cd43dd8448eb211c80319c of span
 *                  b7ad6b7169203331, which nobody has recorded
 *   job/local      1, begun and ended in app/main
 *
 * In all 1 + 80 + 120 + 3 = 204 spans and 41 that are no scopes.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "sonde/span.h"
#include "wl.h"

enum { JOBS = 40, FIRST_KEY = 1000, CALLS = 30, WORKERS = 2 };

struct piece {
	int n;
	bool is_call, is_last;
	char context[SONDE_TRACE_SIZE];
};

static struct {
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
	piece pieces[JOBS + CALLS + WORKERS];
	int n, taken;
} queue;

static uint64_t n_spans, n_async;

static void count(uint64_t *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static void put(const piece &p)
{
	pthread_mutex_lock(&queue.lock);
	queue.pieces[queue.n++] = p;
	pthread_cond_signal(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
}

static piece take()
{
	pthread_mutex_lock(&queue.lock);
	while (queue.taken == queue.n)
		pthread_cond_wait(&queue.changed, &queue.lock);
	piece p = queue.pieces[queue.taken++];
	pthread_mutex_unlock(&queue.lock);
	return p;
}

WL_FUNC void further()
{
	SONDE_SPAN_CAT("rpc", "further");
	char context[SONDE_TRACE_SIZE];

	SONDE_TRACE_TO(context);
	count(&n_spans);
}

WL_FUNC void inner(int n)
{
	SONDE_SPAN_CAT("rpc", "inner");
	SONDE_FIELD("n", n);
	further();
	count(&n_spans);
}

WL_FUNC void serve(const piece &p)
{
	SONDE_SPAN_CAT("rpc", "serve");
	SONDE_FIELD("n", p.n);
	SONDE_TRACE_FROM(p.context);
	inner(p.n);
	count(&n_spans);
}

WL_FUNC void work(const piece &p)
{
	SONDE_SPAN_CAT("job", "work");
	SONDE_FIELD("n", p.n);
	SONDE_END_CAT("job", "run", FIRST_KEY + p.n);
	count(&n_spans);
}

static void *worker(void *)
{
	for (piece p = take(); !p.is_last; p = take()) {
		if (p.is_call)
			serve(p);
		else
			work(p);
	}
	return nullptr;
}

WL_FUNC void submit(int n)
{
	SONDE_SPAN_CAT("job", "submit");
	SONDE_FIELD("n", n);
	SONDE_BEGIN_CAT("job", "run", FIRST_KEY + n);
	count(&n_async);
	count(&n_spans);
}

WL_FUNC void call(int n)
{
	SONDE_SPAN_CAT("rpc", "call");
	SONDE_FIELD("n", n);
	piece p = {n, true, false, ""};

	SONDE_TRACE_TO(p.context);
	put(p);
	count(&n_spans);
}

WL_FUNC void fork_child()
{
	SONDE_SPAN_CAT("rpc", "parent");
	char context[SONDE_TRACE_SIZE];
	pid_t pid;

	SONDE_TRACE_TO(context);
	pid = fork();
	if (pid == 0) {
		{
			SONDE_SPAN_CAT("rpc", "child");
			SONDE_TRACE_FROM(context);
		}
		exit(0);
	}
	waitpid(pid, nullptr, 0);
	n_spans += 2;
}

WL_FUNC void foreign()
{
	SONDE_SPAN_CAT("rpc", "foreign");
	SONDE_TRACE_FROM("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	count(&n_spans);
}

static void plant()
{
	SONDE_SPAN_CAT("app", "main");
	pthread_t threads[WORKERS];

	fork_child();
	for (pthread_t &t : threads)
		pthread_create(&t, nullptr, worker, nullptr);
	for (int i = 0; i < JOBS; i++) {
		submit(i);
		put({i, false, false, ""});
	}
	for (int i = 0; i < CALLS; i++)
		call(i);
	foreign();
	SONDE_BEGIN_CAT("job", "local", 1);
	SONDE_END_CAT("job", "local", 1);
	n_async++;
	for (int i = 0; i < WORKERS; i++)
		put({0, false, true, ""});
	for (pthread_t t : threads)
		pthread_join(t, nullptr);
	count(&n_spans);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, WORKERS);
	int wrong = 0;

	wl_gate(&o);
	plant();
	wrong += wl_count(&o, "spans", n_spans, 4 + 2 * JOBS + 4 * CALLS);
	wrong += wl_count(&o, "async", n_async, JOBS + 1);
	return wl_done(wrong);
}
