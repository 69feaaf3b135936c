/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw spans, packed: column by column, delta-coded as variable-length integers, compressed with
 * zstd. The format is versioned by its first byte; decoding trusts nothing.
 */
#ifndef SONDE_STORE_CHUNK_H
#define SONDE_STORE_CHUNK_H

#include "model/window.h"

enum { CHUNK_MAX_SPANS = 16384 };

struct span_chunk {
	uint64_t first_ns, last_ns; /* lowest start, highest end */
	uint32_t count;
	uint32_t size;
	uint8_t *data;
};

/* Raw spans and what they carry, owned. Starts as all zero. */
struct span_set {
	struct raw_span *spans;
	struct more_pool more;
	size_t n;
};
void span_set_release(struct span_set *s);

/*
 * Packs n spans from the one with index `first` on. more may be NULL. 0, -EINVAL unless
 * 1 <= n <= CHUNK_MAX_SPANS, -ENOMEM.
 */
int chunk_encode(const struct raw_span *spans, const struct more_pool *more, size_t first, size_t n,
		 struct span_chunk *ret);
/* The caller releases *ret. -EBADMSG for anything that chunk_encode() has not made. */
int chunk_decode(const uint8_t *data, size_t size, struct span_set *ret);
void chunk_release(struct span_chunk *c);

#endif
