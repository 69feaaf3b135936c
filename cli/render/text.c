/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <locale.h>
#include <wchar.h>

#include "sonde/base/format.h"
#include "sonde/base/json.h"

void text_append_safe(struct strbuf *out, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(s + i, len - i);

		if (!n || utf8_is_control(s + i, n))
			strbuf_putc(out, '?');
		else
			strbuf_append(out, s + i, n);
		i += n ? n : 1;
	}
}

/* The length of an escape sequence that sets a style, which has no width; 0: there is none. */
static size_t style_length(const char *s)
{
	size_t n = 2;

	if (s[0] != '\033' || s[1] != '[')
		return 0;
	while (s[n] && s[n] != 'm')
		n++;
	return n + (s[n] == 'm');
}

/* The code point of a valid sequence. */
static wchar_t code_point(const char *s, size_t n)
{
	uint32_t c = (unsigned char)s[0] & (n > 1 ? 0x7fU >> n : 0x7fU);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return (wchar_t)c;
}

/* By the C library's tables, in whatever locale the program is, which may be one without them. */
static size_t columns_of(wchar_t c)
{
	static locale_t unicode;
	locale_t before;
	int width = -1;

	if (c < 0x300)
		return 1;
	if (!unicode)
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!unicode)
		return 1;
	before = uselocale(unicode);
	width = wcwidth(c);
	uselocale(before);
	return width < 0 ? 1 : (size_t)width;
}

/* The next character or style of s: how many bytes, and how many columns it takes. */
static size_t next_character(const char *s, size_t left, size_t *ret_columns)
{
	size_t n = style_length(s);

	*ret_columns = 0;
	if (n)
		return n;
	n = utf8_sequence(s, left);
	*ret_columns = n ? columns_of(code_point(s, n)) : 1;
	return n ? n : 1;
}

size_t text_width(const char *s)
{
	size_t width = 0, left = strlen(s), columns;

	while (left) {
		size_t n = next_character(s, left, &columns);

		width += columns;
		s += n;
		left -= n;
	}
	return width;
}

void text_append_cut(struct strbuf *out, const char *s, size_t width)
{
	size_t kept = 0, i = 0, len = strlen(s);
	bool styled = false;

	if (text_width(s) <= width) {
		strbuf_puts(out, s);
		return;
	}
	if (!width)
		return;
	while (i < len) {
		size_t columns, n = next_character(s + i, len - i, &columns);

		if (kept + columns > width - 1)
			break;
		/* What has no width goes with what is before it, but a style is not begun at the
		 * end. */
		if (kept == width - 1 && style_length(s + i))
			break;
		styled |= style_length(s + i) > 0;
		kept += columns;
		i += n;
	}
	strbuf_append(out, s, i);
	strbuf_puts(out, styled ? "\xe2\x80\xa6\033[0m" : "\xe2\x80\xa6");
}

/* Where the characters begin that are the last of s and take no more columns than these. */
static size_t tail_of(const char *s, size_t width)
{
	size_t i = 0, len = strlen(s), left = text_width(s);

	while (i < len && left > width) {
		size_t columns, n = next_character(s + i, len - i, &columns);

		left -= columns;
		i += n;
	}
	return i;
}

void text_append_cut_inside(struct strbuf *out, const char *s, size_t width)
{
	_cleanup_(strbuf_release) struct strbuf head = {0};
	size_t tail = width / 5 * 3;

	if (text_width(s) <= width || tail < 2) {
		text_append_cut(out, s, width);
		return;
	}
	text_append_cut(&head, s, width - tail);
	if (strbuf_error(&head) < 0) {
		out->failed = true;
		return;
	}
	strbuf_append(out, head.data, head.len);
	strbuf_puts(out, s + tail_of(s, tail));
}

void text_spaces(struct strbuf *out, size_t n)
{
	while (n--)
		strbuf_putc(out, ' ');
}

double text_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

void text_counted(struct strbuf *out, uint64_t n, const char *singular)
{
	char buf[FORMAT_MAX];

	strbuf_printf(out, "%s %s%s", format_count(buf, n), singular, n == 1 ? "" : "s");
}

enum { NEAREST_MAX = 40 };

/* Edits (insert, delete, change, swap of neighbours) that turn a into b; both are short. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t d[NEAREST_MAX + 1][NEAREST_MAX + 1];

	if (la > NEAREST_MAX || lb > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	return d[la][lb];
}

struct nearest nearest_to(const char *word)
{
	return (struct nearest){.word = word, .distance = SIZE_MAX};
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t distance = edit_distance(n->word, candidate);

	/* An unfinished word is as good as one wrong letter. */
	if (strlen(n->word) >= 3 && startswith(candidate, n->word))
		distance = MIN(distance, (size_t)1);
	if (distance < n->distance) {
		n->distance = distance;
		n->best = candidate;
	}
}

const char *nearest_get(const struct nearest *n)
{
	size_t allowed = strlen(n->word) <= 3 ? 1 : strlen(n->word) <= 7 ? 2 : 3;

	return n->best && n->distance <= allowed ? n->best : NULL;
}

void text_append_csv(struct strbuf *out, const char *text)
{
	size_t len = 0;

	/* Most cells are short: strcspn() takes longer to begin. */
	while (text[len] && text[len] != ',' && text[len] != '"' && text[len] != '\r' &&
	       text[len] != '\n')
		len++;
	if (!text[len]) {
		strbuf_append(out, text, len);
		return;
	}
	strbuf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"')
			strbuf_putc(out, '"');
		strbuf_putc(out, *text);
	}
	strbuf_putc(out, '"');
}
