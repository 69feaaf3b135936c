/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gzip.h"

#include <zlib.h>

enum {
	GZIP_WINDOW = 15 + 16, /* the largest window; 16: a gzip header, not one of zlib */
	GZIP_MEMORY = 9,
	ROOM = 64 << 10,
};

struct gzip {
	z_stream stream;
};

int gzip_new(struct gzip **ret)
{
	struct gzip *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	/* Long exports are to be written as fast as they are made; level 1 is the fast one. */
	if (deflateInit2(&z->stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*ret = z;
	return 0;
}

struct gzip *gzip_free(struct gzip *z)
{
	if (!z)
		return NULL;
	deflateEnd(&z->stream);
	free(z);
	return NULL;
}

static int run(struct gzip *z, int flush, struct strbuf *out)
{
	int code;

	do {
		char *p = strbuf_extend(out, ROOM);

		if (!p)
			return -ENOMEM;
		z->stream.next_out = (Bytef *)p;
		z->stream.avail_out = ROOM;
		code = deflate(&z->stream, flush);
		out->len -= z->stream.avail_out;
	} while (code == Z_OK && z->stream.avail_out == 0);
	return 0;
}

int gzip_write(struct gzip *z, const void *data, size_t len, struct strbuf *out)
{
	const char *p = data;

	while (len) {
		uInt n = (uInt)MIN(len, (size_t)1 << 30);
		int r;

		z->stream.next_in = (Bytef *)p;
		z->stream.avail_in = n;
		r = run(z, Z_NO_FLUSH, out);
		if (r < 0)
			return r;
		p += n;
		len -= n;
	}
	return 0;
}

int gzip_finish(struct gzip *z, struct strbuf *out)
{
	z->stream.next_in = NULL;
	z->stream.avail_in = 0;
	return run(z, Z_FINISH, out);
}
