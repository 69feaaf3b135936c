/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

static void check_round_trip(const struct raw_span *spans, const struct span_args *args, size_t n)
{
	struct span_chunk c = {};
	struct raw_span *back = NULL;
	struct span_args *args_back = NULL;
	size_t count = 0;

	cr_assert_eq(chunk_encode(spans, args, n, &c), 0);
	cr_assert_eq(c.count, n);
	cr_assert_eq(chunk_decode(c.data, c.size, &back, &args_back, &count), 0);
	cr_assert_eq(count, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(memcmp(&back[i], &spans[i], sizeof(*back)), 0, "span %zu", i);
	if (!args)
		cr_assert_null(args_back);
	else
		cr_assert(args_back && memcmp(args_back, args, n * sizeof(*args)) == 0);
	free(back);
	free(args_back);
	chunk_release(&c);
}

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {0, 1, UINT64_MAX, 1ULL << 63, UINT32_MAX};

	return below(3) ? next_random() >> below(64) : odd[below(ARRAY_SIZE(odd))];
}

static struct raw_span odd_span(void)
{
	struct raw_span s = {};

	s.start_ns = odd_number();
	s.duration_ns = odd_number();
	s.self_ns = odd_number();
	s.ret = odd_number();
	s.process = odd_number();
	s.tid = odd_number();
	s.path = odd_number();
	s.depth = odd_number();
	s.flags = odd_number();
	return s;
}

Test(chunk, any_numbers_come_back)
{
	struct raw_span *spans = calloc(CHUNK_MAX_SPANS, sizeof(*spans));
	struct span_args *args = calloc(CHUNK_MAX_SPANS, sizeof(*args));

	seed_rng();
	for (int round = 0; round < 60; round++) {
		size_t n = 1 + below(round % 20 ? 200 : CHUNK_MAX_SPANS);

		memset(spans, 0, n * sizeof(*spans));
		for (size_t i = 0; i < n; i++)
			spans[i] = odd_span();
		for (size_t i = 0; i < n; i++)
			for (int k = 0; k < RECORD_ARGS; k++)
				args[i].values[k] = odd_number();
		args[n - 1].values[RECORD_ARGS - 1] = 1; /* not all zero: those are not kept */
		check_round_trip(spans, round % 2 ? args : NULL, n);
	}
	memset(spans, 0, CHUNK_MAX_SPANS * sizeof(*spans));
	check_round_trip(spans, NULL, CHUNK_MAX_SPANS);
	free(spans);
	free(args);
}

/* Calls as programs make them: durations spread over three decades, children inside parents. */
struct nest {
	struct raw_span *spans;
	size_t n, max;
};

static uint64_t spread(uint64_t low)
{
	return low + below(low << below(6));
}

static uint64_t nested_call(struct nest *out, uint64_t now, int depth, uint32_t path)
{
	uint64_t start = now, inside = 0;

	now += spread(150);
	for (uint64_t i = depth < 4 ? below(4) : 0; i; i--) {
		uint64_t end = nested_call(out, now, depth + 1, path * 4 + 1 + below(3));

		inside += end - now;
		now = end + spread(100);
	}
	now += spread(400);
	if (out->n < out->max)
		out->spans[out->n++] = (struct raw_span){
			.start_ns = start,
			.duration_ns = now - start,
			.self_ns = now - start - inside,
			.ret = below(20) ? 0 : -below(30),
			.process = 3,
			.tid = 1000,
			.path = path,
			.depth = depth,
		};
	return now;
}

Test(chunk, nested_calls_take_at_most_8_bytes)
{
	struct nest nest = {calloc(CHUNK_MAX_SPANS, sizeof(*nest.spans)), 0, CHUNK_MAX_SPANS};
	uint64_t now = 1234567890123;
	struct span_chunk c = {};

	seed_rng();
	while (nest.n < nest.max)
		now = nested_call(&nest, now + 3000, 0, 1);
	check_round_trip(nest.spans, NULL, nest.n);
	cr_assert_eq(chunk_encode(nest.spans, NULL, nest.n, &c), 0);
	cr_assert_leq(c.size, 8 * nest.n, "%u bytes for %zu spans", c.size, nest.n);
	chunk_release(&c);
	free(nest.spans);
}

Test(chunk, refuses_what_it_has_not_made)
{
	struct raw_span spans[100] = {}, *back = NULL;
	struct span_args *args = NULL;
	struct span_chunk c = {};
	uint8_t copy[4096];
	size_t n = 0;

	seed_rng();
	cr_assert_eq(chunk_encode(spans, NULL, 0, &c), -EINVAL);
	cr_assert_eq(chunk_encode(spans, NULL, CHUNK_MAX_SPANS + 1, &c), -EINVAL);
	for (int i = 0; i < 100; i++)
		spans[i].duration_ns = below(1000);
	cr_assert_eq(chunk_encode(spans, NULL, 100, &c), 0);
	cr_assert_lt(c.size, sizeof(copy));
	for (uint32_t size = 0; size < c.size; size++)
		cr_assert_eq(chunk_decode(c.data, size, &back, &args, &n), -EBADMSG, "cut to %u",
			     size);
	memcpy(copy, c.data, c.size);
	copy[c.size] = 0;
	cr_assert_eq(chunk_decode(copy, c.size + 1, &back, &args, &n), -EBADMSG, "a byte more");
	copy[0]++;
	cr_assert_eq(chunk_decode(copy, c.size, &back, &args, &n), -EBADMSG, "a version to come");
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, c.data, c.size);
		for (uint64_t k = 0; k <= below(3); k++)
			copy[below(c.size)] = next_random();
		if (chunk_decode(copy, c.size, &back, &args, &n) == 0) {
			free(back);
			free(args);
		}
	}
	cr_assert(back == NULL || n > 0);
	chunk_release(&c);
}
