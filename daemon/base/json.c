/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/json.h"

#include <math.h>

#include "sonde/base/base64.h"
#include "sonde/base/hex.h"

/* The lead byte decides the length and narrows the second byte: no overlong forms, no surrogates.
 */
size_t utf8_sequence(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (!len)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		n = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		n = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (u[0] == 0xe0)
		low = 0xa0;
	else if (u[0] == 0xed)
		high = 0x9f;
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (len < n || u[1] < low || u[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (u[i] < 0x80 || u[i] > 0xbf)
			return 0;
	return n;
}

bool utf8_is_control(const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0];

	if (n == 3 && c == 0xe2) {
		unsigned char last = (unsigned char)s[2];

		return (unsigned char)s[1] == 0x80   ? last >= 0xa8 && last <= 0xae
		       : (unsigned char)s[1] == 0x81 ? last >= 0xa6 && last <= 0xa9
						     : false;
	}
	return n == 1 ? c < 0x20 || c == 0x7f : n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0;
}

/* Bytes at s that are UTF-8. */
static size_t valid_run(const char *s, size_t len)
{
	size_t at = 0, n;

	while (at < len && (n = (unsigned char)s[at] < 0x80 ? 1 : utf8_sequence(s + at, len - at)))
		at += n;
	return at;
}

bool utf8_is_valid(const char *s)
{
	size_t len = strlen(s);

	return valid_run(s, len) == len;
}

void utf8_append(struct strbuf *out, const char *s)
{
	size_t len = strlen(s), n = valid_run(s, len);

	strbuf_append(out, s, n);
	while (n < len) {
		size_t at = n + 1;

		strbuf_puts(out, "\xef\xbf\xbd");
		n = at + valid_run(s + at, len - at);
		strbuf_append(out, s + at, n - at);
	}
}

static void write_escape(struct strbuf *out, unsigned char c)
{
	switch (c) {
	case '"':
		strbuf_append(out, "\\\"", 2);
		break;
	case '\\':
		strbuf_append(out, "\\\\", 2);
		break;
	case '\n':
		strbuf_append(out, "\\n", 2);
		break;
	case '\t':
		strbuf_append(out, "\\t", 2);
		break;
	case '\r':
		strbuf_append(out, "\\r", 2);
		break;
	default:
		strbuf_printf(out, "\\u%04x", c);
	}
}

static void write_quoted(struct strbuf *out, const char *s, size_t len)
{
	size_t start = 0, i = 0;

	strbuf_putc(out, '"');
	while (i < len) {
		unsigned char c = s[i];
		size_t n = 1;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		if (c >= 0x80) {
			n = utf8_sequence(s + i, len - i);
			if (n) {
				i += n;
				continue;
			}
		}
		strbuf_append(out, s + start, i - start);
		if (c >= 0x80)
			strbuf_puts(out, "\xef\xbf\xbd");
		else
			write_escape(out, c);
		start = ++i;
	}
	strbuf_append(out, s + start, len - start);
	strbuf_putc(out, '"');
}

/* What stands before every value: the comma where one is due, and the key. */
static void begin_value(struct json_writer *w, const char *key)
{
	if (w->need_comma)
		strbuf_putc(w->out, ',');
	w->need_comma = true;
	if (key) {
		write_quoted(w->out, key, strlen(key));
		strbuf_putc(w->out, ':');
	}
}

/* Nesting out of bounds is a bug of the caller: the buffer fails, so that nothing half is sent. */
static void open_level(struct json_writer *w, const char *key, char bracket)
{
	begin_value(w, key);
	if (w->depth >= JSON_MAX_DEPTH)
		w->out->failed = true;
	w->depth++;
	w->need_comma = false;
	strbuf_putc(w->out, bracket);
}

static void close_level(struct json_writer *w, char bracket)
{
	if (w->depth <= 0)
		w->out->failed = true;
	else
		w->depth--;
	w->need_comma = true;
	strbuf_putc(w->out, bracket);
}

void json_begin(struct json_writer *w, struct strbuf *out)
{
	*w = (struct json_writer){.out = out};
}

void json_object_begin(struct json_writer *w, const char *key)
{
	open_level(w, key, '{');
}

void json_object_end(struct json_writer *w)
{
	close_level(w, '}');
}

void json_array_begin(struct json_writer *w, const char *key)
{
	open_level(w, key, '[');
}

void json_array_end(struct json_writer *w)
{
	close_level(w, ']');
}

void json_string(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_stringn(w, key, value, strlen(value));
	else
		json_raw(w, key, "null", 4);
}

void json_stringn(struct json_writer *w, const char *key, const char *value, size_t len)
{
	begin_value(w, key);
	write_quoted(w->out, value, len);
}

void json_base64(struct json_writer *w, const char *key, const void *data, size_t len)
{
	begin_value(w, key);
	strbuf_putc(w->out, '"');
	base64_encode(w->out, data, len);
	strbuf_putc(w->out, '"');
}

void json_u64(struct json_writer *w, const char *key, uint64_t value)
{
	begin_value(w, key);
	strbuf_u64(w->out, value);
}

void json_i64(struct json_writer *w, const char *key, int64_t value)
{
	begin_value(w, key);
	if (value < 0)
		strbuf_putc(w->out, '-');
	strbuf_u64(w->out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_hex(struct json_writer *w, const char *key, uint64_t value)
{
	char text[HEX_U64_SIZE + 2];
	size_t len = hex_u64(value, text + 1) + 1;

	text[0] = text[len++] = '"';
	begin_value(w, key);
	strbuf_append(w->out, text, len);
}

void json_double(struct json_writer *w, const char *key, double value)
{
	if (!isfinite(value)) {
		json_raw(w, key, "null", 4);
		return;
	}
	begin_value(w, key);
	strbuf_double(w->out, value);
	/* Without a point some readers take it for an integer, which has no such zero. */
	if (value == 0 && signbit(value))
		strbuf_puts(w->out, ".0");
}

void json_bool(struct json_writer *w, const char *key, bool value)
{
	json_raw(w, key, value ? "true" : "false", value ? 4 : 5);
}

void json_raw(struct json_writer *w, const char *key, const char *text, size_t len)
{
	begin_value(w, key);
	strbuf_append(w->out, text, len);
}

void json_members(struct json_writer *w, const struct strbuf *object)
{
	if (object->len <= 2)
		return;
	begin_value(w, NULL);
	strbuf_append(w->out, object->data + 1, object->len - 2);
}
