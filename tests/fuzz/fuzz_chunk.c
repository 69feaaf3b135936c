/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacking of raw spans, of samples when bit 2 of the first byte is set (bit 3: waits), and of raw
 * samples when bit 4 is, too. An input that begins with an even byte is taken as a chunk; with an
 * odd byte the rest is compressed first, so that the fuzzer gets past zstd (as version 2 when bit 1
 * is set, else as version 1). What can be unpacked must survive being packed again.
 */
#include <zstd.h>

#include "sonde/base/varint.h"
#include "store/chunk.h"
#include "store/raw_sample_chunk.h"
#include "store/sample_chunk.h"

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

static uint64_t sum_of(const struct sample_set *set)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < set->n; i++)
		sum += set->rows[i].process * 3ULL + set->rows[i].thread * 5ULL +
		       set->rows[i].stack * 7ULL + set->rows[i].count * 11 +
		       set->rows[i].total_ns * 13;
	return sum;
}

static int check_again(void *arg, const struct sample_chunk *c)
{
	const struct sample_set *set = arg;
	struct sample_set again = {};

	if (sample_chunk_decode(c->data, c->size, c->kind, &again) < 0 || again.n != set->n ||
	    sum_of(&again) != sum_of(set))
		abort();
	sample_set_release(&again);
	return 0;
}

static void check_samples(const uint8_t *data, size_t size, enum sample_kind kind)
{
	struct sample_set set = {};

	if (sample_chunk_decode(data, size, kind, &set) < 0)
		return;
	if (sample_chunk_encode(set.rows, set.n, SAMPLE_CHUNK_QUICK, check_again, &set) < 0)
		abort();
	sample_set_release(&set);
}

static int check_raw_again(void *arg, struct raw_sample_chunk *c)
{
	const struct raw_sample_set *set = arg;
	struct raw_sample_set again = {};

	if (raw_sample_chunk_decode(c->data, c->size, c->kind, &again) < 0 || again.n != set->n ||
	    memcmp(again.samples, set->samples, set->n * sizeof(*set->samples)) != 0)
		abort();
	raw_sample_set_release(&again);
	return 0;
}

static void check_raw_samples(const uint8_t *data, size_t size, enum sample_kind kind)
{
	struct raw_sample_set set = {};

	if (raw_sample_chunk_decode(data, size, kind, &set) < 0)
		return;
	for (size_t i = 1; i < set.n; i++)
		if (set.samples[i].time_ns < set.samples[i - 1].time_ns)
			abort();
	if (raw_sample_chunk_encode(set.samples, set.n, check_raw_again, &set) < 0)
		abort();
	raw_sample_set_release(&set);
}

static void check_either(uint8_t how, const uint8_t *data, size_t size)
{
	enum sample_kind kind = how & 8 ? SAMPLE_OFFCPU : SAMPLE_CPU;

	if (how & 4 && how & 16)
		check_raw_samples(data, size, kind);
	else if (how & 4)
		check_samples(data, size, kind);
	else
		check(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bound = ZSTD_compressBound(size), packed;
	uint8_t *chunk, *p;

	if (size < 3)
		return 0;
	if (!(data[0] & 1)) {
		check_either(data[0], data + 1, size - 1);
		return 0;
	}
	chunk = malloc(bound + 1 + 2 * VARINT_MAX);
	if (!chunk)
		return 0;
	chunk[0] = data[0] & 2 ? 2 : 1;
	p = varint_put(chunk + 1, data[1] + 1);
	p = varint_put(p, size - 2);
	packed = ZSTD_compress(p, bound, data + 2, size - 2, 1);
	check_either(data[0], chunk, p - chunk + packed);
	free(chunk);
	return 0;
}
