/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compression of what a format writes, as it is written (RFC 1952), by a thread of its own: formats
 * go on meanwhile. One thread writes.
 */
#ifndef SONDE_EXPORT_GZIP_H
#define SONDE_EXPORT_GZIP_H

#include "sonde/base/strbuf.h"

struct gzip;

int gzip_new(struct gzip **ret);
struct gzip *gzip_free(struct gzip *z);
DEFINE_CLEANUP(struct gzip *, gzip_free)

/*
 * Takes a copy of the data, and waits while too much of it is not compressed yet. Appends what has
 * been compressed by now; the rest comes with the next calls. 0 or -ENOMEM.
 */
int gzip_write(struct gzip *z, const void *data, size_t len, struct strbuf *out);
/* Appends the rest. Nothing is written after it. */
int gzip_finish(struct gzip *z, struct strbuf *out);

#endif
