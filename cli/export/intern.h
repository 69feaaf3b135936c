/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings by number, each once, in the order in which they came: the string tables of formats. */
#ifndef SONDE_EXPORT_INTERN_H
#define SONDE_EXPORT_INTERN_H

#include "sonde/base/table.h"

/* Starts as all zero. */
struct intern {
	struct table numbers;
	char **strings; /* owned */
	size_t n, cap;
};

/* Finds or adds a string. 0 or -ENOMEM. */
int intern_put(struct intern *t, const char *s, uint32_t *ret);
/* The same of what is valid UTF-8 when the string is not: what is not is replaced by U+FFFD. */
int intern_put_utf8(struct intern *t, const char *s, uint32_t *ret);
void intern_release(struct intern *t);

#endif
