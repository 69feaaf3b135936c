/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer, always NUL-terminated once written to. A failed allocation is sticky:
 * later appends do nothing and strbuf_error() says so, so that a writer checks once at the end.
 */
#ifndef SONDE_BASE_STRBUF_H
#define SONDE_BASE_STRBUF_H

#include "sonde/base/util.h"
#include <stdarg.h>

struct strbuf {
	char *data;
	size_t len, cap;
	bool failed;
};

void strbuf_append(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_u64(struct strbuf *b, uint64_t value); /* in decimal; printf is several times slower */
/* The shortest form that reads back as the same number, with a dot in any locale; infinities and
 * NaN as printf writes them. */
void strbuf_double(struct strbuf *b, double value);
/* Appends len bytes for the caller to fill in, and returns where they are; NULL: out of memory. */
char *strbuf_extend(struct strbuf *b, size_t len);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap) _printf_(2, 0);
/* Removes the first len bytes (all when len is larger). */
void strbuf_consume(struct strbuf *b, size_t len);
void strbuf_reset(struct strbuf *b);	  /* keeps the memory */
void strbuf_release(struct strbuf *b);	  /* for _cleanup_(strbuf_release) too */
int strbuf_error(const struct strbuf *b); /* 0 or -ENOMEM */

#endif
