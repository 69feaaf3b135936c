/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread has spans of all kinds, while another one does what happens at the end of a library,
 * again and again: it must not take the memory of who is just recording. Dies when it does.
 * Prints what is wrong; exit status 1 then.
 */
#include <sonde/span.h>

#include <stdio.h>
#include <unistd.h>

enum { SECONDS_NS = 500000000, PAUSE_US = 50, LEAST = 50 };

static void rich(int i)
{
	SONDE_SPAN_CAT("end", "rich");
	SONDE_FIELD("text", "a text that is as long as texts are");
	SONDE_FIELD("number", i);
	SONDE_FIELD("none", "");
	SONDE_ERROR(i);
}

static void *spin(void *data)
{
	for (int i = 0;; i++) {
		SONDE_SHARED(interest) = i & 64 ? SONDE_INTEREST_BATCH : SONDE_INTEREST_SPAN;
		rich(i);
		{
			SONDE_SPAN_CAT("end", "plain");
		}
		for (volatile int k = 0; k < 30; k++)
			;
		/* What ended has not ended: see main(). */
		if (SONDE_SHARED(thread) == SONDE_NO_THREAD &&
		    __atomic_load_n(&SONDE_SHARED(object).phase, __ATOMIC_ACQUIRE) == SONDE_READY)
			SONDE_SHARED(thread) = NULL;
	}
	return data;
}

int main(void)
{
	struct sonde_object *o = &SONDE_SHARED(object);
	sonde_u64 end = sonde_clock_ns() + SECONDS_NS;
	const struct sonde_thread *t;
	int wiped = 0, met = 1;
	pthread_t thread;

	pthread_create(&thread, NULL, spin, NULL);
	while (!__atomic_load_n(&o->threads, __ATOMIC_ACQUIRE))
		usleep(PAUSE_US);
	t = (const struct sonde_thread *)o->threads;
	while (sonde_clock_ns() < end && met) {
		__atomic_store_n(&o->phase, SONDE_OFF, __ATOMIC_SEQ_CST);
		sonde_wipe_others(NULL);
		wiped += __atomic_load_n(&t->block.magic, __ATOMIC_RELAXED) == 0;
		__atomic_store_n(&o->phase, SONDE_READY, __ATOMIC_SEQ_CST);
		met = sonde_meet_threads();
		usleep(PAUSE_US);
	}
	if (wiped < LEAST || !met)
		printf("wiped %d times, membarrier() %s\n", wiped, met ? "works" : "fails");
	fflush(stdout);
	_exit(wiped < LEAST || !met);
}
