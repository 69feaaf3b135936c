/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forced unwinding through C frames that have cleanups, as a Rust panic and pthread_cancel do.
 * Compiled with -fexceptions.
 *
 *   force_outer → force_middle → force_inner   60 times; for odd numbers (30 times) force_inner
 *                                              calls _Unwind_ForcedUnwind, which stops at main
 *   cancel_outer → cancel_middle →             in 12 threads, once each; cancel_inner sleeps and
 *     cancel_inner                             main cancels the thread
 *   exit_outer → exit_middle → exit_inner      in 12 threads, once each; exit_inner calls
 *                                              pthread_exit
 *   released()                                 by the cleanup of each middle: 60 + 12 + 12 times
 *   pushed()                                   by pthread_cleanup_push in cancel_middle: 12 times
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <unwind.h>

#include "hx.h"

enum { FORCED = 60, THREADS = 12 };

static uint64_t n_force_outer, n_force_middle, n_force_inner, n_force_returned;
static uint64_t n_cancel_outer, n_cancel_middle, n_cancel_inner;
static uint64_t n_exit_outer, n_exit_middle, n_exit_inner, n_released, n_pushed;
static jmp_buf landing;
static uintptr_t landing_frame;
static struct _Unwind_Exception exception;
static sem_t asleep;

HX_FUNC void released(int *number)
{
	HX_COUNT(n_released);
	hx_add((uint64_t)*number);
}

HX_FUNC void pushed(void *number)
{
	HX_COUNT(n_pushed);
	hx_add((uint64_t)(uintptr_t)number + 1000);
}

/* Ends the unwind where the frame of main's caller would be next. */
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
				_Unwind_Exception_Class exception_class,
				struct _Unwind_Exception *e, struct _Unwind_Context *context,
				void *arg)
{
	(void)version;
	(void)exception_class;
	(void)e;
	(void)arg;
	if ((actions & _UA_END_OF_STACK) || _Unwind_GetCFA(context) > landing_frame)
		longjmp(landing, 1);
	return _URC_NO_REASON;
}

HX_FUNC int force_inner(int i)
{
	HX_COUNT(n_force_inner);
	if (i % 2) {
		memset(&exception, 0, sizeof(exception));
		_Unwind_ForcedUnwind(&exception, stop, NULL);
		abort();
	}
	return i;
}

HX_FUNC int force_middle(int i)
{
	int number __attribute__((cleanup(released))) = i;

	HX_COUNT(n_force_middle);
	return force_inner(number) + 1;
}

HX_FUNC int force_outer(int i)
{
	int r;

	HX_COUNT(n_force_outer);
	r = force_middle(i) + 1;
	n_force_returned++;
	return r;
}

WL_FUNC void force(void)
{
	landing_frame = (uintptr_t)__builtin_frame_address(0);
	for (volatile int i = 0; i < FORCED; i++) {
		if (setjmp(landing) == 0)
			hx_add((uint64_t)force_outer(i));
		else
			hx_add((uint64_t)i + 5000);
	}
}

HX_FUNC int cancel_inner(int i)
{
	HX_COUNT(n_cancel_inner);
	sem_post(&asleep);
	for (;;)
		sleep(100);
	return i;
}

HX_FUNC int cancel_middle(int i)
{
	int number __attribute__((cleanup(released))) = i, r;

	HX_COUNT(n_cancel_middle);
	pthread_cleanup_push(pushed, (void *)(uintptr_t)i);
	r = cancel_inner(number) + 1;
	pthread_cleanup_pop(0);
	return r;
}

HX_FUNC int cancel_outer(int i)
{
	HX_COUNT(n_cancel_outer);
	return cancel_middle(i) + 1;
}

HX_FUNC int exit_inner(int i)
{
	HX_COUNT(n_exit_inner);
	if (i >= 0)
		pthread_exit((void *)(uintptr_t)(i + 100));
	return i;
}

HX_FUNC int exit_middle(int i)
{
	int number __attribute__((cleanup(released))) = i;

	HX_COUNT(n_exit_middle);
	return exit_inner(number) + 1;
}

HX_FUNC int exit_outer(int i)
{
	HX_COUNT(n_exit_outer);
	return exit_middle(i) + 1;
}

static void *to_be_cancelled(void *arg)
{
	return (void *)(uintptr_t)cancel_outer((int)(uintptr_t)arg);
}

static void *exits(void *arg)
{
	return (void *)(uintptr_t)exit_outer((int)(uintptr_t)arg);
}

static void in_threads(void)
{
	pthread_t sleeping[THREADS], exiting[THREADS];
	void *result;

	sem_init(&asleep, 0, 0);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&sleeping[i], NULL, to_be_cancelled, (void *)(uintptr_t)i) ||
		    pthread_create(&exiting[i], NULL, exits, (void *)(uintptr_t)i))
			abort();
	for (int i = 0; i < THREADS; i++)
		while (sem_wait(&asleep) != 0)
			;
	for (int i = 0; i < THREADS; i++) {
		pthread_cancel(sleeping[i]);
		pthread_join(sleeping[i], &result);
		hx_add(result == PTHREAD_CANCELED);
		pthread_join(exiting[i], &result);
		hx_add((uint64_t)(uintptr_t)result);
	}
}

static void say(void)
{
	uint64_t thrown = n_force_outer - n_force_returned;

	hx_calls("force_outer", n_force_outer, 60);
	hx_unwound("force_outer", thrown, 30);
	hx_calls("force_middle", n_force_middle, 60);
	hx_unwound("force_middle", thrown, 30);
	hx_calls("force_inner", n_force_inner, 60);
	hx_unwound("force_inner", thrown, 30);
	hx_calls("cancel_outer", n_cancel_outer, 12);
	hx_unwound("cancel_outer", n_cancel_outer, 12);
	hx_calls("cancel_middle", n_cancel_middle, 12);
	hx_unwound("cancel_middle", n_cancel_middle, 12);
	hx_calls("cancel_inner", n_cancel_inner, 12);
	hx_unwound("cancel_inner", n_cancel_inner, 12);
	hx_calls("exit_outer", n_exit_outer, 12);
	hx_unwound("exit_outer", n_exit_outer, 12);
	hx_calls("exit_middle", n_exit_middle, 12);
	hx_unwound("exit_middle", n_exit_middle, 12);
	hx_calls("exit_inner", n_exit_inner, 12);
	hx_unwound("exit_inner", n_exit_inner, 12);
	hx_calls("released", n_released, 84);
	hx_unwound("released", 0, 0);
	hx_calls("pushed", n_pushed, 12);
	hx_unwound("pushed", 0, 0);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	wl_gate(&o);
	force();
	in_threads();
	say();
	return hx_done();
}
