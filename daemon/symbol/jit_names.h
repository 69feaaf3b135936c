/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts one behind the other, known by where they begin; 0 is none. Starts as all zero. */
#ifndef SONDE_SYMBOL_JIT_NAMES_H
#define SONDE_SYMBOL_JIT_NAMES_H

#include "sonde/base/util.h"

enum { JIT_NAMES_MAX = 64 << 20, JIT_NAME_MAX = 1023 };

struct jit_names {
	char *text;
	size_t len, cap;
};

/* Cuts what is too long, replaces control characters. 0: no memory, too many, or nothing in it. */
static inline uint32_t jit_names_add(struct jit_names *n, const char *s, size_t len)
{
	size_t at = MAX(n->len, (size_t)1);

	len = strnlen(s, MIN(len, (size_t)JIT_NAME_MAX));
	if (len == 0 || at + len + 1 > JIT_NAMES_MAX ||
	    array_reserve(&n->text, &n->cap, at + len + 1, 1) < 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		n->text[at + i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i];
	n->text[at + len] = 0;
	n->len = at + len + 1;
	return (uint32_t)at;
}

static inline const char *jit_names_get(const struct jit_names *n, uint32_t at)
{
	return at ? n->text + at : NULL;
}

#endif
