/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of st_chain.cpp at -O0, -O2 and -O3, with and without frame pointers. */
#include "st_main.h"
#include "st_chain.h"

#define DECLARE(v) void top_##v();
#define CASE(v)                                                                                    \
	{"stack " #v ": " #v "::leaf;" #v "::mid;" #v "::Less::compare;*;" #v                      \
	 "::sort;top_" #v ST_END,                                                                  \
	 top_##v},

ST_VARIANTS(DECLARE)

static const struct st_case cases[] = {ST_VARIANTS(CASE){nullptr, nullptr}};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
