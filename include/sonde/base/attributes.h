/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes of a span, packed: each says its key, its type and its value. They lie where functions
 * have captured values (struct span_more), and so in windows, recordings and history. Readers take
 * nothing for granted, as recordings come from anyone.
 */
#ifndef SONDE_BASE_ATTRIBUTES_H
#define SONDE_BASE_ATTRIBUTES_H

#include "sonde/base/strbuf.h"

enum {
	ATTRIBUTES_MAX_BYTES = 1536, /* of a span: what is beyond is left out */
	ATTRIBUTE_MAX_TEXT = 255,    /* of a key and of a text: longer ones are cut */
};

/* Numbers are never reused: files have them. */
enum attribute_type {
	ATTRIBUTE_INT = 1,
	ATTRIBUTE_UINT = 2,
	ATTRIBUTE_REAL = 3,
	ATTRIBUTE_BOOL = 4, /* number: 0 or 1 */
	ATTRIBUTE_TEXT = 5,
};

/* Texts have no NUL at their end. */
struct attribute {
	enum attribute_type type;
	const char *key, *text;
	size_t key_len, text_len;
	uint64_t number; /* of all but texts and reals; signed ones as they are */
	double real;
};

/* Adds one to the len bytes there are and returns how many there are then; it is left out where
 * there is no room for it, with *ret_left_out set, which is not touched else. */
size_t attributes_put(uint8_t buf[static ATTRIBUTES_MAX_BYTES], size_t len,
		      const struct attribute *a, bool *ret_left_out);
/* The attribute at *pos, which moves behind it. False at the end, and where it makes no sense. */
bool attributes_next(const uint8_t *data, size_t len, size_t *pos, struct attribute *ret);
/* The last one of that key. */
bool attributes_find(const uint8_t *data, size_t len, const char *key, struct attribute *ret);
/* A number as people read it; nothing for texts, which depend on what they are for. */
void attribute_print_number(const struct attribute *a, struct strbuf *out);

#endif
