/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside session: begins and ends of spans that are no scopes, brought together by process, site
 * and key. Threads hand on what they have gathered one after the other, so an end may come before
 * its beginning. What nothing comes for is forgotten, the oldest first.
 */
#ifndef SONDE_CONTROL_SOURCE_ASYNC_H
#define SONDE_CONTROL_SOURCE_ASYNC_H

#include "sonde/base/table.h"

enum {
	ASYNC_MAX = 8192,      /* halves that wait for the other */
	ASYNC_MAX_SAME = 1024, /* of these, with the same hash */
};

struct async_half {
	uint32_t pid, tid;
	uint64_t site, key, time_ns;
	bool is_end;
	bool used;
	uint32_t next; /* of the same hash, plus 1 */
};

/* Starts as all zero, but for halves, which are made with the first. */
struct source_async {
	struct async_half *halves;
	uint32_t oldest;    /* where the next one goes */
	struct table index; /* hash → the first, plus 1; 0: none */
	uint64_t forgotten; /* since the user of it has set it to 0 */
};

/* Whether the other half was there: then *ret is it, and it is gone from here. Else this waits. */
bool source_async_pair(struct source_async *a, const struct async_half *half,
		       struct async_half *ret);
void source_async_release(struct source_async *a);

#endif
