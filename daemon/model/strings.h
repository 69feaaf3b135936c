/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned strings with dense ids from 1. The text is copied once and never moves, so that a
 * pointer is good for as long as the table lives.
 */
#ifndef SONDE_MODEL_STRINGS_H
#define SONDE_MODEL_STRINGS_H

#include "sonde/base/table.h"

enum { STRING_MAX = 1 << 20 }; /* longer ones are refused */

struct strings {
	char **text; /* by id; [0] is unused */
	size_t cap;
	uint32_t count;
	struct table index;
	char **blocks; /* what text points into */
	size_t n_blocks, blocks_cap;
	size_t used, size; /* of the last block */
};

/* Finds or adds; a NUL in s ends it. 0: out of memory or longer than STRING_MAX. */
uint32_t strings_add(struct strings *t, const char *s, size_t len);
const char *strings_get(const struct strings *t, uint32_t id); /* "" for 0 or an unknown id */
void strings_release(struct strings *t);

#endif
