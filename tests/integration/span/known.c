/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans with known numbers, for every compiler, language and option (test_span_header.py builds
 * it; C11 and C++17): threads, signal handlers, cancelled threads, vfork(), exceptions. It is its
 * own catcher (tests/unit/test_span_catch.c). Prints what is wrong; exit status 1 then.
 */
#include <sonde/span.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "span_help.h"

#ifdef __cplusplus
extern "C"
#endif
	unsigned long
	other_revision(void); /* other.c: spans that its copy has */

#if defined(__SANITIZE_THREAD__)
#define VFORK_IS_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VFORK_IS_FORK 1
#endif
#endif
#ifndef VFORK_IS_FORK
#define VFORK_IS_FORK 0
#endif

enum { THREADS = 32, ROUNDS = 100 };

static unsigned long handled, wrong;

static void expect(const char *what, unsigned long found, unsigned long wanted)
{
	if (found == wanted)
		return;
	printf("%s: %lu, not %lu\n", what, found, wanted);
	wrong++;
}

/* How many lines have it. */
static unsigned long lines_with(const char *text)
{
	unsigned long n = 0;
	const char *at = span_lines();

	while ((at = strstr(at, text))) {
		n++;
		at++;
	}
	return n;
}

static void handle(int number)
{
	SONDE_SPAN("handler");
	(void)number;
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static inline int inner(int i)
{
	SONDE_SPAN_CAT("t", "inner");
	SONDE_FIELD("i", i);
	SONDE_FIELD("half", 0.5f);
	SONDE_FIELD("unsigned", 7UL);
	SONDE_FIELD("text", "a");
	return i;
}

static void *thread(void *data)
{
	int i, sum = 0;

	errno = 4242;
	for (i = 0; i < ROUNDS; i++) {
		SONDE_SPAN_CAT("t", "outer");
		sum += inner(i);
		SONDE_ERROR(-i - 1);
	}
	expect("errno", (unsigned long)errno, 4242);
	expect("sum", (unsigned long)sum, ROUNDS * (ROUNDS - 1) / 2);
	return data;
}

static void *cancelled(void *data)
{
	SONDE_SPAN("cancelled");
	for (;;)
		pause();
	return data;
}

static void run_threads(void)
{
	struct itimerval often, never;
	pthread_t threads[THREADS];
	sigset_t alarms;
	int i;

	memset(&often, 0, sizeof(often));
	memset(&never, 0, sizeof(never));
	often.it_interval.tv_usec = often.it_value.tv_usec = 50;
	signal(SIGALRM, handle);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	/* For the others, as the first thread only waits. */
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	pthread_create(&threads[0], NULL, cancelled, NULL);
	pthread_cancel(threads[0]);
	pthread_join(threads[0], NULL);
}

static void run_children(void)
{
	int status = -1;
	pid_t pid;

	SONDE_SPAN("around");
	pid = fork();
	if (pid == 0) {
		inner(1);
		_exit(SONDE_SHARED(thread)->block.depth != 0 ||
		      SONDE_SHARED(thread)->block.pid != (sonde_u32)getpid());
	}
	waitpid(pid, &status, 0);
	expect("status of the child", (unsigned long)status, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	pid = vfork();
#pragma GCC diagnostic pop
	if (pid == 0) {
		SONDE_SPAN("never ended");
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void run_exceptions(void)
{
#if defined(__cpp_exceptions)
	for (int i = 0; i < 4; i++) {
		try {
			SONDE_SPAN("throws");
			if (i % 2)
				throw i;
		} catch (int) {
			SONDE_SPAN("catches");
		}
	}
	expect("exceptions", lines_with("exception"), 0);
#endif
}

static void expect_lines(void)
{
	unsigned long in_handlers =
		lines_with("span /handler ") + span_hits.dropped[SONDE_DROPPED_BUSY];

	expect("bad lines", lines_with("bad"), 0);
	expect("outer", lines_with("span t/outer 0 error=-"), THREADS * ROUNDS);
	expect("inner", lines_with(" half=0.5 unsigned=7u text='a'\n"), THREADS * ROUNDS);
	expect("inner's field", lines_with("span t/inner 1 i=99 "), THREADS);
	expect("handled", in_handlers, handled);
	expect("around", lines_with("span /around 0\n"), 1);
	expect("never ended", !VFORK_IS_FORK && span_hits.dropped[SONDE_DROPPED_LEFT],
	       !VFORK_IS_FORK);
	expect("cancelled", lines_with("span /cancelled 0"), lines_with("cancelled"));
#if defined(__cpp_exceptions)
	expect("thrown", lines_with("span /throws 0 error exception\n"), 2);
	expect("not thrown", lines_with("span /throws 0\n"), 2);
	expect("caught", lines_with("span /catches 0\n"), 2);
#endif
}

int main(void)
{
	SONDE_SHARED(interest) = SONDE_INTEREST_BATCH;
	run_threads();
	run_children();
	run_exceptions();
	sonde_finish();
	expect_lines();
	expect("spans of the other revision", other_revision(), 2);
	if (wrong)
		printf("%lu handled, %u of them busy\n", handled, span_hits.dropped[0]);
	return wrong != 0;
}
