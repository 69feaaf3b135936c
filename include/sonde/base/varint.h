/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variable-length integers: seven bits a byte, the lowest first, the top bit says that more follow.
 * Signed ones are folded (zigzag), so that small negative numbers stay short.
 */
#ifndef SONDE_BASE_VARINT_H
#define SONDE_BASE_VARINT_H

#include "sonde/base/util.h"

enum { VARINT_MAX = 10 };

/* Writes v at p, where VARINT_MAX bytes are free, and returns the end. */
static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

/* Reads at *p and moves it on. false: the data end too soon or the number has more than 64 bits. */
static inline bool varint_get(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t byte = *(*p)++;

		if (shift == 63 && byte > 1)
			return false;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static inline uint64_t zigzag(uint64_t delta)
{
	return delta << 1 ^ -(delta >> 63);
}

static inline uint64_t unzigzag(uint64_t v)
{
	return v >> 1 ^ -(v & 1);
}

#endif
