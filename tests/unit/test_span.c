/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans written in source code, the program's side: what leaves it, when, and what does not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sonde/span.h"
#include "span_help.h"

/* As if somebody had attached. */
static void attach(sonde_u64 interest)
{
	SONDE_SHARED(interest) = interest;
}

static void send(void)
{
	sonde_send_batch(SONDE_SHARED(thread));
}

/* What the records since the last time were. */
static void expect(const char *lines)
{
	static size_t seen;

	send();
	cr_expect_str_eq(span_lines() + seen, lines);
	seen = strlen(span_lines());
}

static void set_control(const char *rules, size_t n_bytes, uint64_t threshold_ns)
{
	struct sonde_control *c = &SONDE_SHARED(control);

	memcpy(c->rules, rules, n_bytes);
	c->n_bytes = (uint32_t)n_bytes;
	c->threshold_ns = threshold_ns;
	c->generation++;
}

static void empty(void)
{
	SONDE_SPAN_CAT("t", "empty");
}

static void net(void)
{
	SONDE_SPAN_CAT("net", "send");
	SONDE_FIELD("rows", 1);
	SONDE_ERROR(5);
}

TestSuite(span, .timeout = 60);

Test(span, nothing_happens_when_nobody_is_attached)
{
	int evaluated = 0;

	empty();
	SONDE_FIELD("x", ++evaluated);
	SONDE_COUNTER("x", ++evaluated);
	cr_expect_eq(evaluated, 0);
	cr_expect_null(SONDE_SHARED(thread));
	cr_expect_eq(SONDE_SHARED(object).phase, SONDE_NEW);
}

Test(span, blocks_nest)
{
	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		empty();
		{
			SONDE_SPAN_CAT("io", "inner");
			empty();
		}
	}
	expect("span t/empty 1\nspan t/empty 2\nspan io/inner 1\nspan /outer 0\n");
	cr_expect_eq(span_hits.threads, 1);
	cr_expect_eq(span_hits.last.sequence, 1);
	cr_expect_eq(span_hits.last.pid, getpid());
	cr_expect_eq(span_hits.last.control, (uintptr_t)&SONDE_SHARED(control));
}

Test(span, paths_are_those_of_the_sites)
{
	uint64_t outer = sonde_site_id("", 0, "outer", 5),
		 inner = sonde_site_id("t", 1, "empty", 5);
	uint64_t path = sonde_path(sonde_path(0, outer), inner);

	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		cr_expect_eq(SONDE_SHARED(thread)->block.path, sonde_path(0, outer));
		empty();
		send();
		cr_expect_eq(span_hits.last_span.path, path);
		cr_expect_eq(span_hits.last_span.site, inner);
	}
	cr_expect_eq(SONDE_SHARED(thread)->block.path, 0);
	cr_expect_neq(sonde_path(sonde_path(0, inner), outer), path);
	cr_expect_neq(sonde_site_id("a", 1, "bc", 2), sonde_site_id("ab", 2, "c", 1));
}

Test(span, fields_are_those_of_the_innermost_span)
{
	const char *null = NULL;
	bool yes = true;
	int n = -3;

	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		SONDE_FIELD("n", n);
		{
			SONDE_SPAN("inner");
			SONDE_FIELD("size", sizeof(n));
			SONDE_FIELD("part", 0.25);
			SONDE_FIELD("yes", yes);
			SONDE_FIELD("text", "it's text");
			SONDE_FIELD("null", null);
		}
		SONDE_FIELD("late", (char)1);
		SONDE_ERROR(-ENOENT);
	}
	expect("span /inner 1 size=4u part=0.25 yes=true text='it's text' null=''\n"
	       "span /outer 0 error=-2 n=-3 late=1\n");
}

