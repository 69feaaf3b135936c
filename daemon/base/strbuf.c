/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/strbuf.h"

#include <math.h>

/* Makes room for extra bytes and the NUL behind them. */
static bool strbuf_grow(struct strbuf *b, size_t extra)
{
	size_t need, cap = b->cap ? b->cap : 128;
	char *data;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, extra, &need) || need > SIZE_MAX / 2) {
		b->failed = true;
		return false;
	}
	need++;
	if (need <= b->cap)
		return true;
	while (cap < need)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

/* Nearly always there is room: a buffer that has failed has none. */
static inline bool strbuf_reserve(struct strbuf *b, size_t extra)
{
	return (b->len < b->cap && extra < b->cap - b->len && !b->failed) || strbuf_grow(b, extra);
}

char *strbuf_extend(struct strbuf *b, size_t len)
{
	size_t at = b->len;

	if (!strbuf_reserve(b, len))
		return NULL;
	b->len += len;
	b->data[b->len] = '\0';
	return b->data + at;
}

void strbuf_append(struct strbuf *b, const void *data, size_t len)
{
	if (!strbuf_reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_append(b, s, strlen(s));
}

void strbuf_putc(struct strbuf *b, char c)
{
	if (!strbuf_reserve(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void strbuf_u64(struct strbuf *b, uint64_t value)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[19 - n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	strbuf_append(b, digits + 20 - n, n);
}

void strbuf_double(struct strbuf *b, double value)
{
	bool in_point = false;
	char text[64];

	if (!isfinite(value)) {
		/* printf shows the sign of what is no number, which means nothing. */
		strbuf_puts(b, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	/* printf uses the locale's decimal point, which may be a comma or several bytes. */
	for (const char *p = text; *p; p++) {
		if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e') {
			strbuf_putc(b, *p);
			in_point = false;
		} else if (!in_point) {
			strbuf_putc(b, '.');
			in_point = true;
		}
	}
}

void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list copy;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!strbuf_reserve(b, n))
		return;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += n;
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t len)
{
	len = MIN(len, b->len);
	if (!len)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len + 1);
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void strbuf_release(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){};
}

int strbuf_error(const struct strbuf *b)
{
	return b->failed ? -ENOMEM : 0;
}
