/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of one kind and window, packed: column by column, delta-coded as variable-length
 * integers, compressed with zstd. The format is versioned by its first byte; decoding trusts
 * nothing but checks no ids.
 */
#ifndef SONDE_STORE_SAMPLE_CHUNK_H
#define SONDE_STORE_SAMPLE_CHUNK_H

#include "model/window.h"

enum {
	SAMPLE_CHUNK_MAX = 65536, /* rows */
	/* For windows that are written every few seconds, and for those that stay for long. */
	SAMPLE_CHUNK_QUICK = 1,
	SAMPLE_CHUNK_SMALL = 9,
};

struct sample_chunk {
	enum sample_kind kind;
	uint32_t count;	  /* rows */
	uint64_t samples; /* the sum of their counts */
	uint8_t *data;
	size_t size;
};

/* Rows of one window, owned. Starts as all zero. */
struct sample_set {
	struct sample_row *rows;
	size_t n;
};
void sample_set_release(struct sample_set *s);

/*
 * Packs rows, which are brought into order for it, and calls back with each chunk, which is good
 * during the call, until that is not 0. Returns that, or -ENOMEM. level: SAMPLE_CHUNK_*.
 * Numbers above STORE_MAX_NUMBER are cut.
 */
int sample_chunk_encode(struct sample_row *rows, size_t n, int level,
			int (*put)(void *arg, const struct sample_chunk *chunk), void *arg);
/* The caller releases *ret. -EBADMSG for what sample_chunk_encode() has not made, -ENOMEM. */
int sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			struct sample_set *ret);

#endif
