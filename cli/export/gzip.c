/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gzip.h"

#include <zlib.h>

#include "sonde/base/thread.h"

enum {
	GZIP_WINDOW = 15 + 16, /* the largest window; 16: a gzip header, not one of zlib */
	GZIP_MEMORY = 9,
	ROOM = 64 << 10,
	PIECE = 256 << 10,
	PIECES = 4, /* that may wait, so that memory is bounded however slow compression is */
};

struct gzip {
	z_stream stream; /* the thread's, until it has been joined */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;	/* for the thread: a piece waits, or there will be no more */
	pthread_cond_t settled; /* for the writer: a piece has been compressed */
	struct strbuf pieces[PIECES];
	size_t first, n;      /* of the pieces that wait; the first one may be at work */
	struct strbuf packed; /* what the writer has not been given yet */
	bool over, failed;
};

static int run(struct gzip *z, const struct strbuf *in, int flush, struct strbuf *out)
{
	int code;

	z->stream.next_in = in ? (Bytef *)in->data : NULL;
	z->stream.avail_in = in ? (uInt)in->len : 0;
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

/* A piece stays in the queue while it is compressed, so that the writer leaves its memory alone. */
static void *compress_pieces(void *arg)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct gzip *z = arg;

	pthread_mutex_lock(&z->lock);
	while (!z->failed) {
		const struct strbuf *piece = &z->pieces[z->first];
		bool is_end = !z->n;
		int r;

		if (is_end && !z->over) {
			pthread_cond_wait(&z->wake, &z->lock);
			continue;
		}
		pthread_mutex_unlock(&z->lock);
		strbuf_reset(&out);
		r = run(z, is_end ? NULL : piece, is_end ? Z_FINISH : Z_NO_FLUSH, &out);
		pthread_mutex_lock(&z->lock);
		if (out.len)
			strbuf_append(&z->packed, out.data, out.len);
		z->failed |= r < 0 || strbuf_error(&z->packed) < 0;
		if (is_end)
			break;
		z->first = (z->first + 1) % PIECES;
		z->n--;
		pthread_cond_signal(&z->settled);
	}
	/* Of what has failed the writer waits no more. */
	pthread_cond_signal(&z->settled);
	pthread_mutex_unlock(&z->lock);
	return NULL;
}

int gzip_new(struct gzip **ret)
{
	_cleanup_(gzip_freep) struct gzip *z = calloc(1, sizeof(*z));
	int r;

	if (!z)
		return -ENOMEM;
	pthread_mutex_init(&z->lock, NULL);
	pthread_cond_init(&z->wake, NULL);
	pthread_cond_init(&z->settled, NULL);
	/* Long exports are to be written as fast as they are made; level 1 is the fast one. */
	if (deflateInit2(&z->stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = thread_start(&z->thread, NULL, compress_pieces, z);
	if (r < 0)
		return r;
	z->has_thread = true;
	*ret = TAKE_PTR(z);
	return 0;
}

static void join(struct gzip *z)
{
	pthread_mutex_lock(&z->lock);
	z->over = true;
	pthread_cond_signal(&z->wake);
	pthread_mutex_unlock(&z->lock);
	pthread_join(z->thread, NULL);
	z->has_thread = false;
}

struct gzip *gzip_free(struct gzip *z)
{
	if (!z)
		return NULL;
	if (z->has_thread) {
		/* Of what nobody will read the rest is not compressed. */
		pthread_mutex_lock(&z->lock);
		z->failed = true;
		pthread_mutex_unlock(&z->lock);
		join(z);
	}
	deflateEnd(&z->stream);
	pthread_cond_destroy(&z->settled);
	pthread_cond_destroy(&z->wake);
	pthread_mutex_destroy(&z->lock);
	for (size_t i = 0; i < PIECES; i++)
		strbuf_release(&z->pieces[i]);
	strbuf_release(&z->packed);
	free(z);
	return NULL;
}

static int put_piece(struct gzip *z, const char *data, size_t len)
{
	struct strbuf *piece;

	while (z->n == PIECES && !z->failed)
		pthread_cond_wait(&z->settled, &z->lock);
	if (z->failed)
		return -ENOMEM;
	piece = &z->pieces[(z->first + z->n) % PIECES];
	strbuf_reset(piece);
	strbuf_append(piece, data, len);
	if (strbuf_error(piece) < 0)
		return -ENOMEM;
	z->n++;
	pthread_cond_signal(&z->wake);
	return 0;
}

static int take_packed(struct gzip *z, struct strbuf *out)
{
	if (z->packed.len)
		strbuf_append(out, z->packed.data, z->packed.len);
	strbuf_reset(&z->packed);
	return z->failed ? -ENOMEM : strbuf_error(out);
}

int gzip_write(struct gzip *z, const void *data, size_t len, struct strbuf *out)
{
	const char *p = data;
	int r = 0;

	pthread_mutex_lock(&z->lock);
	while (len && r >= 0) {
		size_t n = MIN(len, (size_t)PIECE);

		r = put_piece(z, p, n);
		p += n;
		len -= n;
	}
	if (r >= 0)
		r = take_packed(z, out);
	pthread_mutex_unlock(&z->lock);
	return r;
}

int gzip_finish(struct gzip *z, struct strbuf *out)
{
	join(z);
	return take_packed(z, out);
}
