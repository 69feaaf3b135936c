/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "number.h"

#include <ctype.h>

/* Up to 19 digits that count, and where the point is: value = digits * 10^exponent. */
struct decimal {
	uint64_t digits;
	int64_t exponent;
	bool negative;
};

static void add_digit(struct decimal *d, char c, bool fraction)
{
	/* Digits beyond those that fit only move the point. */
	if (d->digits >= UINT64_MAX / 10 - 1) {
		d->exponent += !fraction;
		return;
	}
	d->digits = d->digits * 10 + (uint64_t)(c - '0');
	d->exponent -= fraction;
}

static int parse(const char *text, size_t len, struct decimal *d)
{
	size_t i = 0, first;
	bool down = false, fraction = false;
	int64_t exponent = 0;

	if (i < len && (text[i] == '-' || text[i] == '+'))
		d->negative = text[i++] == '-';
	for (first = i; i < len && (isdigit((unsigned char)text[i]) || text[i] == '.'); i++) {
		if (text[i] != '.')
			add_digit(d, text[i], fraction);
		else if (fraction || i == first)
			return -EINVAL;
		else
			fraction = true;
	}
	if (i == first)
		return -EINVAL;
	if (i < len && (text[i] == 'e' || text[i] == 'E')) {
		i++;
		if (i < len && (text[i] == '-' || text[i] == '+'))
			down = text[i++] == '-';
		for (first = i; i < len && isdigit((unsigned char)text[i]); i++)
			exponent = MIN(exponent * 10 + (text[i] - '0'), (int64_t)100000);
		if (i == first)
			return -EINVAL;
	}
	d->exponent += down ? -exponent : exponent;
	return i == len ? 0 : -EINVAL;
}

int import_number(const char *text, size_t len, int scale, int64_t *ret)
{
	struct decimal d = {};
	int r = parse(text, len, &d);
	bool half = false;

	if (r < 0)
		return r;
	for (d.exponent += scale; d.exponent < 0 && d.digits; d.exponent++) {
		half = d.digits % 10 >= 5;
		d.digits /= 10;
	}
	if (d.exponent < 0)
		half = false;
	for (; d.exponent > 0 && d.digits; d.exponent--) {
		if (d.digits > INT64_MAX / 10)
			return -ERANGE;
		d.digits *= 10;
	}
	d.digits += half;
	if (d.digits > INT64_MAX)
		return -ERANGE;
	*ret = d.negative ? -(int64_t)d.digits : (int64_t)d.digits;
	return 0;
}

int import_digits(const char *text, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (!len || len > 20)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return -ERANGE;
	}
	*ret = n;
	return 0;
}
