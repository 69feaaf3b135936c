/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * longjmp over probed frames.
 *
 *   jump_1 → … → jump_5          100 times; for odd numbers (50 times) jump_5 jumps back over all
 *                                five to main, else all return
 *   keep → jump_over → leap      60 times; leap always jumps back to keep, which then calls
 *                                landed() and returns
 *   sig_outer → sig_inner        20 times; sig_inner raises a signal whose handler jumps over
 *                                both, and itself, with siglongjmp
 */
#include <setjmp.h>
#include <signal.h>

#include "hx.h"

static uint64_t n_jump[6], n_returned, n_keep, n_jump_over, n_leap, n_landed;
static uint64_t n_sig_outer, n_sig_inner, n_sig_handler;
static jmp_buf back, kept;
static sigjmp_buf out;

HX_FUNC int jump_5(int i)
{
	HX_COUNT(n_jump[5]);
	if (i % 2)
		longjmp(back, i + 1);
	return i;
}

HX_FUNC int jump_4(int i)
{
	HX_COUNT(n_jump[4]);
	return jump_5(i) + 1;
}

HX_FUNC int jump_3(int i)
{
	HX_COUNT(n_jump[3]);
	return jump_4(i) + 1;
}

HX_FUNC int jump_2(int i)
{
	HX_COUNT(n_jump[2]);
	return jump_3(i) + 1;
}

HX_FUNC int jump_1(int i)
{
	HX_COUNT(n_jump[1]);
	return jump_2(i) + 1;
}

HX_FUNC void leap(int i)
{
	HX_COUNT(n_leap);
	_longjmp(kept, i + 1);
}

HX_FUNC void jump_over(int i)
{
	HX_COUNT(n_jump_over);
	leap(i);
	abort();
}

HX_FUNC int landed(int i)
{
	HX_COUNT(n_landed);
	return 3 * i;
}

HX_FUNC int keep(int i)
{
	int r = _setjmp(kept);

	if (r == 0) {
		HX_COUNT(n_keep);
		jump_over(i);
	}
	return landed(r) + 1;
}

HX_FUNC void sig_handler(int sig)
{
	HX_COUNT(n_sig_handler);
	siglongjmp(out, sig);
}

HX_FUNC int sig_inner(int i)
{
	HX_COUNT(n_sig_inner);
	raise(SIGUSR1);
	return i;
}

HX_FUNC int sig_outer(int i)
{
	HX_COUNT(n_sig_outer);
	return sig_inner(i) + 1;
}

static void say(void)
{
	static const char *const names[] = {"", "jump_1", "jump_2", "jump_3", "jump_4", "jump_5"};

	for (int i = 1; i <= 5; i++) {
		hx_calls(names[i], n_jump[i], 100);
		hx_unwound(names[i], n_jump[i] - n_returned, 50);
	}
	hx_calls("keep", n_keep, 60);
	hx_unwound("keep", 0, 0);
	hx_calls("jump_over", n_jump_over, 60);
	hx_unwound("jump_over", n_jump_over, 60);
	hx_calls("leap", n_leap, 60);
	hx_unwound("leap", n_leap, 60);
	hx_calls("landed", n_landed, 60);
	hx_unwound("landed", 0, 0);
	hx_calls("sig_outer", n_sig_outer, 20);
	hx_unwound("sig_outer", n_sig_outer, 20);
	hx_calls("sig_inner", n_sig_inner, 20);
	hx_unwound("sig_inner", n_sig_inner, 20);
	hx_calls("sig_handler", n_sig_handler, 20);
	hx_unwound("sig_handler", n_sig_handler, 20);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	struct sigaction action = {.sa_handler = sig_handler};

	sigaction(SIGUSR1, &action, NULL);
	wl_gate(&o);
	for (volatile int i = 0; i < 100; i++) {
		int r = setjmp(back);

		if (r == 0) {
			hx_mix((uint64_t)jump_1(i));
			n_returned++;
		} else {
			hx_mix((uint64_t)r + 10000);
		}
	}
	for (int i = 0; i < 60; i++)
		hx_mix((uint64_t)keep(i));
	for (volatile int i = 0; i < 20; i++) {
		int r = sigsetjmp(out, 1);

		hx_mix(r == 0 ? (uint64_t)sig_outer(i) : (uint64_t)r);
	}
	say();
	return hx_done();
}
