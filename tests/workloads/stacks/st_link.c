/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One chain in a program that is linked in the way its name says: st_static, st_static_pie, st_pie,
 * st_nopie, st_nohdr (without .eh_frame_hdr), st_lto, st_stripped (only link_leaf has a name).
 */
#include "st_main.h"

void link_below(void);

WL_FUNC __attribute__((visibility("default"))) void link_leaf(void)
{
	ST_SPIN();
}

WL_FUNC void link_above(void)
{
	ST_LIVE(link_below());
}

static const struct st_case cases[] = {
#ifdef ST_STRIPPED
	{"depth link_leaf: 5", link_above},
#else
	{"stack link: link_leaf;link_below;link_above" ST_END, link_above},
#endif
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
