/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packed.h"

#include <zstd.h>

#include "sonde/base/varint.h"

enum { HEADER_MAX = 1 + 2 * VARINT_MAX };

int packed_wrap(uint8_t version, size_t rows, const uint8_t *raw, size_t raw_size, int level,
		uint8_t **ret, size_t *ret_size)
{
	size_t bound = ZSTD_compressBound(raw_size), size;
	_cleanup_(freep) uint8_t *data = malloc(HEADER_MAX + bound);
	uint8_t *p, *fitted;

	if (!data)
		return -ENOMEM;
	data[0] = version;
	p = varint_put(data + 1, rows);
	p = varint_put(p, raw_size);
	size = ZSTD_compress(p, bound, raw, raw_size, level);
	if (ZSTD_isError(size))
		return -ENOMEM; /* the room is enough, so nothing else can fail */
	size += (size_t)(p - data);
	fitted = realloc(data, size);
	if (fitted)
		data = fitted;
	*ret_size = size;
	*ret = TAKE_PTR(data);
	return 0;
}

int packed_unwrap(const uint8_t *data, size_t size, const struct packed_limits *limits,
		  struct packed *ret)
{
	_cleanup_(freep) uint8_t *raw = NULL;
	const uint8_t *p = data, *end = data + size;
	uint64_t rows, raw_size;

	if (size < 1 || *p < 1 || *p++ > limits->last_version || !varint_get(&p, end, &rows) ||
	    !varint_get(&p, end, &raw_size) || rows < 1 || rows > limits->max_rows ||
	    raw_size > limits->fixed + rows * limits->row)
		return -EBADMSG;
	/* One frame, and nothing behind it. */
	if (ZSTD_getFrameContentSize(p, (size_t)(end - p)) != raw_size ||
	    ZSTD_findFrameCompressedSize(p, (size_t)(end - p)) != (size_t)(end - p))
		return -EBADMSG;
	raw = malloc(raw_size + 1);
	if (!raw)
		return -ENOMEM;
	if (ZSTD_decompress(raw, raw_size, p, (size_t)(end - p)) != raw_size)
		return -EBADMSG;
	*ret = (struct packed){.version = data[0], .rows = rows, .raw_size = raw_size};
	ret->raw = TAKE_PTR(raw);
	return 0;
}
