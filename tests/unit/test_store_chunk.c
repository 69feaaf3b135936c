/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

static void check_round_trip(const struct raw_span *spans, const struct more_pool *more,
			     size_t first, size_t n)
{
	struct span_chunk c = {};
	struct span_set back = {};

	cr_assert_eq(chunk_encode(spans, more, first, n, &c), 0);
	cr_assert_eq(c.count, n);
	cr_assert_eq(chunk_decode(c.data, c.size, &back), 0);
	cr_assert_eq(back.n, n);
	cr_assert(more || back.more.n == 0);
	for (size_t i = 0; i < n; i++) {
		struct span_more got = more_pool_get(&back.more, i), want = {};

		if (more)
			want = more_pool_get(more, first + i);
		cr_assert_eq(memcmp(&back.spans[i], &spans[first + i], sizeof(*spans)), 0,
			     "span %zu", i);
		cr_assert_eq(span_more_compare(&got, &want), 0, "span %zu", i);
	}
	span_set_release(&back);
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

/* which: bits of what spans may have; a third of them have nothing. */
static void put_odd_more(struct more_pool *pool, size_t i, uint64_t which)
{
	uint64_t args[RECORD_ARGS];
	uint8_t values[RECORD_MAX_VALUES];
	struct span_more more = {};

	for (int k = 0; k < RECORD_ARGS; k++)
		args[k] = odd_number();
	for (int k = 0; k < RECORD_MAX_VALUES; k++)
		values[k] = next_random();
	if (which & 1 && below(3))
		more.args = args;
	if (which & 2 && below(3))
		more.offcpu_ns = odd_number();
	if (which & 4 && below(3)) {
		more.valid = odd_number();
		more.values_len = below(RECORD_MAX_VALUES + 1);
		more.values = values;
	}
	if (which & 8 && below(3))
		more.stack = odd_number();
	if (which & 16 && below(3)) {
		more.exception_type = odd_number();
		more.exception_message = odd_number();
	}
	cr_assert_eq(more_pool_put(pool, i, &more), 0);
}

Test(chunk, any_numbers_come_back)
{
	struct raw_span *spans = calloc(CHUNK_MAX_SPANS, sizeof(*spans));
	struct more_pool more = {};

	seed_rng();
	for (int round = 0; round < 96; round++) {
		size_t first, n = 1 + below(round % 20 ? 200 : CHUNK_MAX_SPANS);

		memset(spans, 0, n * sizeof(*spans));
		for (size_t i = 0; i < n; i++)
			spans[i] = odd_span();
		more_pool_clear(&more);
		for (size_t i = 0; i < n; i++)
			put_odd_more(&more, i, round);
		first = below(n);
		check_round_trip(spans, round % 32 ? &more : NULL, first, n - first);
	}
	memset(spans, 0, CHUNK_MAX_SPANS * sizeof(*spans));
	check_round_trip(spans, NULL, 0, CHUNK_MAX_SPANS);
	free(spans);
	more_pool_release(&more);
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
	check_round_trip(nest.spans, NULL, 0, nest.n);
	cr_assert_eq(chunk_encode(nest.spans, NULL, 0, nest.n, &c), 0);
	cr_assert_leq(c.size, 8 * nest.n, "%u bytes for %zu spans", c.size, nest.n);
	chunk_release(&c);
	free(nest.spans);
}

Test(chunk, refuses_what_it_has_not_made)
{
	struct raw_span spans[100] = {};
	struct span_set back = {};
	struct span_chunk c = {};
	uint8_t copy[4096];

	seed_rng();
	cr_assert_eq(chunk_encode(spans, NULL, 0, 0, &c), -EINVAL);
	cr_assert_eq(chunk_encode(spans, NULL, 0, CHUNK_MAX_SPANS + 1, &c), -EINVAL);
	for (int i = 0; i < 100; i++)
		spans[i].duration_ns = below(1000);
	cr_assert_eq(chunk_encode(spans, NULL, 0, 100, &c), 0);
	cr_assert_lt(c.size, sizeof(copy));
	for (uint32_t size = 0; size < c.size; size++)
		cr_assert_eq(chunk_decode(c.data, size, &back), -EBADMSG, "cut to %u", size);
	memcpy(copy, c.data, c.size);
	copy[c.size] = 0;
	cr_assert_eq(chunk_decode(copy, c.size + 1, &back), -EBADMSG, "a byte more");
	copy[0]++;
	cr_assert_eq(chunk_decode(copy, c.size, &back), -EBADMSG, "a version to come");
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, c.data, c.size);
		for (uint64_t k = 0; k <= below(3); k++)
			copy[below(c.size)] = next_random();
		if (chunk_decode(copy, c.size, &back) == 0) {
			cr_assert_gt(back.n, 0);
			span_set_release(&back);
		}
	}
	chunk_release(&c);
}

/* Bytes that packing adds for a session that keeps what a trace usually does. */
Test(chunk, little_is_kept_in_little_room)
{
	struct nest nest = {calloc(CHUNK_MAX_SPANS, sizeof(*nest.spans)), 0, CHUNK_MAX_SPANS};
	uint64_t now = 1234567890123;
	struct span_chunk bare = {}, c = {};
	struct more_pool more = {};

	seed_rng();
	while (nest.n < nest.max)
		now = nested_call(&nest, now + 3000, 0, 1);
	cr_assert_eq(chunk_encode(nest.spans, NULL, 0, nest.n, &bare), 0);
	cr_assert_eq(chunk_encode(nest.spans, &more, 0, nest.n, &c), 0);
	cr_assert_eq(c.size, bare.size, "nothing more, but %u bytes for %u", c.size, bare.size);
	chunk_release(&c);
	for (size_t i = 0; i < nest.n; i++) {
		const uint64_t args[RECORD_ARGS] = {0x7ffe12340000 + 64 * below(4), 3, below(9)};
		struct {
			uint64_t number;
			uint32_t len;
			char text[20];
		} values = {below(100), 6, "orders"};

		cr_assert_eq(more_pool_put(&more, i,
					   &(struct span_more){.args = args,
							       .valid = 3,
							       .values = (uint8_t *)&values,
							       .values_len = sizeof(values)}),
			     0);
	}
	check_round_trip(nest.spans, &more, 0, nest.n);
	cr_assert_eq(chunk_encode(nest.spans, &more, 0, nest.n, &c), 0);
	cr_assert_leq(c.size, bare.size + 8 * nest.n, "%u bytes more for %zu spans",
		      c.size - bare.size, nest.n);
	chunk_release(&bare);
	chunk_release(&c);
	more_pool_release(&more);
	free(nest.spans);
}
