/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/jit_parse.h"

#include <assert.h>

#include "symbol/perf_map.h"
#include "symbol/reader.h"

static_assert(sizeof(struct jit_question) == sizeof(struct jit_cursor) + 24, "no holes");

static size_t take_map(void *arg, const uint8_t *data, size_t size, bool *ret_stop)
{
	struct jit_image *out = arg;

	*ret_stop = out->cursor.offset >= PERF_MAP_MAX_BYTES || out->n_records >= out->max_records;
	return *ret_stop ? 0 : perf_map_parse(out, &out->cursor.flags, data, size);
}

static size_t take_dump(void *arg, const uint8_t *data, size_t size, bool *ret_stop)
{
	struct jit_image *out = arg;
	size_t done = jitdump_parse(out, &out->cursor.flags, true, data, size);

	*ret_stop =
		out->cursor.flags & (JIT_CLOSED | JIT_BAD) || out->n_records >= out->max_records;
	return done;
}

int jit_parse(enum jit_kind kind, int fd, const struct jit_question *q, struct jit_image *ret)
{
	jit_take_t take = kind == JIT_PERF_MAP ? take_map : take_dump;
	struct jit_image out _cleanup_(jit_image_release) = {
		.cursor = q->cursor,
		.max_records = MIN(q->max_records, (uint64_t)JIT_RECORDS_MAX),
		.max_lines = MIN(q->max_lines, (uint64_t)JIT_LINES_MAX),
	};
	int r = jit_stream_read(fd, &out.cursor, q->max, take, &out);

	if (r == -ESTALE) {
		out.cursor = (struct jit_cursor){};
		out.flags = JIT_IMAGE_ANEW;
		/* What there was is forgotten, and so what it took of the bounds. */
		out.max_records = JIT_RECORDS_MAX;
		out.max_lines = JIT_LINES_MAX;
		r = jit_stream_read(fd, &out.cursor, q->max, take, &out);
	}
	if (r < 0)
		return r;
	out.flags |= r > 0 ? JIT_IMAGE_MORE : 0;
	*ret = out;
	out = (struct jit_image){};
	return 0;
}

int jit_parse_answer(enum jit_kind kind, int fd, int answer_fd)
{
	struct jit_image image _cleanup_(jit_image_release) = {};
	struct jit_question q;
	int r;

	if (pread(answer_fd, &q, sizeof(q), 0) != sizeof(q) ||
	    q.cursor.last_len > sizeof(q.cursor.last))
		return -EINVAL;
	if (ftruncate(answer_fd, 0) < 0 || lseek(answer_fd, 0, SEEK_SET) < 0)
		return -errno;
	r = jit_parse(kind, fd, &q, &image);
	return r < 0 ? r : jit_image_write(&image, answer_fd);
}

int jit_read(struct reader *reader, enum jit_kind kind, int fd, const char *path,
	     const struct jit_question *q, struct error *error, struct jit_image *ret)
{
	return reader ? reader_jit(reader, kind, fd, path, q, error, ret)
		      : jit_parse(kind, fd, q, ret);
}
