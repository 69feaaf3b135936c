/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that lives as long as one tree and is freed with it. A failed allocation gives NULL and
 * is remembered, so that a builder may check once at its end.
 */
#ifndef SONDE_EXPR_ARENA_H
#define SONDE_EXPR_ARENA_H

#include "sonde/base/util.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used;		    /* of the newest */
	bool failed;
};

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for anything */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
void arena_release(struct arena *a);

#endif
