/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for terminals: nothing that comes from a recording or a target reaches the terminal as a
 * control sequence, widths are those of terminals, and typing mistakes find their neighbour.
 */
#ifndef SONDE_RENDER_TEXT_H
#define SONDE_RENDER_TEXT_H

#include "sonde/base/strbuf.h"

/* Appends s with control characters and invalid UTF-8 replaced by '?'. NULL is the empty text. */
void text_append_safe(struct strbuf *out, const char *s);

/* Appends s as a cell of comma-separated values: quoted where it must be. */
void text_append_csv(struct strbuf *out, const char *s);

/* How many columns of a terminal UTF-8 text takes: of wide characters two, of combining ones and of
 * escape sequences of styles none. */
size_t text_width(const char *s);

/* Appends at most width columns of s; the last one is U+2026 when something was cut off,
 * and a style ends there. */
void text_append_cut(struct strbuf *out, const char *s, size_t width);
/* The same, with its end, and what goes between them is cut: for names, which tell by both. What
 * has styles in it is cut at the end. */
void text_append_cut_inside(struct strbuf *out, const char *s, size_t width);

void text_spaces(struct strbuf *out, size_t n);

/* "12.3" for 12.3 %, from a part and a whole; "0.0" when the whole is 0. */
double text_percent(uint64_t part, uint64_t whole);

/* "1,234 spans", "1 span". */
void text_counted(struct strbuf *out, uint64_t n, const char *singular);

/* What a person who typed `word` probably meant, out of candidates that are tried in turn. */
struct nearest {
	const char *word;
	const char *best;
	size_t distance;
};

struct nearest nearest_to(const char *word);
void nearest_try(struct nearest *n, const char *candidate);
const char *nearest_get(const struct nearest *n); /* NULL: nothing is near enough */

#endif
