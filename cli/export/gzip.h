/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression of what a format writes, as it is written (RFC 1952). */
#ifndef SONDE_EXPORT_GZIP_H
#define SONDE_EXPORT_GZIP_H

#include "sonde/base/strbuf.h"

struct gzip;

int gzip_new(struct gzip **ret);
struct gzip *gzip_free(struct gzip *z);
DEFINE_CLEANUP(struct gzip *, gzip_free)

/* Appends the compressed bytes; what is still held back comes with the next call. 0 or -ENOMEM. */
int gzip_write(struct gzip *z, const void *data, size_t len, struct strbuf *out);
/* Appends the rest. Nothing is written after it. */
int gzip_finish(struct gzip *z, struct strbuf *out);

#endif
