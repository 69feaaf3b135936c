/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signal handlers on alternate stacks, below and above the stack they interrupt. Three threads
 * with a stack in the middle of a mapping: one has its alternate stack below, one above, one on
 * either side in turn. The main thread has one below its stack, too. Each of the four runs:
 *
 *   sig_outer → sig_inner        25 times; sig_inner raises SIGUSR1
 *   on_usr1 → sig_leaf           the handler: 25 times; it calls sig_leaf, raises SIGUSR2, which
 *                                on_usr2 takes on the same stack, and calls sig_leaf again
 *   on_usr2 → sig_leaf           25 times
 *   escape_outer → escape        10 times; escape raises SIGALRM, whose handler on_alrm (10
 *                                times) leaves all three by siglongjmp
 *
 * All counts are four times those; sig_leaf has 75 for each thread.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "hx.h"

enum { PART = 256 * 1024, ROUNDS = 25, ESCAPES = 10 };

enum side { BELOW, ABOVE, BOTH };

struct stacks {
	char *low, *high;
	enum side side;
};

static uint64_t n_sig_outer, n_sig_inner, n_sig_leaf, n_on_usr1, n_on_usr2;
static uint64_t n_escape_outer, n_escape, n_on_alrm;
static __thread sigjmp_buf out;

HX_FUNC int sig_leaf(int i)
{
	HX_COUNT(n_sig_leaf);
	return i + 1;
}

HX_FUNC void on_usr2(int sig)
{
	HX_COUNT(n_on_usr2);
	hx_add((uint64_t)sig_leaf(sig));
}

HX_FUNC void on_usr1(int sig)
{
	HX_COUNT(n_on_usr1);
	hx_add((uint64_t)sig_leaf(sig));
	raise(SIGUSR2);
	hx_add((uint64_t)sig_leaf(sig + 1));
}

HX_FUNC int sig_inner(int i)
{
	HX_COUNT(n_sig_inner);
	raise(SIGUSR1);
	return i + 1;
}

HX_FUNC int sig_outer(int i)
{
	HX_COUNT(n_sig_outer);
	return sig_inner(i) * 2;
}

HX_FUNC void on_alrm(int sig)
{
	HX_COUNT(n_on_alrm);
	siglongjmp(out, sig);
}

HX_FUNC int escape(int i)
{
	HX_COUNT(n_escape);
	raise(SIGALRM);
	return i + 1;
}

HX_FUNC int escape_outer(int i)
{
	HX_COUNT(n_escape_outer);
	return escape(i) * 2;
}

static void use_stack(char *stack)
{
	stack_t s = {.ss_sp = stack, .ss_size = PART};

	if (sigaltstack(&s, NULL) != 0)
		abort();
}

static void *rounds(void *arg)
{
	const struct stacks *s = arg;

	use_stack(s->side == ABOVE ? s->high : s->low);
	for (int i = 0; i < ROUNDS; i++) {
		if (s->side == BOTH)
			use_stack(i % 2 ? s->high : s->low);
		hx_add((uint64_t)sig_outer(i));
	}
	for (volatile int i = 0; i < ESCAPES; i++) {
		int r = sigsetjmp(out, 1);

		hx_add(r == 0 ? (uint64_t)escape_outer(i) : (uint64_t)(r + 100 * i));
	}
	return NULL;
}

/* low | guard | the thread's stack | guard | high */
static void *map_stacks(struct stacks *s)
{
	char *all = mmap(NULL, 5 * PART, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (all == MAP_FAILED)
		abort();
	s->low = all;
	s->high = all + 4 * PART;
	return all + 2 * PART;
}

static void in_thread(enum side side)
{
	struct stacks s = {.side = side};
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, map_stacks(&s), PART);
	if (pthread_create(&thread, &attr, rounds, &s) != 0)
		abort();
	pthread_join(thread, NULL);
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	sigaction(sig, &action, NULL);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	struct stacks own = {.side = BELOW};

	handle(SIGUSR1, on_usr1);
	handle(SIGUSR2, on_usr2);
	handle(SIGALRM, on_alrm);
	map_stacks(&own);
	wl_gate(&o);
	rounds(&own);
	in_thread(BELOW);
	in_thread(ABOVE);
	in_thread(BOTH);
	hx_calls("sig_outer", n_sig_outer, 100);
	hx_unwound("sig_outer", 0, 0);
	hx_calls("sig_inner", n_sig_inner, 100);
	hx_unwound("sig_inner", 0, 0);
	hx_calls("on_usr1", n_on_usr1, 100);
	hx_unwound("on_usr1", 0, 0);
	hx_calls("on_usr2", n_on_usr2, 100);
	hx_unwound("on_usr2", 0, 0);
	hx_calls("sig_leaf", n_sig_leaf, 300);
	hx_unwound("sig_leaf", 0, 0);
	hx_calls("escape_outer", n_escape_outer, 40);
	hx_unwound("escape_outer", n_escape_outer, 40);
	hx_calls("escape", n_escape, 40);
	hx_unwound("escape", n_escape, 40);
	hx_calls("on_alrm", n_on_alrm, 40);
	hx_unwound("on_alrm", n_on_alrm, 40);
	return hx_done();
}
