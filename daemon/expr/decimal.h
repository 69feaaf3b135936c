/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers with a fraction or an exponent, as conditions have them: exact beside whole numbers, the
 * nearest double beside doubles. Private to the module.
 */
#ifndef SONDE_EXPR_DECIMAL_H
#define SONDE_EXPR_DECIMAL_H

#include "sonde/base/util.h"

struct decimal { /* mantissa * 10^exp10, or its negative */
	uint64_t mantissa;
	int32_t exp10;
	bool negative;
	double near;
};

/* Digits with a fraction, an exponent or both. -EINVAL: it is none; -ERANGE: it has more than 19
 * digits that count, or no double is near it. */
int decimal_parse(const char *s, struct decimal *ret);
void decimal_negate(struct decimal *d);
/* Its whole part without the sign, and whether anything is behind it. False: 64 bits are too few.
 */
bool decimal_split(const struct decimal *d, uint64_t *ret_whole, bool *ret_more);
/* How the whole number stands to d: -1 below, 0 equal, 1 above. */
int decimal_order(uint64_t number, bool is_signed, const struct decimal *d);

#endif
