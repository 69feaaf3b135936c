/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value as people write it: for signature_print.c. */
#ifndef SONDE_PROBE_SIGNATURE_VALUE_H
#define SONDE_PROBE_SIGNATURE_VALUE_H

#include "probe/signature_private.h"

/* A register's value cut to the size of the type and extended by its sign. */
uint64_t sig_extend(const struct sig_type *t, uint64_t v);
/* 42, true, 'x', RED, RDONLY|CREATE, 0x55d0c0de */
void sig_put_number(struct strbuf *out, const struct sig_type *t, uint64_t v);
/* Without what a terminal would obey; UTF-8 is kept; the quote, unless it is 0, gets a backslash.
 */
void sig_put_text(struct strbuf *out, const char *s, size_t len, char quote);

#endif