Test(span, what_is_too_large_is_cut_or_counted)
{
	char text[SONDE_MAX_TEXT + 2] = {0};

	attach(SONDE_INTEREST_BATCH);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + SONDE_MAX_TEXT - 1, "\xc3\xa4", 2);
	{
		SONDE_SPAN("text");
		SONDE_FIELD("t", text);
	}
	text[SONDE_MAX_TEXT - 1] = 0;
	send();
	cr_expect_not_null(strstr(span_lines(), text));
	cr_expect_null(strstr(span_lines(), "\xc3"));
	{
		SONDE_SPAN("many");
		for (int i = 0; i < SONDE_MAX_FIELDS + 3; i++)
			SONDE_FIELD("i", i);
	}
	send();
	cr_expect_not_null(strstr(span_lines(), "i=15\n"));
	cr_expect_eq(span_hits.dropped[SONDE_DROPPED_TOO_LARGE], 3);
}

static void recurse(int n)
{
	SONDE_SPAN("r");
	if (n > 1)
		recurse(n - 1);
	else
		SONDE_FIELD("n", n);
}

Test(span, too_deep_is_counted_and_leaves_the_rest_whole)
{
	attach(SONDE_INTEREST_BATCH);
	recurse(SONDE_MAX_OPEN + 100);
	empty();
	send();
	cr_expect_not_null(strstr(span_lines(), "span /r 63\nspan /r 62\n"));
	cr_expect_not_null(strstr(span_lines(), "span /r 0\nspan t/empty 0\n"));
	cr_expect_null(strstr(span_lines(), "n=1"));
	cr_expect_eq(span_hits.dropped[SONDE_DROPPED_TOO_DEEP], 100);
}

Test(span, events)
{
	attach(SONDE_INTEREST_BATCH);
	SONDE_INSTANT("now");
	{
		SONDE_SPAN("s");
		SONDE_COUNTER_CAT("q", "length", 7);
		SONDE_BEGIN_CAT("io", "request", 5);
		SONDE_END_CAT("io", "request", (void *)5);
	}
	expect("instant /now 0\ncounter q/length 1 =7\nbegin io/request 1 #5\n"
	       "end io/request 1 #5\nspan /s 0\n");
}

Test(span, a_batch_leaves_when_it_is_full_or_old)
{
	attach(SONDE_INTEREST_BATCH);
	setenv("SONDE_FLUSH_MS", "86400", 1);
	for (int i = 0; i < 1000; i++)
		empty();
	cr_expect_eq(span_hits.batches, 2);
	cr_expect_eq(span_hits.last.sequence, 2);
	cr_expect_gt(span_hits.last.bytes, SONDE_BATCH_SIZE - 64);
	SONDE_SHARED(control).flush_ms = 1;
	SONDE_SHARED(control).generation++;
	empty();
	cr_expect_eq(span_hits.batches, 3, "another generation's leave first");
	usleep(2000);
	empty();
	cr_expect_eq(span_hits.batches, 4);
	cr_expect_null(strstr(span_lines(), "bad"));
}

Test(span, the_simple_mode_hits_for_each)
{
	struct timespec now;
	uint64_t ns;

	attach(SONDE_INTEREST_SPAN | SONDE_INTEREST_EVENT | SONDE_INTEREST_BEGIN);
	{
		SONDE_SPAN_CAT("io", "read");
		SONDE_FIELD("rows", 3);
		SONDE_INSTANT("now");
		usleep(3000);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	cr_expect_str_eq(span_lines(), "begins io/read\nsimple /now 1: instant /now 1\n"
				       "simple io/read: span io/read 0 rows=3\n");
	cr_expect_eq(span_hits.batches, 0);
	cr_expect_geq(span_hits.duration_ns, 2900000);
	cr_expect_leq(span_hits.start_ns + span_hits.duration_ns, ns + 1000000);
	cr_expect_geq(span_hits.start_ns + span_hits.duration_ns, ns - 1000000000);
}

Test(span, the_environment_decides_first)
{
	setenv("SONDE_CATEGORIES", "t, -net", 1);
	setenv("SONDE_THRESHOLD_US", "2000.5", 1);
	attach(SONDE_INTEREST_BATCH);
	net();
	empty();
	{
		SONDE_SPAN("other");
		usleep(3000);
	}
	{
		SONDE_SPAN_CAT("t", "slow");
		net();
		usleep(3000);
	}
	expect("span t/slow 0\n");
	cr_expect_eq(SONDE_SHARED(object).threshold_ns, 2000500);
}

Test(span, off_by_the_environment_is_off)
{
	setenv("SONDE_SPANS", "0", 1);
	attach(~(uint64_t)0);
	set_control("", 0, 0);
	empty();
	SONDE_INSTANT("now");
	cr_expect_str_eq(span_lines(), "");
	cr_expect_eq(span_hits.threads, 0);
}

Test(span, the_control_wins_and_may_change)
{
	static const char rules[] = "*/*\0-net\0net/re?v*";

	setenv("SONDE_CATEGORIES", "nothing", 1);
	attach(SONDE_INTEREST_BATCH);
	empty();
	net();
	expect("");
	set_control(rules, sizeof(rules), 0);
	empty();
	net();
	{
		SONDE_SPAN_CAT("net", "recvmsg");
	}
	expect("span t/empty 0\nspan net/recvmsg 0\n");
	cr_expect_eq(span_hits.threads, 2);
	cr_expect_eq(span_hits.last.generation, 1);
	set_control("", 0, 1000000000);
	empty();
	expect("");
	set_control("-t/*", 5, 0);
	empty();
	net();
	expect("span net/send 0 error=5 rows=1\n");
}

Test(span, unwanted_spans_keep_what_is_said_in_them)
{
	setenv("SONDE_CATEGORIES", "-net", 1);
	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		net();
		{
			SONDE_SPAN_CAT("net", "x");
			empty();
		}
	}
	expect("span t/empty 2\nspan /outer 0\n");
}

