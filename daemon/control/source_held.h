/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside session: calls of probed functions come before the batch that says what spans written in
 * source code are around them or inside them. From the first such call on, what the kernel sends of
 * calls is held back, in order, until the batch is there, or for a while.
 */
#ifndef SONDE_CONTROL_SOURCE_HELD_H
#define SONDE_CONTROL_SOURCE_HELD_H

#include "sonde/base/util.h"
#include "sonde/record.h"

/* Starts as all zero. */
struct source_held {
	uint8_t *data; /* each record with its size (u64) in front, aligned to 8 */
	size_t len, cap;
	uint64_t since_ns; /* when the first of these came */
};

struct session;

/* Whether the record is held, so that nobody else is to look at it now. */
bool source_held_take(struct session *s, const struct record_header *h, size_t size);
/* Hands on what need not wait any more, all: nothing is to wait. */
void source_held_release(struct session *s, bool all,
			 void (*each)(void *arg, const void *record, size_t size), void *arg);

#endif
