/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout: a version byte, the number of rows and the size of the raw form as varints, then the
 * raw form as one zstd frame. The raw form has the columns one after the other, a varint for each
 * row: process, thread, stack, count, and total_ns of those that wait. Rows are sorted by these,
 * and an id is kept as its distance from the one in the row before: the process's grows, so it is
 * no signed one.
 */
#include "sample_chunk.h"

#include <zstd.h>

#include "schema.h"
#include "sonde/base/varint.h"

enum { VERSION = 1, HEADER_MAX = 1 + 2 * VARINT_MAX, COLUMNS = 5 };

void sample_set_release(struct sample_set *s)
{
	free(s->rows);
	*s = (struct sample_set){};
}

static int compare_rows(const void *a, const void *b)
{
	const struct sample_row *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int columns_of(enum sample_kind kind)
{
	return kind == SAMPLE_CPU ? COLUMNS - 1 : COLUMNS;
}

static uint8_t *put_columns(uint8_t *p, const struct sample_row *rows, size_t n)
{
	struct sample_row last = {};

	for (size_t i = 0; i < n; last = rows[i++])
		p = varint_put(p, rows[i].process - last.process);
	last.thread = 0;
	for (size_t i = 0; i < n; last = rows[i++])
		p = varint_put(p, zigzag((uint64_t)rows[i].thread - last.thread));
	last.stack = 0;
	for (size_t i = 0; i < n; last = rows[i++])
		p = varint_put(p, zigzag((uint64_t)rows[i].stack - last.stack));
	for (size_t i = 0; i < n; i++)
		p = varint_put(p, MIN(rows[i].count, STORE_MAX_NUMBER));
	for (size_t i = 0; rows->kind != SAMPLE_CPU && i < n; i++)
		p = varint_put(p, MIN(rows[i].total_ns, STORE_MAX_NUMBER));
	return p;
}

/* n rows of one kind, in their order. */
static int encode(const struct sample_row *rows, size_t n, int level, struct sample_chunk *ret)
{
	_cleanup_(freep) uint8_t *raw = malloc(n * VARINT_MAX * COLUMNS), *data = NULL;
	size_t raw_size, bound, size;
	uint8_t *p;

	if (!raw)
		return -ENOMEM;
	raw_size = (size_t)(put_columns(raw, rows, n) - raw);
	bound = ZSTD_compressBound(raw_size);
	data = malloc(HEADER_MAX + bound);
	if (!data)
		return -ENOMEM;
	data[0] = VERSION;
	p = varint_put(data + 1, n);
	p = varint_put(p, raw_size);
	size = ZSTD_compress(p, bound, raw, raw_size, level);
	if (ZSTD_isError(size))
		return -ENOMEM; /* the room is enough, so nothing else can fail */
	*ret = (struct sample_chunk){.kind = rows->kind, .count = (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		ret->samples =
			MIN(ret->samples + MIN(rows[i].count, STORE_MAX_NUMBER), STORE_MAX_NUMBER);
	ret->size = (size_t)(p - data) + size;
	ret->data = TAKE_PTR(data);
	return 0;
}

int sample_chunk_encode(struct sample_row *rows, size_t n, int level,
			int (*put)(void *arg, const struct sample_chunk *chunk), void *arg)
{
	int r = 0;

	if (n)
		qsort(rows, n, sizeof(*rows), compare_rows);
	for (size_t i = 0, end; i < n && r == 0; i = end) {
		struct sample_chunk chunk = {};

		for (end = i + 1; end < n && end - i < SAMPLE_CHUNK_MAX; end++)
			if (rows[end].kind != rows[i].kind)
				break;
		r = encode(rows + i, end - i, level, &chunk);
		if (r == 0)
			r = put(arg, &chunk);
		free(chunk.data);
	}
	return r;
}

/* Moves an id on by what a column holds next. */
static bool get_id(const uint8_t **p, const uint8_t *end, bool is_signed, uint64_t *id)
{
	uint64_t v;

	if (!varint_get(p, end, &v))
		return false;
	*id += is_signed ? unzigzag(v) : v;
	return *id <= UINT32_MAX;
}

static bool get_ids(const uint8_t **p, const uint8_t *end, struct sample_row *rows, size_t n)
{
	uint64_t process = 0, thread = 0, stack = 0;

	for (size_t i = 0; i < n; i++) {
		if (!get_id(p, end, false, &process))
			return false;
		rows[i].process = (uint32_t)process;
	}
	for (size_t i = 0; i < n; i++) {
		if (!get_id(p, end, true, &thread))
			return false;
		rows[i].thread = (uint32_t)thread;
	}
	for (size_t i = 0; i < n; i++) {
		if (!get_id(p, end, true, &stack))
			return false;
		rows[i].stack = (uint32_t)stack;
	}
	return true;
}

static bool get_rows(const uint8_t *p, const uint8_t *end, enum sample_kind kind,
		     const struct sample_set *set)
{
	if (!get_ids(&p, end, set->rows, set->n))
		return false;
	for (size_t i = 0; i < set->n; i++) {
		set->rows[i].kind = kind;
		if (!varint_get(&p, end, &set->rows[i].count) ||
		    set->rows[i].count > STORE_MAX_NUMBER)
			return false;
	}
	for (size_t i = 0; kind != SAMPLE_CPU && i < set->n; i++)
		if (!varint_get(&p, end, &set->rows[i].total_ns) ||
		    set->rows[i].total_ns > STORE_MAX_NUMBER)
			return false;
	return p == end;
}

int sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			struct sample_set *ret)
{
	_cleanup_(sample_set_release) struct sample_set set = {};
	_cleanup_(freep) uint8_t *raw = NULL;
	const uint8_t *p = data, *end = data + size;
	uint64_t n, raw_size;

	if (size < 1 || *p++ != VERSION || !varint_get(&p, end, &n) ||
	    !varint_get(&p, end, &raw_size) || n < 1 || n > SAMPLE_CHUNK_MAX ||
	    raw_size > n * VARINT_MAX * (uint64_t)columns_of(kind))
		return -EBADMSG;
	/* One frame, and nothing behind it. */
	if (ZSTD_getFrameContentSize(p, (size_t)(end - p)) != raw_size ||
	    ZSTD_findFrameCompressedSize(p, (size_t)(end - p)) != (size_t)(end - p))
		return -EBADMSG;
	raw = malloc(raw_size + 1);
	set.rows = calloc(n, sizeof(*set.rows));
	if (!raw || !set.rows)
		return -ENOMEM;
	set.n = n;
	if (ZSTD_decompress(raw, raw_size, p, (size_t)(end - p)) != raw_size ||
	    !get_rows(raw, raw + raw_size, kind, &set))
		return -EBADMSG;
	*ret = set;
	set = (struct sample_set){};
	return 0;
}
