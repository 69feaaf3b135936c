/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source beside the collector: records of what has been, pulled one by one from whoever has
 * them, checked as live ones are, and handed on at the pace at which they came, or at another.
 * It has neither a thread nor a timer: its caller asks it again when it says that something is due.
 */
#ifndef SONDE_COLLECT_REPLAY_SOURCE_H
#define SONDE_COLLECT_REPLAY_SOURCE_H

#include <stdbool.h>

#include "sonde/base/util.h"

struct replay_record {
	const void *data; /* a record of record.h, good until the next one is asked for */
	size_t size;
	uint64_t time_ns; /* when it was sent, on any clock */
};

/* The next record: 1, 0 behind the last one, or -errno. */
typedef int (*replay_next_t)(void *arg, struct replay_record *ret);

struct replay_source;

/* speed: 1 is as fast as it was, 10 ten times as fast; 0: as fast as it is taken. */
int replay_source_new(replay_next_t next, void *arg, double speed, struct replay_source **ret);
struct replay_source *replay_source_free(struct replay_source *s);
DEFINE_CLEANUP(struct replay_source *, replay_source_free)

/*
 * Hands on what is due at now_ns of a monotonic clock, at most `most` records. 1: more may be due
 * at *ret_due_ns of that clock (now_ns when it is), 0: that was the last, -EBADMSG: a record is not
 * what record.h says, or what next() has failed with.
 */
int replay_source_run(struct replay_source *s, uint64_t now_ns, size_t most,
		      void (*take)(void *arg, const void *record, size_t size), void *arg,
		      uint64_t *ret_due_ns);

#endif
