/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of st_chain.c at -O0, -O2 and -O3, with and without frame pointers. */
#include "st_main.h"
#include "st_chain.h"

#define DECLARE(v) void top_##v(void);
#define CASE(v)                                                                                    \
	{"stack " #v ": leaf_" #v ";mid_" #v ";compare_" #v ";*;sort_" #v ";top_" #v ST_END,       \
	 top_##v},

ST_VARIANTS(DECLARE)

static const struct st_case cases[] = {ST_VARIANTS(CASE){NULL, NULL}};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
