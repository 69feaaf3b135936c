/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ exceptions through probed frames.
 *
 *   outer → middle → inner       150 times; inner throws std::runtime_error("boom I") for every
 *                                third I (50 times) after 200 us; main catches, calls caught() at
 *                                once, stays 1 ms without a call and calls later()
 *   re_outer → re_middle →       40 times; re_inner throws an int, re_middle catches it, calls
 *     re_inner                   note() and throws it on, main catches
 *   nest_outer → nest_throw      30 times; while the exception passes nest_outer, a destructor
 *                                calls nest_try(), where nest_inner() throws another, which is
 *                                caught there
 *   mid_catch → mid_throw        20 times; mid_catch catches and returns
 *   down(40)                     10 times; calls itself down to down(0), which throws
 *   with_cleanup → no_throw      25 times; a destructor that does not run during an unwind
 */
#include <stdexcept>
#include <string>

#include "hx.h"

static uint64_t n_outer, n_middle, n_inner, n_caught, n_later, n_cleanup, n_returned;
static uint64_t n_re_outer, n_re_middle, n_re_inner, n_note;
static uint64_t n_nest_outer, n_nest_throw, n_nest_try, n_nest_inner;
static uint64_t n_mid_catch, n_mid_throw, n_down, n_with_cleanup, n_no_throw;

struct Error : public std::runtime_error {
	using std::runtime_error::runtime_error;
};

HX_FUNC void cleanup(int i)
{
	HX_COUNT(n_cleanup);
	hx_mix(static_cast<uint64_t>(i));
}

struct Guard {
	int i;
	explicit Guard(int number) : i(number)
	{
	}
	~Guard()
	{
		cleanup(i);
	}
};

HX_FUNC int inner(int i)
{
	HX_COUNT(n_inner);
	if (i % 3 == 0) {
		wl_busy(200000);
		throw std::runtime_error("boom " + std::to_string(i));
	}
	return i;
}

HX_FUNC int middle(int i)
{
	Guard guard(i);

	HX_COUNT(n_middle);
	return inner(i) + 1;
}

HX_FUNC int outer(int i)
{
	HX_COUNT(n_outer);
	return middle(i) + 1;
}

HX_FUNC void caught(const char *what)
{
	HX_COUNT(n_caught);
	hx_mix(strlen(what));
}

HX_FUNC void later(void)
{
	HX_COUNT(n_later);
}

HX_FUNC int re_inner(int i)
{
	HX_COUNT(n_re_inner);
	throw i;
}

HX_FUNC void note(int i)
{
	HX_COUNT(n_note);
	hx_mix(static_cast<uint64_t>(i));
}

HX_FUNC int re_middle(int i)
{
	HX_COUNT(n_re_middle);
	try {
		return re_inner(i) + 1;
	} catch (int thrown) {
		note(thrown);
		throw;
	}
}

HX_FUNC int re_outer(int i)
{
	Guard guard(i);

	HX_COUNT(n_re_outer);
	return re_middle(i) + 1;
}

HX_FUNC int nest_inner(int i)
{
	HX_COUNT(n_nest_inner);
	throw static_cast<long>(i);
}

HX_FUNC int nest_try(int i)
{
	HX_COUNT(n_nest_try);
	try {
		return nest_inner(i);
	} catch (long thrown) {
		hx_mix(static_cast<uint64_t>(thrown));
		return 0;
	}
}

struct Trying {
	int i;
	~Trying()
	{
		nest_try(i);
	}
};

HX_FUNC int nest_throw(int i)
{
	HX_COUNT(n_nest_throw);
	throw Error("nested " + std::to_string(i));
}

HX_FUNC int nest_outer(int i)
{
	Trying trying{i};

	HX_COUNT(n_nest_outer);
	return nest_throw(i) + 1;
}

HX_FUNC int mid_throw(int i)
{
	HX_COUNT(n_mid_throw);
	throw Error(std::string(static_cast<size_t>(i), 'x'));
}

