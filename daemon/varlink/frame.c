/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/frame.h"

#include "sonde/base/strbuf.h"

/* An emptied buffer above this size is given back: one long message does not cost for ever. */
enum { FRAME_KEEP = 256 * 1024 };

struct frame_buffer {
	struct strbuf bytes;
	size_t start;	/* what lies before was handed out */
	size_t scanned; /* no NUL between start and here */
	size_t max;
	bool too_long;
};

struct frame_buffer *frame_new(size_t max_message)
{
	struct frame_buffer *f = calloc(1, sizeof(*f));

	if (f)
		f->max = max_message;
	return f;
}

struct frame_buffer *frame_free(struct frame_buffer *f)
{
	if (!f)
		return NULL;
	strbuf_release(&f->bytes);
	free(f);
	return NULL;
}

/* Drops what was handed out, but only when that is at least half: each byte moves rarely. */
static void frame_compact(struct frame_buffer *f)
{
	if (f->start < f->bytes.len - f->start)
		return;
	if (f->start == f->bytes.len && f->bytes.cap > FRAME_KEEP)
		strbuf_release(&f->bytes);
	else
		strbuf_consume(&f->bytes, f->start);
	f->scanned -= f->start;
	f->start = 0;
}

int frame_feed(struct frame_buffer *f, const void *data, size_t len)
{
	frame_compact(f);
	/* Nothing behind a message that is too long will ever be read. */
	if (f->too_long)
		return 0;
	strbuf_append(&f->bytes, data, len);
	return strbuf_error(&f->bytes);
}

/* Looks for the end of the first message: its offset, or -1 when it has not come yet. */
static ssize_t frame_find_end(struct frame_buffer *f)
{
	const char *end;
	size_t at;

	if (f->scanned == f->bytes.len) {
		at = f->bytes.len;
		end = NULL;
	} else {
		end = memchr(f->bytes.data + f->scanned, '\0', f->bytes.len - f->scanned);
		at = end ? (size_t)(end - f->bytes.data) : f->bytes.len;
	}
	f->scanned = at;
	if (at - f->start > f->max)
		f->too_long = true;
	return end && !f->too_long ? (ssize_t)at : -1;
}

int frame_next(struct frame_buffer *f, const char **ret_text, size_t *ret_len)
{
	ssize_t end = frame_find_end(f);

	if (f->too_long)
		return -EMSGSIZE;
	if (end < 0)
		return 0;
	*ret_text = f->bytes.data + f->start;
	*ret_len = end - f->start;
	f->start = f->scanned = end + 1;
	return 1;
}

bool frame_ready(struct frame_buffer *f)
{
	return frame_find_end(f) >= 0 || f->too_long;
}

size_t frame_pending(const struct frame_buffer *f)
{
	return f->bytes.len - f->start;
}