Test(span, trace_contexts)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"};
	char out[SONDE_TRACE_SIZE] = "x", inner[SONDE_TRACE_SIZE];

	cr_expect_not(SONDE_TRACE_TO(out));
	cr_expect_str_empty(out);
	attach(SONDE_INTEREST_BATCH);
	cr_expect_not(SONDE_TRACE_TO(out), "no span is open");
	{
		SONDE_SPAN("request");
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			cr_expect_not(SONDE_TRACE_FROM(bad[i]), "%s", bad[i]);
		cr_expect(SONDE_TRACE_FROM(
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
		cr_expect(SONDE_TRACE_TO(out));
		cr_expect_eq(strncmp(out, "00-0af7651916cd43dd8448eb211c80319c-", 36), 0);
		cr_expect_neq(strncmp(out + 36, "b7ad6b7169203331", 16), 0);
		SONDE_SPAN("call");
		cr_expect(SONDE_TRACE_TO(inner));
		cr_expect_eq(strncmp(inner, out, 36), 0);
		cr_expect_str_neq(inner, out);
	}
	expect("span /call 1 trace\nspan /request 0 trace\n");
	cr_expect_eq(span_hits.last_trace.parent_span_id, 0xb7ad6b7169203331);
	cr_expect_eq(span_hits.last_trace.trace_id[0], 0x0a);
	cr_expect_eq(span_hits.last_trace.trace_id[15], 0x9c);
}

Test(span, longjmp_past_spans)
{
	static jmp_buf back;

	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		if (setjmp(back) == 0) {
			SONDE_SPAN("left");
			longjmp(back, 1);
		}
		SONDE_INSTANT("after");
	}
	empty();
	expect("instant /after 2\nspan /outer 0\nspan t/empty 0\n");
	cr_expect_eq(span_hits.dropped[SONDE_DROPPED_LEFT], 1);
}

static void handle(int signal)
{
	(void)signal;
	empty();
}

Test(span, signal_handlers)
{
	struct sonde_thread *t;

	attach(SONDE_INTEREST_BATCH);
	signal(SIGUSR1, handle);
	{
		SONDE_SPAN("outer");
		raise(SIGUSR1);
	}
	t = SONDE_SHARED(thread);
	sonde_set_busy(t);
	raise(SIGUSR1);
	SONDE_INSTANT("lost, too");
	sonde_clear_busy(t);
	expect("span t/empty 1\nspan /outer 0\n");
	cr_expect_eq(span_hits.dropped[SONDE_DROPPED_BUSY], 2);
}

static void *run_thread(void *data)
{
	(void)data;
	SONDE_SPAN("thread");
	errno = 77;
	empty();
	cr_expect_eq(errno, 77);
	return NULL;
}

