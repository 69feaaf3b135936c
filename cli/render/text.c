/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include "sonde/base/format.h"
#include "sonde/base/json.h"

/* C1 control characters (U+0080 to U+009F) are commands to some terminals, too. */
static bool is_c1(const char *s, size_t n)
{
	return n == 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0;
}

void text_append_safe(struct strbuf *out, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(s + i, len - i);
		unsigned char c = s[i];

		if (!n || (n == 1 && (c < 0x20 || c == 0x7f)) || is_c1(s + i, n))
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

size_t text_width(const char *s)
{
	size_t width = 0;

	while (*s) {
		size_t n = style_length(s);

		width += !n && ((unsigned char)*s & 0xc0) != 0x80;
		s += n ? n : 1;
	}
	return width;
}

void text_append_cut(struct strbuf *out, const char *s, size_t width)
{
	size_t kept = 0, i = 0, n;
	bool styled = false;

	if (text_width(s) <= width) {
		strbuf_puts(out, s);
		return;
	}
	if (!width)
		return;
	while (s[i] && kept < width - 1) {
		n = style_length(s + i);
		if (n) {
			styled = true;
			i += n;
			continue;
		}
		i++;
		while (((unsigned char)s[i] & 0xc0) == 0x80)
			i++;
		kept++;
	}
	strbuf_append(out, s, i);
	strbuf_puts(out, styled ? "\xe2\x80\xa6\033[0m" : "\xe2\x80\xa6");
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
	if (!text[strcspn(text, ",\"\r\n")]) {
		strbuf_puts(out, text);
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
