/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of packed spans (around it: packed.h), and what packing and unpacking predict alike: a
 * byte of MORE_* for what there is beyond the first eight columns, the start of the first span, the
 * dictionaries of threads (process, tid) and of paths in order of first use, the columns, and the
 * bytes of the values one span after the other. A column is a byte, 0 when all its numbers are 0
 * and absent, else 1, and a varint for each span.
 *
 * Numbers are kept as what a prediction misses, as calls nest. On its thread a call starts soon
 * after the call before it ended, or, when calls were made inside, it ends soon after the last of
 * those: the gap is a few bits. What was spent inside is the sum of the durations one level
 * deeper, so the self time costs nothing unless calls were filtered out. Depth, return value and
 * all that a span carries beyond are predicted by those of the last call of the same path. All
 * arithmetic is modulo 2^64, so that any input, however odd, comes back as it was.
 *
 * Version 1 knows arguments only, and no COL_HAS_ARGS: spans without any have zeros.
 */
#ifndef SONDE_STORE_CHUNK_FORMAT_H
#define SONDE_STORE_CHUNK_FORMAT_H

#include "chunk.h"
#include "sonde/base/varint.h"

enum {
	CHUNK_VERSION = 2,
	LEVELS = RECORD_MAX_OPEN + 1, /* deeper calls are kept without prediction */
};

/* In the order of the file. */
enum column_index {
	COL_THREAD,
	COL_PATH,
	COL_DEPTH,
	COL_FLAGS,
	COL_GAP,
	COL_DURATION,
	COL_INSIDE,
	COL_RET,
	COL_ARGS,
	COL_HAS_ARGS = COL_ARGS + RECORD_ARGS,
	COL_OFFCPU,
	COL_VALID,
	COL_VALUES_LEN,
	COL_STACK,
	COL_EXCEPTION_TYPE,
	COL_EXCEPTION_MESSAGE,
	COLUMNS,
};

/* Which columns a chunk of that version and these MORE_* has; returns how many. */
static inline int chunk_columns(int version, uint8_t kinds, uint8_t ret[static COLUMNS])
{
	int n = 0;

	for (int c = 0; c < COLUMNS; c++) {
		uint8_t kind = c < COL_ARGS	     ? 0
			       : c <= COL_HAS_ARGS   ? MORE_ARGS
			       : c == COL_OFFCPU     ? MORE_OFFCPU
			       : c <= COL_VALUES_LEN ? MORE_VALUES
			       : c == COL_STACK	     ? MORE_STACK
						     : MORE_EXCEPTION;

		if ((kind & ~kinds) == 0 && !(version == 1 && c == COL_HAS_ARGS))
			ret[n++] = c;
	}
	return n;
}

/* What prediction knows of a thread, the same while packing and unpacking. */
struct thread_state {
	uint32_t process, tid;
	uint32_t last_depth;
	uint64_t last_end;
	uint64_t inside[LEVELS]; /* durations since the last call one level above ended */
};

struct path_state {
	uint64_t ret;
	uint32_t path;
	uint16_t depth;
};

/* Apart: most chunks have none of it, and the rest then stays in the cache. */
struct path_more {
	bool has_args;
	uint32_t values_len, stack, exception_type, exception_message;
	uint64_t valid;
	uint64_t args[RECORD_ARGS];
};

struct coder {
	struct thread_state *threads;
	struct path_state *paths;
	struct path_more *more; /* of each path, when there is anything */
	size_t n_threads, n_paths, threads_cap, paths_cap, more_cap;
	struct table thread_index, path_index;
};

static inline void coder_release(struct coder *c)
{
	free(c->threads);
	free(c->paths);
	free(c->more);
	table_release(&c->thread_index);
	table_release(&c->path_index);
}

/* The total of the calls inside that the ones seen so far predict; takes note of this one. */
static inline uint64_t predict_inside(struct thread_state *t, uint16_t depth, uint64_t duration)
{
	uint64_t inside = 0;

	if (depth + 1 < LEVELS) {
		inside = t->inside[depth + 1];
		t->inside[depth + 1] = 0;
	}
	if (depth < LEVELS)
		t->inside[depth] += duration;
	return inside;
}

/* Ids that most spans do not have: 0 for none, else 1 + the distance from the last one. */
static inline uint64_t predict_id(uint32_t *last, uint32_t id)
{
	uint64_t v = id ? 1 + zigzag((uint64_t)id - *last) : 0;

	if (id)
		*last = id;
	return v;
}

enum { CHUNK_RAW_FIXED = 1 + 3 * VARINT_MAX + COLUMNS };

/* The largest the raw form of n spans can be. */
static inline size_t chunk_raw_bound(size_t n, int n_columns, size_t values_len)
{
	return CHUNK_RAW_FIXED + n * VARINT_MAX * (3 + n_columns) + values_len;
}

#endif
