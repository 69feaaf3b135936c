/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks that do not begin at main: of threads, and of coroutines made by makecontext. */
#include <pthread.h>
#include <ucontext.h>

#include "st_main.h"

WL_FUNC void thread_leaf(void)
{
	for (int i = 0; i < 200; i++)
		ST_SPIN();
}

WL_FUNC void thread_mid(void)
{
	ST_LIVE(thread_leaf());
}

WL_FUNC static void *thread_main(void *arg)
{
	ST_LIVE(thread_mid());
	return arg;
}

WL_FUNC void thread_run(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, NULL))
		_exit(3);
	pthread_join(thread, NULL);
}

static ucontext_t outside, coroutine;

WL_FUNC void coro_leaf(void)
{
	ST_SPIN();
}

/* Leaves the coroutine amid its chain and comes back to it. */
WL_FUNC void coro_mid(void)
{
	coro_leaf();
	ST_LIVE(swapcontext(&coroutine, &outside));
	coro_leaf();
}

WL_FUNC static void coro_main(void)
{
	ST_LIVE(coro_mid());
}

WL_FUNC void coro_run(void)
{
	static char stack[65536];

	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = sizeof(stack);
	coroutine.uc_link = &outside;
	makecontext(&coroutine, coro_main, 0);
	swapcontext(&outside, &coroutine);
	swapcontext(&outside, &coroutine);
}

static const struct st_case cases[] = {
	{"stack thread: thread_leaf;thread_mid;thread_main;*", thread_run},
	{"stack coroutine: coro_leaf;coro_mid;coro_main;*", coro_run},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
