/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tail calls: functions that are left by a jump. Compiled with -O2.
 *
 *   first → second → third       300 times, by jumps to a name
 *   choose → plus | minus        300 times, by a jump through a pointer: 150 of each
 *   maybe → rare                 300 times; by a jump for every tenth (30 times), else it returns
 *   even ⇄ odd                   10 chains of 4000 jumps: 20,010 calls of even, 20,000 of odd
 *   deepen                       20 chains of 200 tail calls, the last of which really calls
 *                                bottom: 4000 and 20 calls
 *
 * The chains run on a stack that is too small for calls, so a compiler that made calls of them
 * does not go unnoticed.
 */
#include <limits.h>
#include <pthread.h>

#include "hx.h"

static uint64_t n_first, n_second, n_third, n_choose, n_plus, n_minus, n_maybe, n_rare;
static uint64_t n_even, n_odd, n_deepen, n_bottom;
typedef uint64_t operation(uint64_t);

HX_FUNC uint64_t third(uint64_t x)
{
	HX_COUNT(n_third);
	return x * 7 + 3;
}

HX_FUNC uint64_t second(uint64_t x)
{
	HX_COUNT(n_second);
	return third(x + 2);
}

HX_FUNC uint64_t first(uint64_t x)
{
	HX_COUNT(n_first);
	return second(x + 1);
}

HX_FUNC uint64_t plus(uint64_t x)
{
	HX_COUNT(n_plus);
	return x + 11;
}

HX_FUNC uint64_t minus(uint64_t x)
{
	HX_COUNT(n_minus);
	return x - 11;
}

/* Volatile, or the compiler would know where it points. */
static operation *volatile operations[2] = {plus, minus};

HX_FUNC uint64_t choose(uint64_t x)
{
	HX_COUNT(n_choose);
	return operations[x % 2](x);
}

HX_FUNC uint64_t rare(uint64_t x)
{
	HX_COUNT(n_rare);
	return x * x;
}

HX_FUNC uint64_t maybe(uint64_t x)
{
	HX_COUNT(n_maybe);
	if (__builtin_expect(x % 10 == 0, 0))
		return rare(x);
	return x + 5;
}

HX_FUNC uint64_t odd(uint64_t n, uint64_t sum);

HX_FUNC uint64_t even(uint64_t n, uint64_t sum)
{
	HX_COUNT(n_even);
	if (n == 0)
		return sum;
	return odd(n - 1, sum + n);
}

HX_FUNC uint64_t odd(uint64_t n, uint64_t sum)
{
	HX_COUNT(n_odd);
	return even(n - 1, sum ^ n);
}

HX_FUNC uint64_t bottom(uint64_t x)
{
	HX_COUNT(n_bottom);
	return x + 1;
}

static uint64_t (*volatile go_deeper)(uint64_t n, uint64_t sum);

HX_FUNC uint64_t deepen(uint64_t n, uint64_t sum)
{
	HX_COUNT(n_deepen);
	if (n == 1)
		return bottom(sum) + 1;
	return go_deeper(n - 1, sum + n);
}

static void *chains(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < 10; i++)
		hx_mix(even(4000, i));
	go_deeper = deepen;
	for (uint64_t i = 0; i < 20; i++)
		hx_mix(deepen(200, i));
	return NULL;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	pthread_attr_t attr;
	pthread_t thread;

	wl_gate(&o);
	for (uint64_t i = 0; i < 300; i++) {
		hx_mix(first(i));
		hx_mix(choose(i));
		hx_mix(maybe(i));
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 16384);
	if (pthread_create(&thread, &attr, chains, NULL) != 0)
		abort();
	pthread_join(thread, NULL);
	hx_calls("first", n_first, 300);
	hx_calls("second", n_second, 300);
	hx_calls("third", n_third, 300);
	hx_calls("choose", n_choose, 300);
	hx_calls("plus", n_plus, 150);
	hx_calls("minus", n_minus, 150);
	hx_calls("maybe", n_maybe, 300);
	hx_calls("rare", n_rare, 30);
	hx_calls("even", n_even, 20010);
	hx_calls("odd", n_odd, 20000);
	hx_calls("deepen", n_deepen, 4000);
	hx_calls("bottom", n_bottom, 20);
	return hx_done();
}
