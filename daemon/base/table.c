/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/table.h"

enum { TABLE_MIN_SLOTS = 64 };

/* The slot of the key, or the free slot where it belongs. There is always a free one. */
static struct table_slot *find_slot(struct table_slot *slots, size_t mask, uint64_t key)
{
	size_t i = hash_mix(0, key) & mask;

	while (slots[i].used && slots[i].key != key)
		i = (i + 1) & mask;
	return &slots[i];
}

static bool table_grow(struct table *t)
{
	size_t count = t->slots ? (t->mask + 1) * 2 : TABLE_MIN_SLOTS;
	struct table_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i].used)
			*find_slot(slots, count - 1, t->slots[i].key) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->mask = count - 1;
	return true;
}

uint32_t *table_get(const struct table *t, uint64_t key)
{
	struct table_slot *slot;

	if (!t->slots)
		return NULL;
	slot = find_slot(t->slots, t->mask, key);
	return slot->used ? &slot->value : NULL;
}

uint32_t *table_put(struct table *t, uint64_t key, bool *ret_new)
{
	struct table_slot *slot = t->slots ? find_slot(t->slots, t->mask, key) : NULL;

	if (slot && slot->used) {
		if (ret_new)
			*ret_new = false;
		return &slot->value;
	}
	/* At most three quarters full: linear probing stays short. */
	if (!slot || (t->len + 1) * 4 > (t->mask + 1) * 3) {
		if (!table_grow(t))
			return NULL;
		slot = find_slot(t->slots, t->mask, key);
	}
	*slot = (struct table_slot){.key = key, .used = 1};
	t->len++;
	if (ret_new)
		*ret_new = true;
	return &slot->value;
}

void table_clear(struct table *t)
{
	if (t->slots)
		memset(t->slots, 0, (t->mask + 1) * sizeof(*t->slots));
	t->len = 0;
}

void table_release(struct table *t)
{
	free(t->slots);
	*t = (struct table){};
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = hash_mix(seed, len), word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = hash_mix(h, word);
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	h = hash_mix(h, word);
	return hash_mix(h, h >> 29);
}
