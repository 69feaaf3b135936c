/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that return from where exceptions land, 100 times each with i = 0 … 99. main() calls
 * all of those that take i, one after the other.
 *
 *   may(i)        throws int i for odd i (unwound), else returns
 *   must(i)       throws int i for odd i, std::runtime_error for even ones: always unwound
 *   note(i)       called from handlers, returns
 *   inside(i)     calls must; both its handlers return, by returns of their own
 *   swallow(i)    calls may; its handler is empty and its last: it ends by a jump to the runtime
 *   nested(i)     calls must; the inner handler calls must again, whose exception the outer catches
 *   again(i)      calls may; its handler throws on what is 1, 5, 9, … (25 times unwound), main
 *                 catches, and returns for the other 25
 *   cleans(i)     calls may; has a destructor, which calls note, and no handler: unwound for odd i
 *   whole(i)      calls must; the function's body is the try block
 *   rare(i)       calls must in a block that is thought unlikely; a loop in its handler calls note
 *                 i % 3 times
 *   chooses(i)    calls must; its handlers choose by i % 8, and some call note
 *   repeats(i)    calls may until it returns: i, and where that is odd i + 1, catching in a loop
 *   inward(i)     calls itself from its handler: inward(9) … inward(0), each of which calls must
 */
#include <stdexcept>

#include "wl.h"

static uint64_t n_may, n_must, n_note, n_inward, sum;
static volatile int zero;

WL_FUNC void note(int i)
{
	n_note++;
	sum += static_cast<uint64_t>(i);
}

WL_FUNC int may(int i)
{
	n_may++;
	if (i & 1)
		throw i;
	return i;
}

WL_FUNC void must(int i)
{
	n_must++;
	if (i & 1)
		throw i;
	if (zero == 0)
		throw std::runtime_error("even");
}

struct Guard {
	int i;
	~Guard()
	{
		note(i);
	}
};

WL_FUNC int inside(int i)
{
	try {
		must(i);
	} catch (int x) {
		return x * 3 + zero;
	} catch (std::exception &e) {
		if (i > 50)
			return i + zero;
		note(e.what()[0]);
		return 2;
	}
	return -1;
}

WL_FUNC void swallow(int i)
{
	try {
		may(i);
	} catch (...) {
	}
}

WL_FUNC int nested(int i)
{
	try {
		try {
			must(i);
		} catch (int x) {
			must(x + 1);
		}
	} catch (std::exception &) {
		return i + 1;
	}
	return 0;
}

WL_FUNC int again(int i)
{
	try {
		return may(i);
	} catch (int x) {
		if (x % 4 == 1)
			throw;
		note(x);
		return x + 2;
	}
}

WL_FUNC int cleans(int i)
{
	Guard guard{i};

	return may(i) + 1;
}

WL_FUNC int whole(int i)
try {
	must(i);
	return 0;
} catch (int x) {
	return x;
} catch (...) {
	note(i);
	return 7;
}

WL_FUNC int rare(int i)
{
	if (__builtin_expect(i >= 0, 0)) {
		try {
			must(i);
		} catch (...) {
			for (int k = 0; k < i % 3; k++)
				note(k);
			return i;
		}
	}
	return -i;
}

WL_FUNC int chooses(int i)
{
	try {
		must(i);
	} catch (...) {
		switch (i % 8) {
		case 0:
			return 5;
		case 1:
			note(1);
			break;
		case 2:
			return zero - 1;
		case 3:
			note(3);
			return i;
		case 4:
			note(4);
			note(5);
			break;
		case 6:
			return i * i;
		default:
			return 0;
		}
	}
	return i;
}

WL_FUNC int repeats(int i)
{
	for (;;) {
		try {
			return may(i);
		} catch (int x) {
			i = x + 1;
		}
	}
}

WL_FUNC int inward(int i)
{
	n_inward++;
	try {
		must(i);
	} catch (...) {
		return i > 0 ? inward(i - 1) + 1 : 0;
	}
	return 0;
}

static void work(void)
{
	for (int i = 0; i < 100; i++) {
		sum += static_cast<uint64_t>(inside(i) + nested(i) + whole(i) + rare(i) +
					     chooses(i) + repeats(i));
		swallow(i);
		try {
			sum += static_cast<uint64_t>(again(i));
		} catch (int x) {
			sum += static_cast<uint64_t>(x);
		}
		try {
			sum += static_cast<uint64_t>(cleans(i));
		} catch (int x) {
			sum += static_cast<uint64_t>(x);
		}
	}
	for (int i = 0; i < 10; i++)
		sum += static_cast<uint64_t>(inward(9));
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong = 0;

	wl_gate(&o);
	work();
	printf("sum %llu\n", static_cast<unsigned long long>(sum));
	wrong += wl_count(&o, "may", n_may, 450);
	wrong += wl_count(&o, "must", n_must, 650);
	wrong += wl_count(&o, "note", n_note, 350);
	wrong += wl_count(&o, "inward", n_inward, 100);
	return wl_done(wrong);
}
