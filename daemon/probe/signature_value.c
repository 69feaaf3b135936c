/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value as people write it. */
#include "probe/signature_value.h"

#include <ctype.h>

#include "sonde/base/json.h"

static uint64_t mask_of(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (1ULL << (8 * size)) - 1;
}

uint64_t sig_extend(const struct sig_type *t, uint64_t v)
{
	unsigned unused = t->size > 0 && t->size < 8 ? 64 - 8 * t->size : 0;

	return t->is_signed ? (uint64_t)((int64_t)(v << unused) >> unused)
			    : v & mask_of(t->size > 0 ? t->size : 8);
}

/* A control character, as C escapes it. */
static void put_escaped(struct strbuf *out, unsigned char c, bool before_digit)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */

	if (c >= 7 && c <= 13)
		strbuf_printf(out, "\\%c", letters[c - 7]);
	else if (c == 0 && !before_digit) /* "\01" would be one character */
		strbuf_puts(out, "\\0");
	else
		strbuf_printf(out, "\\x%02x", c);
}

void sig_put_text(struct strbuf *out, const char *s, size_t len, char quote)
{
	for (size_t i = 0, n; i < len; i += n) {
		unsigned char c = (unsigned char)s[i];

		n = utf8_sequence(s + i, len - i);
		if (n > 1 && !utf8_is_control(s + i, n)) {
			strbuf_append(out, s + i, n);
			continue;
		}
		n = 1;
		if (quote && (c == (unsigned char)quote || c == '\\'))
			strbuf_printf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			put_escaped(out, c, i + 1 < len && isdigit((unsigned char)s[i + 1]));
		else
			strbuf_putc(out, (char)c);
	}
}

static const char *enumerator(const struct sig_type *t, uint64_t v)
{
	uint64_t mask = mask_of(t->size);

	for (size_t i = 0; i < t->n_values; i++)
		if ((((uint64_t)t->values[i].value ^ v) & mask) == 0)
			return t->values[i].name;
	return NULL;
}

/* RDONLY|CREATE|0x80 */
static void put_flags(struct strbuf *out, const struct sig_type *t, uint64_t v)
{
	const char *separator = "";

	for (size_t i = 0; i < t->n_values; i++) {
		uint64_t bit = (uint64_t)t->values[i].value & mask_of(t->size);

		if (bit == 0 || (v & bit) != bit)
			continue;
		strbuf_puts(out, separator);
		sig_put_text(out, t->values[i].name, strlen(t->values[i].name), 0);
		separator = "|";
		v &= ~bit;
	}
	if (v != 0)
		strbuf_printf(out, "%s0x%llx", separator, (unsigned long long)v);
}

static void put_enum(struct strbuf *out, const struct sig_type *t, uint64_t v)
{
	const char *name = enumerator(t, v);

	if (name)
		sig_put_text(out, name, strlen(name), 0);
	else if (t->is_flags && v != 0)
		put_flags(out, t, v & mask_of(t->size));
	else if (t->is_signed)
		strbuf_printf(out, "%lld", (long long)v);
	else
		strbuf_printf(out, "%llu", (unsigned long long)v);
}

static void put_float(struct strbuf *out, const struct sig_type *t, uint64_t v)
{
	uint32_t half = (uint32_t)v;
	double d;
	float f;

	memcpy(&d, &v, sizeof(d));
	memcpy(&f, &half, sizeof(f));
	strbuf_printf(out, "%.9g", t->size == sizeof(f) ? (double)f : d);
}

void sig_put_number(struct strbuf *out, const struct sig_type *t, uint64_t v)
{
	char c = (char)v;

	switch (t->kind) {
	case CTYPE_INT:
		strbuf_printf(out, "%lld", (long long)v);
		break;
	case CTYPE_UINT:
		strbuf_printf(out, "%llu", (unsigned long long)v);
		break;
	case CTYPE_BOOL:
		strbuf_puts(out, v ? "true" : "false");
		break;
	case CTYPE_CHAR:
		strbuf_putc(out, '\'');
		sig_put_text(out, &c, 1, '\'');
		strbuf_putc(out, '\'');
		break;
	case CTYPE_ENUM:
		put_enum(out, t, v);
		break;
	case CTYPE_FLOAT:
		put_float(out, t, v);
		break;
	default:
		strbuf_printf(out, "0x%llx", (unsigned long long)v);
	}
}
