/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Things known by what they are, numbered from 1 on in the order in which they came. */
#ifndef SONDE_CLI_IMPORT_INTERN_H
#define SONDE_CLI_IMPORT_INTERN_H

#include "sonde/base/table.h"

/* Keys of one size, without padding. Starts as all zero but for size. */
struct import_keys {
	size_t size;
	char *items; /* of number n: at (n - 1) * size */
	size_t n, cap;
	struct table index;
};

/* The key's number; *ret_new: it is the last one. 0: out of memory. */
uint32_t import_keys_put(struct import_keys *k, const void *key, bool *ret_new);
void import_keys_release(struct import_keys *k);

/* Starts as all zero. */
struct import_strings {
	char *text; /* one behind the other */
	size_t len, cap;
	uint64_t *at; /* of number n: where in text */
	size_t n, at_cap;
	struct table index;
};

uint32_t import_strings_put(struct import_strings *s, const char *text, size_t len, bool *ret_new);
/* "" for 0; good until the next put. */
const char *import_strings_get(const struct import_strings *s, uint32_t number);
void import_strings_release(struct import_strings *s);

#endif
