/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacking of raw spans. An input that begins with an even byte is taken as a chunk; with an odd
 * byte the rest is compressed first, so that the fuzzer gets past zstd. What can be unpacked must
 * survive being packed again.
 */
#include <zstd.h>

#include "store/chunk.h"
#include "store/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Arguments that are all zero need not be there. */
static bool same_args(const struct span_args *a, const struct span_args *b, size_t n)
{
	static const struct span_args none;

	for (size_t i = 0; i < n; i++)
		if (memcmp(a ? &a[i] : &none, b ? &b[i] : &none, sizeof(none)) != 0)
			return false;
	return true;
}

static void check(const uint8_t *data, size_t size)
{
	struct raw_span *spans = NULL, *again = NULL;
	struct span_args *args = NULL, *args_again = NULL;
	struct span_chunk c = {};
	size_t n, m;

	if (chunk_decode(data, size, &spans, &args, &n) < 0)
		return;
	if (chunk_encode(spans, args, n, &c) < 0 ||
	    chunk_decode(c.data, c.size, &again, &args_again, &m) < 0 || n != m ||
	    memcmp(spans, again, n * sizeof(*spans)) != 0 || !same_args(args, args_again, n))
		abort();
	free(spans);
	free(again);
	free(args);
	free(args_again);
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
	chunk[0] = 1;
	p = varint_put(chunk + 1, data[1] + 1);
	p = varint_put(p, size - 2);
	packed = ZSTD_compress(p, bound, data + 2, size - 2, 1);
	check(chunk, p - chunk + packed);
	free(chunk);
	return 0;
}
