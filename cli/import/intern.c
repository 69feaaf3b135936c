/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "intern.h"

/* Other keys of the same hash are passed over: the next hash is made of this one. */
static uint64_t first_hash(const void *data, size_t len)
{
	return hash_bytes(data, len, 0x736f6e6465);
}

uint32_t import_keys_put(struct import_keys *k, const void *key, bool *ret_new)
{
	uint64_t hash = first_hash(key, k->size);
	uint32_t *slot;
	bool is_new;

	if (k->n >= UINT32_MAX - 1 || array_reserve(&k->items, &k->cap, k->n + 1, k->size) < 0)
		return 0;
	for (;; hash = hash_mix(hash, 1)) {
		slot = table_put(&k->index, hash, &is_new);
		if (!slot)
			return 0;
		if (is_new || !memcmp(k->items + (*slot - 1) * k->size, key, k->size))
			break;
	}
	*ret_new = is_new;
	if (is_new) {
		memcpy(k->items + k->n * k->size, key, k->size);
		*slot = (uint32_t)++k->n;
	}
	return *slot;
}

void import_keys_release(struct import_keys *k)
{
	free(k->items);
	table_release(&k->index);
}

uint32_t import_strings_put(struct import_strings *s, const char *text, size_t len, bool *ret_new)
{
	uint64_t hash = first_hash(text, len);
	uint32_t *slot;
	bool is_new;

	if (s->n >= UINT32_MAX - 1 ||
	    array_reserve(&s->at, &s->at_cap, s->n + 1, sizeof(*s->at)) < 0 ||
	    array_reserve(&s->text, &s->cap, s->len + len + 1, 1) < 0)
		return 0;
	for (;; hash = hash_mix(hash, 1)) {
		const char *have;

		slot = table_put(&s->index, hash, &is_new);
		if (!slot)
			return 0;
		have = is_new ? NULL : s->text + s->at[*slot - 1];
		if (is_new || (!memcmp(have, text, len) && !have[len]))
			break;
	}
	*ret_new = is_new;
	if (is_new) {
		s->at[s->n] = s->len;
		memcpy(s->text + s->len, text, len);
		s->text[s->len + len] = '\0';
		s->len += len + 1;
		*slot = (uint32_t)++s->n;
	}
	return *slot;
}

const char *import_strings_get(const struct import_strings *s, uint32_t number)
{
	return number ? s->text + s->at[number - 1] : "";
}

void import_strings_release(struct import_strings *s)
{
	free(s->text);
	free(s->at);
	table_release(&s->index);
}
