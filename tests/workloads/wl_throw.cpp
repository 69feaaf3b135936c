/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ exceptions with known counts: main() calls throw_outer(i) 300 times, i = 0 … 299; it calls
 * throw_middle(i), that throw_inner(i), which throws for i = 0, 3, 6, … (100 times). So each of
 * the three is called 300 times, returns 200 times and is unwound 100 times. main() catches and
 * calls caught() 100 times. ~Guard() runs in throw_middle 300 times. "checksum 14850" is printed:
 * the sum of what was thrown. A uretprobe on any of the three would abort the program.
 */
#include "wl.h"

static uint64_t n_outer, n_middle, n_inner, n_caught, n_guard, checksum;

struct Guard {
	~Guard()
	{
		n_guard++;
	}
};

WL_FUNC int throw_inner(int i)
{
	n_inner++;
	if (i % 3 == 0)
		throw i;
	return i;
}

WL_FUNC int throw_middle(int i)
{
	Guard guard;

	n_middle++;
	return throw_inner(i) + 1;
}

WL_FUNC int throw_outer(int i)
{
	n_outer++;
	return throw_middle(i) + 1;
}

WL_FUNC void caught(int i)
{
	n_caught++;
	checksum += static_cast<uint64_t>(i);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t returned = 0;
	int wrong = 0;

	wl_gate(&o);
	for (int i = 0; i < 300; i++) {
		try {
			throw_outer(i);
			returned++;
		} catch (int thrown) {
			caught(thrown);
		}
	}
	printf("checksum %llu\n", static_cast<unsigned long long>(checksum));
	wrong += wl_count(&o, "throw_outer", n_outer, 300);
	wrong += wl_count(&o, "throw_middle", n_middle, 300);
	wrong += wl_count(&o, "throw_inner", n_inner, 300);
	wrong += wl_count(&o, "throw_outer_returned", returned, 200);
	wrong += wl_count(&o, "caught", n_caught, 100);
	wrong += wl_count(&o, "Guard::~Guard", n_guard, 300);
	wrong += wl_count(&o, "checksum", checksum, 14850);
	return wl_done(wrong);
}
