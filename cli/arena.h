/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for many small things that are all given up at once. A failure is sticky. */
#ifndef SONDE_CLI_ARENA_H
#define SONDE_CLI_ARENA_H

#include "sonde/base/util.h"

struct arena_block;

/* Starts as all zero. */
struct arena {
	struct arena_block *first, *current;
	bool failed;
};

/* Zeroed and aligned for anything; NULL: out of memory, or len is beyond all reason. */
void *arena_get(struct arena *a, size_t len);
char *arena_text(struct arena *a, const char *s); /* a copy, of NULL as of "" */
void arena_reset(struct arena *a);		  /* keeps the memory */
void arena_release(struct arena *a);

#define ARENA_NEW(a, type)	((type *)arena_get(a, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_get(a, sizeof(type) * (n)))

#endif
