/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by usdt.c and usdt_image.c: notes, read here or mapped. */
#ifndef SONDE_SYMBOL_USDT_INTERNAL_H
#define SONDE_SYMBOL_USDT_INTERNAL_H

#include "symbol/flat.h"
#include "symbol/usdt.h"

enum { USDT_TEXT_MAX = 4096 };

struct usdt_notes {
	char *text; /* all strings, each with its NUL; NULL when they are in the mapping */
	struct usdt_note *items;
	size_t n, cap;
	struct flat flat;
};

/* Names are shown and matched by globs: no control characters, and not nothing. */
bool usdt_is_name(const char *s);
/* The order of notes, for qsort(). */
int usdt_note_compare(const void *a, const void *b);

#endif
