/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/decimal.h"

#include <ctype.h>
#include <math.h>

/* More digits than any exponent of a double has. */
enum { MAX_EXPONENT = 10000 };

/*
 * The digits at *s, and how many there are. Zeros wait in *zeros until another digit follows them:
 * at the end they only change the exponent. False: there are too many.
 */
static bool take_digits(const char **s, uint64_t *mantissa, int32_t *zeros, int32_t *ret_n)
{
	bool fits = true;
	int32_t n = 0;

	for (; isdigit((unsigned char)**s); (*s)++, n++) {
		(*zeros)++;
		if (**s == '0')
			continue;
		for (; *zeros; (*zeros)--)
			fits &= !__builtin_mul_overflow(*mantissa, 10, mantissa);
		fits &= !__builtin_add_overflow(*mantissa, **s - '0', mantissa);
	}
	*ret_n = n;
	return fits;
}

static int take_exponent(const char **s, struct decimal *d)
{
	int32_t exponent = 0;
	bool negative;

	if (**s != 'e' && **s != 'E')
		return 0;
	negative = (*s)[1] == '-';
	*s += (*s)[1] == '-' || (*s)[1] == '+' ? 2 : 1;
	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++)
		exponent = MIN(exponent * 10 + (**s - '0'), (int32_t)MAX_EXPONENT);
	d->exp10 += negative ? -exponent : exponent;
	return 1;
}

int decimal_parse(const char *s, struct decimal *ret)
{
	const char *begin = s;
	struct decimal d = {};
	int32_t zeros = 0, n = 0, n_fraction = 0;
	bool fits = take_digits(&s, &d.mantissa, &zeros, &n);
	int r;

	if (!n)
		return -EINVAL;
	if (*s == '.') {
		s++;
		fits &= take_digits(&s, &d.mantissa, &zeros, &n_fraction);
		if (!n_fraction)
			return -EINVAL;
	}
	d.exp10 = zeros - n_fraction;
	r = take_exponent(&s, &d);
	if (r < 0 || *s || (!n_fraction && r == 0))
		return -EINVAL;
	d.near = strtod(begin, NULL);
	if (!fits || isinf(d.near) || (d.near == 0 && d.mantissa))
		return -ERANGE;
	*ret = d;
	return 0;
}

void decimal_negate(struct decimal *d)
{
	d->negative = !d->negative;
	d->near = -d->near;
}

bool decimal_split(const struct decimal *d, uint64_t *ret_whole, bool *ret_more)
{
	uint64_t whole = d->mantissa, rest = 0;

	for (int32_t e = d->exp10; e > 0 && whole; e--)
		if (__builtin_mul_overflow(whole, 10, &whole))
			return false;
	for (int32_t e = d->exp10; e < 0 && whole; e++) {
		rest |= whole % 10;
		whole /= 10;
	}
	*ret_whole = whole;
	*ret_more = rest;
	return true;
}

int decimal_order(uint64_t number, bool is_signed, const struct decimal *d)
{
	bool below = is_signed && (int64_t)number < 0, more;
	uint64_t size = below ? 0 - number : number, whole;
	int order;

	if (!decimal_split(d, &whole, &more))
		return d->negative ? 1 : -1;
	if (below != (d->negative && (whole || more)))
		return below ? -1 : 1;
	order = size < whole ? -1 : size > whole ? 1 : more ? -1 : 0;
	return below ? -order : order;
}
