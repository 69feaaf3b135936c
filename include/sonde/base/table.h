/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flat open-addressing hash table from 64-bit keys to 32-bit values, for aggregation: the key
 * is a full identity (an id or a packed pair), or a hash whose caller compares the element the
 * value points at. No deletion of single keys: aggregation never needs it.
 */
#ifndef SONDE_BASE_TABLE_H
#define SONDE_BASE_TABLE_H

#include "sonde/base/util.h"

struct table_slot {
	uint64_t key;
	uint32_t value;
	uint32_t used;
};

struct table {
	struct table_slot *slots;
	size_t mask, len;
};

/* Where the key's value is kept, or NULL. The pointer is good until the next table_put(). */
uint32_t *table_get(const struct table *t, uint64_t key);
/* As table_get(), but inserts the key with value 0 and *ret_new = true. NULL: out of memory. */
uint32_t *table_put(struct table *t, uint64_t key, bool *ret_new);
void table_clear(struct table *t); /* keeps the memory */
void table_release(struct table *t);

static inline uint64_t hash_mix(uint64_t h, uint64_t v)
{
	h ^= v;
	h *= 0x9E3779B97F4A7C15ULL;
	return h ^ (h >> 32);
}
/* Has the memory fetched that table_get() will look at: large tables are in no cache. */
static inline void table_prefetch(const struct table *t, uint64_t key)
{
	if (t->slots)
		__builtin_prefetch(&t->slots[hash_mix(0, key) & t->mask]);
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);

#endif
