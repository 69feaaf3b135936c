/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_async.h"

void source_async_release(struct source_async *a)
{
	free(a->halves);
	table_release(&a->index);
	*a = (struct source_async){};
}

static uint64_t hash_of(const struct async_half *h)
{
	return hash_mix(hash_mix(hash_mix(h->pid, h->site), h->key), h->site);
}

static bool same(const struct async_half *a, const struct async_half *b)
{
	return a->pid == b->pid && a->site == b->site && a->key == b->key;
}

static void take_out(struct source_async *a, uint32_t i)
{
	uint32_t *at = table_get(&a->index, hash_of(&a->halves[i]));

	while (at && *at && *at != i + 1)
		at = &a->halves[*at - 1].next;
	if (at && *at)
		*at = a->halves[i].next;
	a->halves[i].used = false;
}

/* Of several, the beginning that is nearest before an end, or the end that is nearest behind. */
static bool is_better(const struct async_half *h, const struct async_half *than, bool is_end)
{
	return !than || (is_end ? h->time_ns < than->time_ns : h->time_ns > than->time_ns);
}

static bool goes_with(const struct async_half *begin, const struct async_half *end)
{
	return !begin->is_end && end->is_end && begin->time_ns <= end->time_ns;
}

static void wait_for_other(struct source_async *a, const struct async_half *half)
{
	uint32_t i = a->oldest, *first;

	if (a->halves[i].used) {
		take_out(a, i);
		a->forgotten++;
	}
	first = table_put(&a->index, hash_of(half), NULL);
	if (!first) {
		a->forgotten++;
		return;
	}
	a->halves[i] = *half;
	a->halves[i].used = true;
	a->halves[i].next = *first;
	*first = i + 1;
	a->oldest = (i + 1) % ASYNC_MAX;
	/* Hashes that nothing waits at any more stay in the table: begin anew, now and then. */
	if (a->index.len < 4 * ASYNC_MAX)
		return;
	table_clear(&a->index);
	for (i = 0; i < ASYNC_MAX; i++) {
		if (!a->halves[i].used)
			continue;
		first = table_put(&a->index, hash_of(&a->halves[i]), NULL);
		a->halves[i].used = first != NULL;
		a->halves[i].next = first ? *first : 0;
		if (first)
			*first = i + 1;
	}
}

bool source_async_pair(struct source_async *a, const struct async_half *half,
		       struct async_half *ret)
{
	const struct async_half *best = NULL;
	const uint32_t *at;
	uint32_t i, last = 0, n = 0;

	if (!a->halves)
		a->halves = calloc(ASYNC_MAX, sizeof(*a->halves));
	if (!a->halves) {
		a->forgotten++;
		return false;
	}
	at = table_get(&a->index, hash_of(half));
	for (i = at ? *at : 0; i; i = a->halves[i - 1].next) {
		const struct async_half *h = &a->halves[i - 1];

		last = i;
		n++;
		if (same(h, half) && (half->is_end ? goes_with(h, half) : goes_with(half, h)) &&
		    is_better(h, best, h->is_end))
			best = h;
	}
	if (!best) {
		/* A key that is begun and never ended must not be dear to look for. */
		if (n >= ASYNC_MAX_SAME) {
			take_out(a, last - 1);
			a->forgotten++;
		}
		wait_for_other(a, half);
		return false;
	}
	*ret = *best;
	take_out(a, (uint32_t)(best - a->halves));
	return true;
}
