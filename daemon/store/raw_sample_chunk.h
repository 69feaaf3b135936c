/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw samples of one kind, packed: column by column, delta-coded as variable-length integers,
 * compressed with zstd. The format is versioned by its first byte; decoding trusts nothing but
 * checks no ids.
 */
#ifndef SONDE_STORE_RAW_SAMPLE_CHUNK_H
#define SONDE_STORE_RAW_SAMPLE_CHUNK_H

#include "model/window.h"

enum { RAW_SAMPLE_CHUNK_MAX = 65536 /* samples */ };

struct raw_sample_chunk {
	enum sample_kind kind;
	uint64_t first_ns, last_ns; /* lowest time, highest end of a wait */
	uint32_t count;
	uint32_t size;
	uint8_t *data;
};

/* Raw samples of one kind in order of their times, owned. Starts as all zero. */
struct raw_sample_set {
	struct raw_sample *samples;
	size_t n;
};
void raw_sample_set_release(struct raw_sample_set *s);

/*
 * Packs samples, which are brought into order for it, and calls back with each chunk until that is
 * not 0. Returns that, or -ENOMEM. The data is the callback's when it takes it (TAKE_PTR), else
 * good during the call. Times and lengths above STORE_MAX_NUMBER are cut.
 */
int raw_sample_chunk_encode(struct raw_sample *samples, size_t n,
			    int (*put)(void *arg, struct raw_sample_chunk *chunk), void *arg);
/* The caller releases *ret. -EBADMSG for what raw_sample_chunk_encode() has not made, -ENOMEM. */
int raw_sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			    struct raw_sample_set *ret);
void raw_sample_chunk_release(struct raw_sample_chunk *c);

#endif