HX_FUNC int mid_catch(int i)
{
	HX_COUNT(n_mid_catch);
	try {
		return mid_throw(i);
	} catch (const std::exception &e) {
		return static_cast<int>(strlen(e.what()));
	}
}

HX_FUNC int down(int n)
{
	HX_COUNT(n_down);
	if (n == 0)
		throw 'c';
	return down(n - 1) + 1;
}

HX_FUNC int no_throw(int i)
{
	HX_COUNT(n_no_throw);
	return i;
}

HX_FUNC int with_cleanup(int i)
{
	Guard guard(i);

	HX_COUNT(n_with_cleanup);
	return no_throw(i) + 1;
}

static void throw_through_three(void)
{
	for (int i = 0; i < 150; i++) {
		try {
			hx_mix(static_cast<uint64_t>(outer(i)));
			n_returned++;
		} catch (const std::runtime_error &e) {
			caught(e.what());
			wl_busy(1000000);
			later();
		}
	}
}

static void rethrow(void)
{
	for (int i = 0; i < 40; i++) {
		try {
			re_outer(i);
		} catch (int thrown) {
			hx_mix(static_cast<uint64_t>(thrown));
		}
	}
}

static void nest(void)
{
	for (int i = 0; i < 30; i++) {
		try {
			nest_outer(i);
		} catch (const Error &e) {
			hx_mix(strlen(e.what()));
		}
	}
}

static void others(void)
{
	for (int i = 0; i < 20; i++)
		hx_mix(static_cast<uint64_t>(mid_catch(i)));
	for (int i = 0; i < 10; i++) {
		try {
			down(40);
		} catch (char c) {
			hx_mix(static_cast<uint64_t>(c));
		}
	}
	for (int i = 0; i < 25; i++)
		hx_mix(static_cast<uint64_t>(with_cleanup(i)));
}

static void say(void)
{
	hx_calls("outer", n_outer, 150);
	hx_unwound("outer", n_outer - n_returned, 50);
	hx_calls("middle", n_middle, 150);
	hx_unwound("middle", n_middle - n_returned, 50);
	hx_calls("inner", n_inner, 150);
	hx_unwound("inner", n_inner - n_returned, 50);
	hx_calls("caught", n_caught, 50);
	hx_calls("later", n_later, 50);
	hx_calls("re_outer", n_re_outer, 40);
	hx_unwound("re_outer", n_re_outer, 40);
	hx_calls("re_middle", n_re_middle, 40);
	hx_unwound("re_middle", n_re_middle, 40);
	hx_calls("re_inner", n_re_inner, 40);
	hx_unwound("re_inner", n_re_inner, 40);
	hx_calls("note", n_note, 40);
	hx_unwound("note", 0, 0);
	hx_calls("nest_outer", n_nest_outer, 30);
	hx_unwound("nest_outer", n_nest_outer, 30);
	hx_calls("nest_throw", n_nest_throw, 30);
	hx_unwound("nest_throw", n_nest_throw, 30);
	hx_calls("nest_try", n_nest_try, 30);
	hx_unwound("nest_try", 0, 0);
	hx_calls("nest_inner", n_nest_inner, 30);
	hx_unwound("nest_inner", n_nest_inner, 30);
	hx_calls("mid_catch", n_mid_catch, 20);
	hx_unwound("mid_catch", 0, 0);
	hx_calls("mid_throw", n_mid_throw, 20);
	hx_unwound("mid_throw", n_mid_throw, 20);
	hx_calls("down", n_down, 410);
	hx_unwound("down", n_down, 410);
	hx_calls("with_cleanup", n_with_cleanup, 25);
	hx_unwound("with_cleanup", 0, 0);
	hx_calls("no_throw", n_no_throw, 25);
	hx_calls("cleanup", n_cleanup, 150 + 40 + 25);
	hx_unwound("cleanup", 0, 0);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	wl_gate(&o);
	throw_through_three();
	rethrow();
	nest();
	others();
	say();
	return hx_done();
}
