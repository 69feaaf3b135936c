/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacking of raw spans. An input that begins with an even byte is taken as a chunk; with an odd
 * byte the rest is compressed first, so that the fuzzer gets past zstd (as version 2 when bit 1 is
 * set, else as version 1). What can be unpacked must
 * survive being packed again.
 */
#include <zstd.h>

#include "store/chunk.h"
#include "sonde/base/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_more(const struct more_pool *a, const struct more_pool *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span_more x = more_pool_get(a, i), y = more_pool_get(b, i);

		if (span_more_compare(&x, &y) != 0)
			return false;
	}
	return true;
}

static void check(const uint8_t *data, size_t size)
{
	struct span_set set = {}, again = {};
	struct span_chunk c = {};

	if (chunk_decode(data, size, &set) < 0)
		return;
	if (chunk_encode(set.spans, &set.more, 0, set.n, &c) < 0 ||
	    chunk_decode(c.data, c.size, &again) < 0 || set.n != again.n ||
	    memcmp(set.spans, again.spans, set.n * sizeof(*set.spans)) != 0 ||
	    !same_more(&set.more, &again.more, set.n))
		abort();
	span_set_release(&set);
	span_set_release(&again);
	chunk_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bound = ZSTD_compressBound(size), packed;
	uint8_t *chunk, *p;

	if (size < 3)
		return 0;
	if (!(data[0] & 1)) {
		check(data + 1, size - 1);
		return 0;
	}
	chunk = malloc(bound + 1 + 2 * VARINT_MAX);
	if (!chunk)
		return 0;
	chunk[0] = data[0] & 2 ? 2 : 1;
	p = varint_put(chunk + 1, data[1] + 1);
	p = varint_put(p, size - 2);
	packed = ZSTD_compress(p, bound, data + 2, size - 2, 1);
	check(chunk, p - chunk + packed);
	free(chunk);
	return 0;
}
