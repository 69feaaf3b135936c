/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each file with spans has taken of the room that a session's tree of them has: one program
 * that makes up sites and paths must not take all of it.
 */
#ifndef SONDE_CONTROL_SOURCE_SHARES_H
#define SONDE_CONTROL_SOURCE_SHARES_H

#include "sonde/base/table.h"

/* A file has at most one part of so many. */
enum { SOURCE_SHARES = 4 };

struct source_share {
	uint32_t sites, noted, paths;
};

/* Starts as all zero. */
struct source_shares {
	struct source_share *items;
	size_t n, cap;
	struct table index; /* file → index */
};

/* Of a file of the model; good until the next one's. NULL: out of memory. */
struct source_share *source_shares_of(struct source_shares *s, uint32_t file);
void source_shares_release(struct source_shares *s);

#endif
