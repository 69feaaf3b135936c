/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *data, size_t len)
{
	const uint8_t *in = data;
	char *to = strbuf_extend(out, (len + 2) / 3 * 4);

	if (!to)
		return;
	for (; len >= 3; len -= 3, in += 3) {
		uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = digits[bits >> 6 & 63];
		*to++ = digits[bits & 63];
	}
	if (len) {
		uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0);

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = len > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = '=';
	}
}

enum { NO_DIGIT = 64 };

/* The value of each character. */
static void make_values(uint8_t values[static 256])
{
	memset(values, NO_DIGIT, 256);
	for (uint8_t i = 0; i < 64; i++)
		values[(uint8_t)digits[i]] = i;
}

int base64_decode(struct strbuf *out, const char *text, size_t len)
{
	const uint8_t *in = (const uint8_t *)text;
	size_t padding = 0, at = out->len;
	uint8_t values[256], bad = 0;
	uint32_t bits = 0;
	char *to;

	if (len % 4)
		return -EINVAL;
	while (padding < 2 && padding < len && in[len - 1 - padding] == '=')
		padding++;
	make_values(values);
	to = strbuf_extend(out, len / 4 * 3);
	if (!to)
		return -ENOMEM;
	for (const uint8_t *end = in + len; in < end; in += 4) {
		uint8_t d[4] = {values[in[0]], values[in[1]], values[in[2]], values[in[3]]};

		if (end - in == 4)
			memset(d + 4 - padding, 0, padding);
		bad |= d[0] | d[1] | d[2] | d[3];
		bits = (uint32_t)d[0] << 18 | (uint32_t)d[1] << 12 | (uint32_t)d[2] << 6 | d[3];
		*to++ = (char)(bits >> 16);
		*to++ = (char)(bits >> 8);
		*to++ = (char)bits;
	}
	/* Bits behind the last byte are 0: a text has one meaning, and a meaning one text. */
	if (bad & NO_DIGIT || bits & ((1U << 8 * padding) - 1)) {
		out->len = at;
		return -EINVAL;
	}
	out->len -= padding;
	return 0;
}
