/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed: type, length of the key and of the value, a byte each, then the two. */
#include "sonde/base/attributes.h"

#include "sonde/base/json.h"

enum { HEAD = 3 };

/* Not in the middle of a character. */
static size_t cut(const char *text, size_t len)
{
	size_t end = 0;

	if (len <= ATTRIBUTE_MAX_TEXT)
		return len;
	while (end < ATTRIBUTE_MAX_TEXT) {
		size_t n = utf8_sequence(text + end, len - end);

		n = n ? n : 1;
		if (end + n > ATTRIBUTE_MAX_TEXT)
			break;
		end += n;
	}
	return end;
}

size_t attributes_put(uint8_t buf[static ATTRIBUTES_MAX_BYTES], size_t len,
		      const struct attribute *a, bool *ret_left_out)
{
	size_t key_len = cut(a->key, a->key_len), n = sizeof(uint64_t);
	const void *value = &a->number;
	uint8_t truth = a->number != 0;

	if (a->type == ATTRIBUTE_TEXT) {
		n = cut(a->text, a->text_len);
		value = a->text;
	} else if (a->type == ATTRIBUTE_REAL) {
		value = &a->real;
	} else if (a->type == ATTRIBUTE_BOOL) {
		n = sizeof(truth);
		value = &truth;
	}
	if (len > ATTRIBUTES_MAX_BYTES || HEAD + key_len + n > ATTRIBUTES_MAX_BYTES - len) {
		*ret_left_out = true;
		return len;
	}
	buf[len] = a->type;
	buf[len + 1] = (uint8_t)key_len;
	buf[len + 2] = (uint8_t)n;
	memcpy(buf + len + HEAD, a->key, key_len);
	memcpy(buf + len + HEAD + key_len, value, n);
	return len + HEAD + key_len + n;
}

static bool take_value(const uint8_t *value, size_t n, struct attribute *ret)
{
	switch (ret->type) {
	case ATTRIBUTE_INT:
	case ATTRIBUTE_UINT:
		if (n != sizeof(ret->number))
			return false;
		memcpy(&ret->number, value, n);
		return true;
	case ATTRIBUTE_REAL:
		if (n != sizeof(ret->real))
			return false;
		memcpy(&ret->real, value, n);
		return true;
	case ATTRIBUTE_BOOL:
		ret->number = n == 1 && value[0];
		return n == 1;
	case ATTRIBUTE_TEXT:
		ret->text = (const char *)value;
		ret->text_len = n;
		return true;
	}
	return false;
}

bool attributes_next(const uint8_t *data, size_t len, size_t *pos, struct attribute *ret)
{
	const uint8_t *at = data + *pos;
	size_t rest = *pos < len ? len - *pos : 0;
	struct attribute a = {};

	if (rest < HEAD || rest - HEAD < (size_t)at[1] + at[2])
		return false;
	a.type = at[0];
	a.key = (const char *)at + HEAD;
	a.key_len = at[1];
	if (!take_value(at + HEAD + at[1], at[2], &a))
		return false;
	*pos += HEAD + (size_t)at[1] + at[2];
	*ret = a;
	return true;
}

bool attributes_find(const uint8_t *data, size_t len, const char *key, struct attribute *ret)
{
	size_t pos = 0, key_len = strlen(key);
	struct attribute a;
	bool found = false;

	while (attributes_next(data, len, &pos, &a)) {
		if (a.key_len != key_len || memcmp(a.key, key, key_len) != 0)
			continue;
		*ret = a;
		found = true;
	}
	return found;
}

void attribute_print_number(const struct attribute *a, struct strbuf *out)
{
	switch (a->type) {
	case ATTRIBUTE_INT:
		strbuf_printf(out, "%lld", (long long)a->number);
		break;
	case ATTRIBUTE_UINT:
		strbuf_printf(out, "%llu", (unsigned long long)a->number);
		break;
	case ATTRIBUTE_REAL:
		strbuf_double(out, a->real);
		break;
	case ATTRIBUTE_BOOL:
		strbuf_puts(out, a->number ? "true" : "false");
		break;
	case ATTRIBUTE_TEXT:
		break;
	}
}
