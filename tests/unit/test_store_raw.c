/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed raw samples: what was put in comes out, in order, and what is damaged is not believed. */
#include "store_help.h"

#include "store/raw_sample_chunk.h"
#include "store/schema.h"

struct chunks {
	struct raw_sample_chunk items[8];
	size_t n;
};

static int take_chunk(void *arg, struct raw_sample_chunk *chunk)
{
	struct chunks *c = arg;

	cr_assert_lt(c->n, ARRAY_SIZE(c->items));
	c->items[c->n++] = *chunk;
	chunk->data = NULL;
	return 0;
}

static void chunks_release(struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		raw_sample_chunk_release(&c->items[i]);
	*c = (struct chunks){};
}

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {0, 1, STORE_MAX_NUMBER, UINT32_MAX};

	return below(3) ? next_random() >> (2 + below(62)) : odd[below(ARRAY_SIZE(odd))];
}

static struct raw_sample odd_sample(void)
{
	return (struct raw_sample){.time_ns = odd_number(),
				   .ns = below(2) ? odd_number() : 0,
				   .total_ns = below(2) ? odd_number() : 0,
				   .process = (uint32_t)odd_number(),
				   .tid = (uint32_t)odd_number(),
				   .thread = (uint32_t)odd_number(),
				   .stack = (uint32_t)odd_number(),
				   .kind = below(2),
				   .count = (uint32_t)odd_number()};
}

static void check_round_trip(struct raw_sample *samples, size_t n)
{
	struct chunks c = {};
	size_t at = 0;

	cr_assert_eq(raw_sample_chunk_encode(samples, n, take_chunk, &c), 0);
	/* Now they are in order. */
	for (size_t i = 0; i < c.n; i++) {
		const struct raw_sample_chunk *chunk = &c.items[i];
		struct raw_sample_set set = {};
		uint64_t last_ns = 0;

		cr_assert_eq(raw_sample_chunk_decode(chunk->data, chunk->size, chunk->kind, &set),
			     0);
		cr_assert(set.n == chunk->count && at + set.n <= n);
		cr_assert_eq(memcmp(set.samples, samples + at, set.n * sizeof(*samples)), 0);
		at += set.n;
		for (size_t k = 0; k < set.n; k++)
			last_ns = MAX(last_ns, MIN(set.samples[k].time_ns + set.samples[k].ns,
						   STORE_MAX_NUMBER));
		cr_assert_eq(chunk->first_ns, set.samples[0].time_ns);
		cr_assert_eq(chunk->last_ns, last_ns);
		raw_sample_set_release(&set);
	}
	cr_assert_eq(at, n);
	chunks_release(&c);
}

Test(raw, any_samples_come_back)
{
	size_t most = RAW_SAMPLE_CHUNK_MAX + 1000;
	struct raw_sample *samples = calloc(most, sizeof(*samples));

	seed_rng();
	for (int round = 0; round < 100; round++) {
		size_t n = round ? below(200) : most;

		for (size_t i = 0; i < n; i++) {
			samples[i] = odd_sample();
			if (!round)
				samples[i].kind = SAMPLE_CPU;
		}
		check_round_trip(samples, n);
	}
	free(samples);
}

Test(raw, numbers_that_no_file_holds_are_cut)
{
	struct raw_sample s = {.time_ns = UINT64_MAX, .ns = UINT64_MAX, .kind = SAMPLE_OFFCPU};
	struct raw_sample_set set = {};
	struct chunks c = {};

	cr_assert_eq(raw_sample_chunk_encode(&s, 1, take_chunk, &c), 0);
	cr_assert_eq(c.items[0].last_ns, STORE_MAX_NUMBER);
	cr_assert_eq(raw_sample_chunk_decode(c.items[0].data, c.items[0].size, 1, &set), 0);
	cr_assert(set.samples[0].time_ns == STORE_MAX_NUMBER &&
		  set.samples[0].ns == STORE_MAX_NUMBER && set.samples[0].total_ns == 0);
	raw_sample_set_release(&set);
	chunks_release(&c);
}

static int refuse(void *arg, struct raw_sample_chunk *chunk)
{
	(void)chunk;
	++*(int *)arg;
	return -EIO;
}

Test(raw, who_takes_the_chunks_may_refuse)
{
	struct raw_sample two[] = {{.count = 1}, {.kind = SAMPLE_OFFCPU, .count = 1}};
	int calls = 0;

	cr_assert_eq(raw_sample_chunk_encode(two, 2, refuse, &calls), -EIO);
	cr_assert_eq(calls, 1);
	cr_assert_eq(raw_sample_chunk_encode(NULL, 0, refuse, &calls), 0);
	cr_assert_eq(calls, 1);
}

/* As of two CPUs at 997 Hz: the interval wavers, threads take turns, a stack is one of hundreds. */
Test(raw, a_sample_takes_at_most_6_bytes)
{
	enum { N = 20000 };
	struct raw_sample *samples = calloc(N, sizeof(*samples));
	struct chunks c = {};
	uint64_t now = 1000000000;

	seed_rng();
	for (size_t i = 0; i < N; i++) {
		uint32_t thread = (uint32_t)below(5);

		now += 501000 + below(4096);
		samples[i] = (struct raw_sample){.time_ns = now,
						 .process = 70 + thread / 2,
						 .tid = 4000 + thread,
						 .thread = 9 + thread,
						 .stack = 100 + (uint32_t)below(300),
						 .count = 1};
	}
	cr_assert_eq(raw_sample_chunk_encode(samples, N, take_chunk, &c), 0);
	cr_assert_eq(c.n, 1);
	cr_assert_leq(c.items[0].size, 6 * N);
	chunks_release(&c);
	free(samples);
}

Test(raw, what_is_damaged_is_refused)
{
	struct raw_sample samples[300];
	struct raw_sample_set set = {};
	struct chunks c = {};
	int refused = 0;

	seed_rng();
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		samples[i] = odd_sample();
		samples[i].kind = SAMPLE_OFFCPU;
	}
	cr_assert_eq(raw_sample_chunk_encode(samples, ARRAY_SIZE(samples), take_chunk, &c), 0);
	for (size_t size = 0; size < c.items[0].size; size += 1 + below(20))
		cr_assert_eq(raw_sample_chunk_decode(c.items[0].data, size, 1, &set), -EBADMSG);
	for (int i = 0; i < 500; i++) {
		uint8_t *at = &c.items[0].data[below(c.items[0].size)], bit = 1 << below(8);

		*at ^= bit;
		refused += raw_sample_chunk_decode(c.items[0].data, c.items[0].size, 1, &set) < 0;
		raw_sample_set_release(&set);
		*at ^= bit;
	}
	cr_assert_gt(refused, 100);
	chunks_release(&c);
}
