/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of many pieces of code an address lies in, where later pieces lie on top of earlier ones.
 * Pieces come one by one, in any order of addresses; adding one costs O(log n) on average.
 */
#ifndef SONDE_SYMBOL_CODE_RANGES_H
#define SONDE_SYMBOL_CODE_RANGES_H

#include "sonde/base/util.h"

struct code_range {
	uint64_t start, end; /* [start, end) */
	uint32_t id;	     /* the caller's; 0: there is no code (any more) */
};

/* Sorted and without overlaps. */
struct code_segment {
	struct code_range *items;
	size_t n;
};

enum { CODE_SEGMENTS = 40 };

/* Starts as all zero. Each segment lies on top of those before it, and is at most half as long. */
struct code_ranges {
	struct code_segment segments[CODE_SEGMENTS];
	size_t n;
};

/* 0, -EINVAL for an empty range, -ENOMEM with all as it was. */
int code_ranges_add(struct code_ranges *c, uint64_t start, uint64_t end, uint32_t id);
/* The id of the last range added that has the address, or 0. */
uint32_t code_ranges_find(const struct code_ranges *c, uint64_t address);
void code_ranges_release(struct code_ranges *c);

#endif
