// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spans written in source code (sonde/span.h) with known answers. In this order:
 *
 *   app/main          1, around all that follows in the main thread
 *   io/request        100, in app/main; fields rows = i, ratio = i / 4.0, even (bool),
 *                     item = "item-I" (i = 0 … 99); every tenth (i = 0, 10, … 90) is an error
 *                     with code -i
 *   db/query          200, two in each io/request
 *   net/send          100, one in each io/request, after the queries
 *   /risky            20, in app/main; 5 of them are left by an exception
 *   io/slow           5, in app/main; each sleeps 10 ms
 *   trace/serve       1, in app/main: continues trace 0af7651916cd43dd8448eb211c80319c of span
 *                     b7ad6b7169203331; trace/call, 1 in it, is a span of the same trace
 *   app/tick          10 instants, in app/main
 *   queue/length      50 samples of a counter: 0 … 49
 *   job/run           30 asynchronous spans, keys 1000 … 1029; begun in the main thread, ended in
 *                     a thread that has a span job/collect (1) meanwhile
 *   compute/worker    4 (--threads), each in a thread of its own, outermost; in it
 *   compute/step      50 in each, with the field step = 0 … 49
 *
 * Then "done". In all 100 + 200 + 100 + 20 + 5 + 2 + 1 + 4 + 200 + 1 = 633 spans, 30 asynchronous
 * ones, 10 instants, 50 counts.
 *
 *   --only crash      instead: app/main, in it db/done 7 times, then io/dying with db/inner in it,
 *                     which dies of SIGSEGV
 *   --only live       instead, for --seconds: io/live and net/live about once a millisecond,
 *                     and every tenth of io/live takes at least 3 ms
 *   --only churn      instead, in --threads threads: 200 threads each, one after the other, with
 *                     churn/worker, and churn/step 5 times in it, outermost
 */
#include <pthread.h>
#include <signal.h>

#include "sonde/span.h"
#include "wl.h"

enum { JOBS = 30, FIRST_KEY = 1000, STEPS = 50, MAX_THREADS = 64 };

/* What was planted, counted by itself; atomic, as threads count, too. */
static uint64_t n_spans, n_async, n_instants, n_counts, n_exceptions, n_errors;

