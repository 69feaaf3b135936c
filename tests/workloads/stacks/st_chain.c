/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One planted chain, compiled once for each variant (ST_VARIANT): top_V calls sort_V, that calls
 * the C library's qsort, that calls compare_V, mid_V, leaf_V.
 */
#include "st.h"
#include "st_chain.h"

#define V(name) ST_JOIN(name, ST_VARIANT)

WL_FUNC void V(leaf)(void)
{
	ST_SPIN();
}

WL_FUNC long V(mid)(long a, long b)
{
	ST_LIVE(V(leaf)());
	return a - b;
}

WL_FUNC int V(compare)(const void *a, const void *b)
{
	const long *x = (const long *)a, *y = (const long *)b;

	return V(mid)(*x, *y) > 0;
}

WL_FUNC void V(sort)(long *values, size_t n)
{
	long last = values[n - 1];

	qsort(values, n, sizeof(*values), V(compare));
	values[n - 1] = last;
}

WL_FUNC void V(top)(void)
{
	long values[2] = {2, 1};

	ST_LIVE(V(sort)(values, 2));
}
