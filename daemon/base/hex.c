/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/hex.h"

void hex_encode(const void *data, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i++) {
		*ret++ = digits[in[i] >> 4];
		*ret++ = digits[in[i] & 15];
	}
	*ret = '\0';
}

size_t hex_u64(uint64_t value, char ret[static HEX_U64_SIZE])
{
	const size_t n = value ? (size_t)(67 - __builtin_clzll(value)) / 4 : 1;

	ret[0] = '0';
	ret[1] = 'x';
	for (size_t i = n; i-- > 0; value >>= 4)
		ret[2 + i] = "0123456789abcdef"[value & 15];
	ret[2 + n] = '\0';
	return 2 + n;
}

/* Above 15: it is no digit. */
static uint8_t value_of(char c)
{
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0');
	c |= 'a' - 'A';
	return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 16;
}

int hex_decode(const char *text, void *ret, size_t size)
{
	size_t len = strlen(text);
	uint8_t *to = ret;

	if (len == 0 || len % 2 || len / 2 > size)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (value_of(text[i]) > 15)
			return -EINVAL;
	memset(to, 0, size);
	for (size_t i = 0; i < len / 2; i++)
		to[i] = (uint8_t)(value_of(text[2 * i]) << 4 | value_of(text[2 * i + 1]));
	return 0;
}