Test(span, threads_end)
{
	struct sonde_thread *first;
	pthread_t thread;

	attach(SONDE_INTEREST_BATCH);
	pthread_create(&thread, NULL, run_thread, NULL);
	pthread_join(thread, NULL);
	cr_expect_str_eq(span_lines(), "span t/empty 1\nspan /thread 0\n");
	first = SONDE_SHARED(object).threads;
	pthread_create(&thread, NULL, run_thread, NULL);
	pthread_join(thread, NULL);
	cr_expect_eq(SONDE_SHARED(object).threads, first, "its memory is used again");
	cr_expect_eq(first->block.next, 0);
	cr_expect_eq(span_hits.batches, 2);
}

static void *leave_open(void *data)
{
	SONDE_SPAN("left open");
	SONDE_FIELD("x", 1);
	pthread_exit(data);
}

Test(span, what_is_open_when_a_thread_ends)
{
	pthread_t thread;

	attach(SONDE_INTEREST_BATCH);
	pthread_create(&thread, NULL, leave_open, NULL);
	pthread_join(thread, NULL);
	/* With unwind tables of C++ and -fexceptions it would have ended. */
	cr_expect_eq(strncmp(span_lines(), "span /left open 0 x=1", 21), 0, "%s", span_lines());
}

Test(span, children_begin_anew)
{
	int status = -1;
	pid_t pid;

	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		empty();
		pid = fork();
		if (pid == 0) {
			empty();
			send();
			_exit(!(strcmp(span_lines(), "span t/empty 0\n") == 0 &&
				span_hits.last.pid == (uint32_t)getpid() &&
				span_hits.last.sequence == 1 && span_hits.threads == 2 &&
				SONDE_SHARED(object).threads == SONDE_SHARED(thread) &&
				SONDE_SHARED(thread)->block.next == 0));
		}
		waitpid(pid, &status, 0);
		cr_expect_eq(status, 0);
	}
	expect("span t/empty 1\nspan /outer 0\n");
}

Test(span, a_child_ends_what_its_parent_began)
{
	int status = -1;
	pid_t pid;

	attach(SONDE_INTEREST_BATCH);
	{
		SONDE_SPAN("outer");
		pid = fork();
		if (pid == 0)
			empty();
	}
	if (pid == 0) {
		send();
		_exit(strcmp(span_lines(), "span t/empty 0\n") != 0);
	}
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0);
	expect("span /outer 0\n");
}

static void *wait_open(void *data)
{
	SONDE_SPAN("open elsewhere");
	empty();
	sem_post(data);
	for (;;)
		pause();
	return NULL;
}

Test(span, at_the_end_everybodys_records_leave)
{
	pthread_t thread;
	sem_t ready;

	attach(SONDE_INTEREST_BATCH);
	sem_init(&ready, 0, 0);
	pthread_create(&thread, NULL, wait_open, &ready);
	sem_wait(&ready);
	SONDE_SPAN("main");
	empty();
	sonde_finish();
	cr_expect_str_eq(span_lines(), "span t/empty 1\nspan /main 0 unfinished\nspan t/empty 1\n");
	cr_expect(span_hits.last.flags & SONDE_BATCH_EXIT);
	empty();
	sonde_finish();
	cr_expect_eq(span_hits.batches, 2);
}

Test(span, clocks_that_stand_still_are_noticed)
{
	struct sonde_thread *t;
	double rate;

	attach(SONDE_INTEREST_BATCH);
	usleep(2000);
	empty();
	send();
	t = SONDE_SHARED(thread);
	rate = t->ns_per_tick;
	cr_expect_eq(t->first.ticks, span_hits.last.first.ticks);
	/* An hour of sleep, in which only the counter went on. */
	t->first.ticks -= sonde_to_ticks(t, 3600000000000);
	t->first.ns -= 1000000000;
	empty();
	send();
	cr_expect_eq(t->ns_per_tick, rate);
	cr_expect_eq(t->first.ticks, span_hits.last.end.ticks, "begins anew");
	empty();
	send();
	cr_expect_eq(t->first.ticks, span_hits.last.first.ticks);
	cr_expect_null(strstr(span_lines(), "bad"));
}
