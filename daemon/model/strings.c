/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "strings.h"

enum { BLOCK_SIZE = 64 << 10 };

/* Room for len bytes and a NUL; a long string gets a block of its own. */
static char *reserve_text(struct strings *t, size_t len)
{
	size_t need = len + 1;
	char *block;

	if (t->n_blocks && t->size - t->used >= need)
		return t->blocks[t->n_blocks - 1] + t->used;
	if (array_reserve(&t->blocks, &t->blocks_cap, t->n_blocks + 1, sizeof(*t->blocks)) < 0)
		return NULL;
	block = malloc(MAX(need, (size_t)BLOCK_SIZE));
	if (!block)
		return NULL;
	t->blocks[t->n_blocks++] = block;
	t->size = MAX(need, (size_t)BLOCK_SIZE);
	t->used = 0;
	return block;
}

uint32_t strings_add(struct strings *t, const char *s, size_t len)
{
	uint64_t key;
	uint32_t *slot;
	char *text;

	if (!s)
		return 0;
	len = strnlen(s, len);
	if (len > STRING_MAX)
		return 0;
	key = hash_bytes(s, len, 0);
	while ((slot = table_get(&t->index, key))) {
		const char *have = t->text[*slot];

		if (strncmp(have, s, len) == 0 && have[len] == '\0')
			return *slot;
		key = hash_mix(key, 1);
	}
	if (t->count == UINT32_MAX ||
	    array_reserve(&t->text, &t->cap, (size_t)t->count + 2, sizeof(*t->text)) < 0)
		return 0;
	text = reserve_text(t, len);
	slot = text ? table_put(&t->index, key, NULL) : NULL;
	if (!slot)
		return 0;
	memcpy(text, s, len);
	text[len] = '\0';
	t->used += len + 1;
	*slot = ++t->count;
	t->text[t->count] = text;
	return t->count;
}

const char *strings_get(const struct strings *t, uint32_t id)
{
	return id && id <= t->count ? t->text[id] : "";
}

void strings_release(struct strings *t)
{
	for (size_t i = 0; i < t->n_blocks; i++)
		free(t->blocks[i]);
	free(t->blocks);
	free(t->text);
	table_release(&t->index);
	*t = (struct strings){};
}