static void count(uint64_t *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

WL_FUNC void query(int i)
{
	SONDE_SPAN_CAT("db", "query");
	SONDE_FIELD("number", i);
	count(&n_spans);
}

WL_FUNC void send_answer()
{
	SONDE_SPAN_CAT("net", "send");
	count(&n_spans);
}

WL_FUNC void request(int i)
{
	SONDE_SPAN_CAT("io", "request");
	char item[16];

	snprintf(item, sizeof(item), "item-%d", i);
	SONDE_FIELD("rows", i);
	SONDE_FIELD("ratio", i / 4.0);
	SONDE_FIELD("even", i % 2 == 0);
	SONDE_FIELD("item", item);
	query(0);
	query(1);
	send_answer();
	if (i % 10 == 0) {
		SONDE_ERROR(-i);
		count(&n_errors);
	}
	count(&n_spans);
}

WL_FUNC void risky(int i)
{
	SONDE_SPAN("risky");

	count(&n_spans);
	if (i % 4 == 0)
		throw i;
}

WL_FUNC void slow()
{
	SONDE_SPAN_CAT("io", "slow");
	usleep(10000);
	count(&n_spans);
}

WL_FUNC void traced()
{
	SONDE_SPAN_CAT("trace", "serve");
	char out[SONDE_TRACE_SIZE];

	SONDE_TRACE_FROM("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	{
		SONDE_SPAN_CAT("trace", "call");
		SONDE_TRACE_TO(out);
	}
	n_spans += 2;
}

WL_FUNC void *collect(void *)
{
	SONDE_SPAN_CAT("job", "collect");
	for (int i = 0; i < JOBS; i++)
		SONDE_END_CAT("job", "run", FIRST_KEY + i);
	count(&n_spans);
	return nullptr;
}

WL_FUNC void jobs()
{
	pthread_t thread;

	for (int i = 0; i < JOBS; i++) {
		SONDE_BEGIN_CAT("job", "run", FIRST_KEY + i);
		n_async++;
	}
	pthread_create(&thread, nullptr, collect, nullptr);
	pthread_join(thread, nullptr);
}

WL_FUNC void *work(void *)
{
	SONDE_SPAN_CAT("compute", "worker");
	for (int i = 0; i < STEPS; i++) {
		SONDE_SPAN_CAT("compute", "step");
		SONDE_FIELD("step", i);
		count(&n_spans);
	}
	count(&n_spans);
	return nullptr;
}

static void run_threads(long n, void *(*run)(void *))
{
	pthread_t thread[MAX_THREADS];

	for (long i = 0; i < n; i++)
		pthread_create(&thread[i], nullptr, run, nullptr);
	for (long i = 0; i < n; i++)
		pthread_join(thread[i], nullptr);
}

static void plant(long n_threads)
{
	SONDE_SPAN_CAT("app", "main");

	count(&n_spans);
	for (int i = 0; i < 100; i++)
		request(i);
	for (int i = 0; i < 20; i++) {
		try {
			risky(i);
		} catch (int) {
			n_exceptions++;
		}
	}
	for (int i = 0; i < 5; i++)
		slow();
	traced();
	for (int i = 0; i < 10; i++) {
		SONDE_INSTANT_CAT("app", "tick");
		n_instants++;
	}
	for (int i = 0; i < 50; i++) {
		SONDE_COUNTER_CAT("queue", "length", i);
		n_counts++;
	}
	jobs();
	run_threads(n_threads, work);
}

WL_FUNC void inner()
{
	SONDE_SPAN_CAT("db", "inner");
	raise(SIGSEGV);
}

WL_FUNC void done()
{
	SONDE_SPAN_CAT("db", "done");
}

WL_FUNC void crash()
{
	SONDE_SPAN_CAT("app", "main");
	for (int i = 0; i < 7; i++)
		done();
	SONDE_SPAN_CAT("io", "dying");
	inner();
}

static void live(long seconds)
{
	uint64_t end = wl_clock(CLOCK_MONOTONIC) + (uint64_t)seconds * 1000000000u;

	for (long i = 0; wl_clock(CLOCK_MONOTONIC) < end; i++) {
		{
			SONDE_SPAN_CAT("io", "live");
			usleep(i % 10 == 0 ? 3000 : 0);
		}
		SONDE_SPAN_CAT("net", "live");
		usleep(1000);
	}
}

static void *short_lived(void *)
{
	SONDE_SPAN_CAT("churn", "worker");
	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("churn", "step");
		usleep(20);
	}
	return nullptr;
}

static void *churn(void *)
{
	pthread_t thread;

	for (int i = 0; i < 200; i++) {
		pthread_create(&thread, nullptr, short_lived, nullptr);
		pthread_join(thread, nullptr);
	}
	return nullptr;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 5, 4);
	uint64_t n_threads = o.threads < MAX_THREADS ? (uint64_t)o.threads : (uint64_t)MAX_THREADS;
	int wrong = 0;

	wl_gate(&o);
	if (o.only && strcmp(o.only, "crash") == 0) {
		crash();
	} else if (o.only && strcmp(o.only, "live") == 0) {
		live(o.seconds);
	} else if (o.only && strcmp(o.only, "churn") == 0) {
		run_threads(static_cast<long>(n_threads), churn);
	} else {
		plant(static_cast<long>(n_threads));
		wrong += wl_count(&o, "spans", n_spans, 429 + (STEPS + 1) * n_threads);
		wrong += wl_count(&o, "async", n_async, JOBS);
		wrong += wl_count(&o, "instants", n_instants, 10);
		wrong += wl_count(&o, "counts", n_counts, 50);
		wrong += wl_count(&o, "exceptions", n_exceptions, 5);
		wrong += wl_count(&o, "errors", n_errors, 10);
	}
	return wl_done(wrong);
}
