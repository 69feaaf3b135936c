/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/type_arena.h"

#include <stdarg.h>

#define ARENA_MAX (256ULL << 20)
enum { BLOCK_SIZE = 64 << 10, ALIGNMENT = 16 };

struct type_block {
	struct type_block *next;
	size_t used, size;
	_Alignas(ALIGNMENT) uint8_t data[];
};

const struct ctype ctype_void = {.kind = CTYPE_VOID, .name = "void"};
const struct ctype ctype_unknown = {.kind = CTYPE_UNKNOWN, .name = "?"};

void *type_arena_alloc(struct type_arena *a, size_t size)
{
	struct type_block *b = a->blocks;
	void *p;

	if (size > ARENA_MAX)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!b || b->size - b->used < size) {
		size_t room = MAX(size, BLOCK_SIZE);

		if (a->total + room > ARENA_MAX)
			return NULL;
		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
		a->total += room;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

const char *type_arena_name(struct type_arena *a, const char *fmt, ...)
{
	char text[TYPE_NAME_MAX], *copy;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return "";
	n = MIN(n, TYPE_NAME_MAX - 1);
	copy = type_arena_alloc(a, (size_t)n + 1);
	if (!copy)
		return "";
	memcpy(copy, text, n);
	return copy;
}

void type_arena_release(struct type_arena *a)
{
	while (a->blocks) {
		struct type_block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->total = 0;
}

const char *ctype_pointer_name(struct type_arena *a, const struct ctype *target, const char *mark)
{
	const char *name = target->name;
	size_t len = strlen(name);
	const char *nested = target->kind == CTYPE_POINTER ? strstr(name, "(*") : NULL;
	char last = len > 0 ? name[len - 1] : '\0';

	/* Before the star of what the function's pointer is already, or before its parameters. */
	if (nested)
		return type_arena_name(a, "%.*s(%s%s", (int)(nested - name), name, mark,
				       nested + 1);
	if (target->kind == CTYPE_FUNCTION) {
		const char *open = strchr(name, '(');

		if (open)
			return type_arena_name(a, "%.*s(%s)%s", (int)(open - name), name, mark,
					       open);
	}
	return type_arena_name(a, "%s%s%s", name, last == '*' || last == '&' ? "" : " ", mark);
}

const char *ctype_qualified_name(struct type_arena *a, const struct ctype *t, const char *word)
{
	size_t len = strlen(t->name);

	if (len > 0 && t->name[len - 1] == '*')
		return type_arena_name(a, "%s%s", t->name, word);
	if (t->kind == CTYPE_POINTER) /* a function's, or a const one already */
		return t->name;
	return type_arena_name(a, "%s %s", word, t->name);
}

const char *ctype_array_name(struct type_arena *a, const struct ctype *element, uint64_t count)
{
	const char *inner = element->kind == CTYPE_ARRAY ? strchr(element->name, '[') : NULL;
	int len = inner ? (int)(inner - element->name) : (int)MIN(strlen(element->name), 256);
	const char *space = inner ? "" : " ";

	if (count == 0)
		return type_arena_name(a, "%.*s%s[]%s", len, element->name, space,
				       inner ? inner : "");
	return type_arena_name(a, "%.*s%s[%llu]%s", len, element->name, space,
			       (unsigned long long)count, inner ? inner : "");
}

bool ctype_values_are_flags(const struct ctype_value *values, size_t n)
{
	uint64_t seen = 0;
	bool zero = false;

	for (size_t i = 0; i < n; i++) {
		uint64_t v = (uint64_t)values[i].value;

		if (v & (v - 1))
			return false;
		seen |= v;
		zero |= v == 0;
	}
	return (seen & (seen - 1)) != 0 && !(zero && seen == 3);
}

bool ctype_place_bits(struct ctype_member *m, uint64_t first, uint64_t bits)
{
	uint64_t size = m->type->size, unit;

	if (size == 0 || size > 8 || bits > 8 * size)
		return false;
	unit = first / (8 * size) * size;
	if (first - 8 * unit + bits > 8 * size)
		unit = first / 8;
	if (first - 8 * unit + bits > 8 * size)
		return false;
	m->offset = (uint32_t)unit;
	m->shift = (uint8_t)(first - 8 * unit);
	m->bits = (uint8_t)bits;
	return true;
}
