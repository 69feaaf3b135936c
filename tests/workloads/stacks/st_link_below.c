/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of its own for st_link.c, so that link-time optimisation has two to put together. */
#include "st.h"

void link_leaf(void);
void link_below(void);

WL_FUNC void link_below(void)
{
	volatile char room[3000];

	ST_LIVE((room[0] = 1, link_leaf()));
	room[2999] = room[0];
}
