/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arena.h"

enum { BLOCK = 64 << 10, ALIGN = 16, MAX_LEN = 1 << 30 };

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

static struct arena_block *block_for(struct arena *a, size_t len)
{
	struct arena_block **at = a->current ? &a->current : &a->first;
	struct arena_block *b;

	/* Blocks of before are used again, where they are large enough. */
	while (*at && (*at)->size - (*at)->used < len)
		at = &(*at)->next;
	if (*at)
		return a->current = *at;
	b = malloc(sizeof(*b) + MAX(len, (size_t)BLOCK));
	if (!b)
		return NULL;
	b->next = NULL;
	b->size = MAX(len, (size_t)BLOCK);
	b->used = 0;
	*at = b;
	return a->current = b;
}

void *arena_get(struct arena *a, size_t len)
{
	struct arena_block *b = NULL;
	void *p;

	if (!a->failed && len <= MAX_LEN) {
		len = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
		b = a->current && a->current->size - a->current->used >= len ? a->current
									     : block_for(a, len);
	}
	if (!b) {
		a->failed = true;
		return NULL;
	}
	p = b->data + b->used;
	b->used += len;
	return memset(p, 0, len);
}

char *arena_text(struct arena *a, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	char *p = arena_get(a, len + 1);

	return p && len ? memcpy(p, s, len) : p;
}

void arena_reset(struct arena *a)
{
	for (struct arena_block *b = a->first; b; b = b->next)
		b->used = 0;
	a->current = a->first;
	a->failed = false;
}

void arena_release(struct arena *a)
{
	while (a->first) {
		struct arena_block *b = a->first;

		a->first = b->next;
		free(b);
	}
	*a = (struct arena){};
}
