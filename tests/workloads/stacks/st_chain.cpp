/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The like of st_chain.c in C++: frames with something to clean up, whose entries in .eh_frame name
 * a personality and a table of landing pads.
 */
#include "st.h"
#include "st_chain.h"

#define V(name) ST_JOIN(name, ST_VARIANT)

namespace ST_VARIANT
{
struct Guard {
	long value;
	WL_FUNC ~Guard();
};

Guard::~Guard()
{
	__asm__ volatile("" : : "r"(value));
}

WL_FUNC long leaf(long n)
{
	ST_SPIN();
	return n;
}

WL_FUNC long mid(const long &n)
{
	Guard guard{n};

	ST_LIVE(guard.value += leaf(n));
	return guard.value;
}

struct Less {
	WL_FUNC static int compare(const void *a, const void *b);
};

int Less::compare(const void *a, const void *b)
{
	return mid(*static_cast<const long *>(a)) > mid(*static_cast<const long *>(b));
}

WL_FUNC long sort(long *values, size_t n)
{
	Guard guard{values[0]};

	qsort(values, n, sizeof(*values), Less::compare);
	return guard.value;
}
} // namespace ST_VARIANT

void V(top)()
{
	long values[2] = {2, 1};

	ST_LIVE(ST_VARIANT::sort(values, 2));
}
