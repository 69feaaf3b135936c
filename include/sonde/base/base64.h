/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as text (RFC 4648, the standard alphabet, padded): for binary data inside JSON. */
#ifndef SONDE_BASE_BASE64_H
#define SONDE_BASE_BASE64_H

#include "sonde/base/strbuf.h"

void base64_encode(struct strbuf *out, const void *data, size_t len);
/* Appends the bytes. -EINVAL for what base64_encode() does not write, -ENOMEM. */
int base64_decode(struct strbuf *out, const char *text, size_t len);

#endif
