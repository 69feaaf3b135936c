/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * swapcontext coroutines, used as generators: functions that are left in their middle and entered
 * again later, on stacks that take turns.
 *
 *   next(g)        8 generators in turn, 31 times each, and once more to end them: 256 calls
 *   body → walk    body once a generator; walk visits a tree of 31 nodes in order, recursively:
 *                  63 calls a generator (31 nodes and 32 empty ones), 504 in all
 *   yield(v)       31 a generator: 248; it leaves and is entered again while `next` returns
 *   grind(v)       by next, after each value: 248, an ordinary call between two turns
 *   move_step      one more coroutine that two threads take turns to run, 40 calls
 *   drop_inner     5 coroutines that are left in their middle for ever: 5 calls, and 5 of
 *                  drop_outer; they never end, so they are no spans
 */
#include <pthread.h>
#include <ucontext.h>

#include "hx.h"

enum { GENERATORS = 8, NODES = 31, STACK = 128 * 1024, MOVES = 40, DROPPED = 5 };

struct coroutine {
	ucontext_t here, there;
	char *stack;
	uint64_t value;
	int over, number;
};

static uint64_t n_next, n_body, n_walk, n_yield, n_grind, n_move_step, n_move_body;
static uint64_t n_drop_outer, n_drop_inner;
static struct coroutine generators[GENERATORS], moving, dropped[DROPPED];
static pthread_barrier_t turn;

HX_FUNC void yield(struct coroutine *c, uint64_t value)
{
	HX_COUNT(n_yield);
	c->value = value;
	swapcontext(&c->there, &c->here);
}

HX_FUNC uint64_t walk(struct coroutine *c, unsigned int node)
{
	uint64_t sum;

	HX_COUNT(n_walk);
	if (node > NODES)
		return 0;
	sum = walk(c, 2 * node);
	yield(c, node + 100 * (uint64_t)c->number);
	return sum + node + walk(c, 2 * node + 1);
}

HX_FUNC void body(unsigned int number)
{
	struct coroutine *c = &generators[number];

	HX_COUNT(n_body);
	c->value = walk(c, 1);
	c->over = 1;
	swapcontext(&c->there, &c->here);
}

HX_FUNC uint64_t next(struct coroutine *c)
{
	HX_COUNT(n_next);
	swapcontext(&c->here, &c->there);
	return c->value;
}

HX_FUNC uint64_t grind(uint64_t value)
{
	HX_COUNT(n_grind);
	return value * 3 + 1;
}

HX_FUNC uint64_t move_step(struct coroutine *c, uint64_t i)
{
	HX_COUNT(n_move_step);
	c->value = i;
	swapcontext(&c->there, &c->here);
	return i + 1;
}

HX_FUNC void move_body(void)
{
	HX_COUNT(n_move_body);
	for (uint64_t i = 0; i < MOVES;)
		i = move_step(&moving, i);
	moving.over = 1;
	swapcontext(&moving.there, &moving.here);
}

HX_FUNC void drop_inner(unsigned int number)
{
	HX_COUNT(n_drop_inner);
	swapcontext(&dropped[number].there, &dropped[number].here);
	abort();
}

HX_FUNC void drop_outer(unsigned int number)
{
	HX_COUNT(n_drop_outer);
	drop_inner(number);
	abort();
}

static void make(struct coroutine *c, void (*entry)(unsigned int), int number)
{
	c->stack = malloc(STACK);
	if (!c->stack || getcontext(&c->there) != 0)
		abort();
	c->number = number;
	c->there.uc_stack.ss_sp = c->stack;
	c->there.uc_stack.ss_size = STACK;
	makecontext(&c->there, (void (*)(void))entry, 1, (unsigned int)number);
}

/* Both threads run this; the barriers make them take turns. */
static void *mover(void *arg)
{
	int me = (int)(uintptr_t)arg;

	for (int i = 0; i <= MOVES; i++) {
		if (i % 2 == me) {
			swapcontext(&moving.here, &moving.there);
			if (!moving.over)
				hx_mix(moving.value);
		}
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void generate(void)
{
	for (int g = 0; g < GENERATORS; g++)
		make(&generators[g], body, g);
	for (int i = 0; i < NODES; i++)
		for (int g = 0; g < GENERATORS; g++)
			hx_mix(grind(next(&generators[g])));
	for (int g = 0; g < GENERATORS; g++) {
		hx_mix(next(&generators[g]));
		if (!generators[g].over)
			hx_wrong = 1;
		free(generators[g].stack);
	}
}

static void move(void)
{
	pthread_t other;

	make(&moving, (void (*)(unsigned int))(void (*)(void))move_body, 0);
	pthread_barrier_init(&turn, NULL, 2);
	if (pthread_create(&other, NULL, mover, (void *)1) != 0)
		abort();
	mover(NULL);
	pthread_join(other, NULL);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	wl_gate(&o);
	for (int i = 0; i < DROPPED; i++) {
		make(&dropped[i], drop_outer, i);
		swapcontext(&dropped[i].here, &dropped[i].there);
	}
	generate();
	move();
	hx_calls("next", n_next, 256);
	hx_calls("body", n_body, 8);
	hx_calls("walk", n_walk, 504);
	hx_calls("yield", n_yield, 248);
	hx_calls("grind", n_grind, 248);
	hx_calls("move_step", n_move_step, 40);
	hx_calls("drop_outer", n_drop_outer, 5);
	hx_calls("drop_inner", n_drop_inner, 5);
	return hx_done();
}
