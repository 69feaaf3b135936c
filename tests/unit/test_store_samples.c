/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed samples: what was put in comes out, in order, and nothing that is damaged is believed. */
#include "store_help.h"

#include "store/sample_chunk.h"
#include "store/schema.h"

struct packed {
	struct sample_set sets[8];
	size_t n;
	uint8_t *data; /* of the last one */
	size_t size;
	enum sample_kind kind;
};

static int keep_chunk(void *arg, const struct sample_chunk *chunk)
{
	struct packed *p = arg;
	uint64_t sum = 0;

	cr_assert_lt(p->n, ARRAY_SIZE(p->sets));
	cr_assert_eq(sample_chunk_decode(chunk->data, chunk->size, chunk->kind, &p->sets[p->n]), 0);
	cr_assert_eq(p->sets[p->n].n, chunk->count);
	for (size_t i = 0; i < chunk->count; i++)
		sum = MIN(sum + p->sets[p->n].rows[i].count, STORE_MAX_NUMBER);
	cr_assert_eq(sum, chunk->samples);
	p->n++;
	free(p->data);
	p->data = malloc(chunk->size);
	memcpy(p->data, chunk->data, chunk->size);
	p->size = chunk->size;
	p->kind = chunk->kind;
	return 0;
}

static void packed_release(struct packed *p)
{
	for (size_t i = 0; i < p->n; i++)
		sample_set_release(&p->sets[i]);
	free(p->data);
	*p = (struct packed){};
}

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {0, 1, STORE_MAX_NUMBER, UINT32_MAX};

	return below(3) ? next_random() >> (2 + below(62)) : odd[below(ARRAY_SIZE(odd))];
}

static struct sample_row odd_row(void)
{
	return (struct sample_row){.process = (uint32_t)odd_number(),
				   .thread = (uint32_t)odd_number(),
				   .stack = (uint32_t)odd_number(),
				   .kind = below(2),
				   .count = odd_number()};
}

static int compare(const void *a, const void *b)
{
	const struct sample_row *x = a, *y = b;
	const uint64_t left[] = {x->kind, x->process, x->thread, x->stack, x->count, x->total_ns};
	const uint64_t right[] = {y->kind, y->process, y->thread, y->stack, y->count, y->total_ns};

	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

static void check_round_trip(struct sample_row *rows, size_t n, struct packed *p)
{
	struct sample_row *back = calloc(n + 1, sizeof(*back));
	size_t n_back = 0;

	cr_assert_eq(sample_chunk_encode(rows, n, 1 + (int)below(9), keep_chunk, p), 0);
	for (size_t i = 0; i < p->n; i++) {
		cr_assert_leq(n_back + p->sets[i].n, n);
		memcpy(back + n_back, p->sets[i].rows, p->sets[i].n * sizeof(*back));
		n_back += p->sets[i].n;
	}
	cr_assert_eq(n_back, n);
	qsort(rows, n, sizeof(*rows), compare);
	qsort(back, n, sizeof(*back), compare);
	cr_assert(n == 0 || memcmp(rows, back, n * sizeof(*rows)) == 0);
	free(back);
}

Test(samples, any_rows_come_back)
{
	size_t most = SAMPLE_CHUNK_MAX + 1000;
	struct sample_row *rows = calloc(most, sizeof(*rows));

	seed_rng();
	for (int round = 0; round < 100; round++) {
		size_t n = round ? below(200) : most;
		struct packed p = {};

		for (size_t i = 0; i < n; i++) {
			rows[i] = odd_row();
			if (rows[i].kind == SAMPLE_OFFCPU)
				rows[i].total_ns = odd_number();
		}
		check_round_trip(rows, n, &p);
		packed_release(&p);
	}
	free(rows);
}

static int refuse(void *arg, const struct sample_chunk *chunk)
{
	(void)chunk;
	++*(int *)arg;
	return -EIO;
}

Test(samples, who_takes_the_chunks_may_refuse)
{
	struct sample_row rows[] = {{.process = 1, .count = 1},
				    {.process = 1, .kind = SAMPLE_OFFCPU, .count = 1}};
	int calls = 0;

	cr_assert_eq(sample_chunk_encode(rows, 2, 1, refuse, &calls), -EIO);
	cr_assert_eq(calls, 1);
	cr_assert_eq(sample_chunk_encode(NULL, 0, 1, refuse, &calls), 0);
	cr_assert_eq(calls, 1);
}

/* As those of a busy machine in ten seconds: a few stacks of many short processes. */
Test(samples, a_row_takes_at_most_6_bytes)
{
	enum { N = 400 };
	struct sample_row rows[N];
	struct packed p = {};

	seed_rng();
	for (size_t i = 0; i < N; i++)
		rows[i] = (struct sample_row){.process = 400000 + (uint32_t)below(90),
					      .thread = 30 + (uint32_t)below(4),
					      .stack = (uint32_t)below(100000),
					      .count = 1 + below(2)};
	cr_assert_eq(sample_chunk_encode(rows, N, SAMPLE_CHUNK_QUICK, keep_chunk, &p), 0);
	cr_assert_leq(p.size, 6 * N);
	packed_release(&p);
}

Test(samples, what_is_damaged_is_refused)
{
	struct sample_row rows[300];
	struct packed p = {};
	int refused = 0;

	seed_rng();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i] = odd_row();
		rows[i].kind = SAMPLE_OFFCPU;
	}
	cr_assert_eq(sample_chunk_encode(rows, ARRAY_SIZE(rows), 1, keep_chunk, &p), 0);
	for (size_t size = 0; size < p.size; size += 1 + below(20)) {
		struct sample_set set = {};

		cr_assert_eq(sample_chunk_decode(p.data, size, p.kind, &set), -EBADMSG);
	}
	for (int i = 0; i < 500; i++) {
		uint8_t *bad = malloc(p.size);
		struct sample_set set = {};

		memcpy(bad, p.data, p.size);
		bad[below(p.size)] ^= 1 << below(8);
		refused += sample_chunk_decode(bad, p.size, p.kind, &set) < 0;
		sample_set_release(&set);
		free(bad);
	}
	cr_assert_gt(refused, 100);
	packed_release(&p);
}
