/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of many names, those that somebody who wrote a pattern that matched nothing may have meant. */
#ifndef SONDE_SYMBOL_NEAR_H
#define SONDE_SYMBOL_NEAR_H

#include "sonde/base/util.h"

enum { NEAR_MAX = 16 };

struct near {
	char word[256]; /* the longest literal part of the pattern */
	size_t word_len, max, n;
	unsigned costs[NEAR_MAX];
	const char *names[NEAR_MAX]; /* best first; as they were offered */
};

void near_init(struct near *near, const char *pattern, size_t max);
/* The name is borrowed. */
void near_offer(struct near *near, const char *name);

#endif
