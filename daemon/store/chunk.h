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

/* args: one for each span, or NULL. 0, -EINVAL unless 1 <= n <= CHUNK_MAX_SPANS, -ENOMEM. */
int chunk_encode(const struct raw_span *spans, const struct span_args *args, size_t n,
		 struct span_chunk *ret);
/*
 * The caller frees *ret_spans and *ret_args, which is NULL when no span has arguments. -EBADMSG for
 * anything that chunk_encode() has not made.
 */
int chunk_decode(const uint8_t *data, size_t size, struct raw_span **ret_spans,
		 struct span_args **ret_args, size_t *ret_n);
void chunk_release(struct span_chunk *c);

#endif
