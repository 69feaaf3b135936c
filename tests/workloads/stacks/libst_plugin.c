/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "st.h"

void plugin_walk(void (*callback)(long), long n);

WL_FUNC static void plugin_inner(void (*callback)(long), long n)
{
	ST_LIVE(callback(n + 1));
}

/* A frame of variable size, in a library. */
WL_FUNC void plugin_walk(void (*callback)(long), long n)
{
	volatile char *room = (volatile char *)__builtin_alloca((size_t)n * 100);

	room[0] = 1;
	ST_LIVE(plugin_inner(callback, n));
	room[n] = room[0];
}
