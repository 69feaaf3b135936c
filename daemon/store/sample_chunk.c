/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout (around it: packed.h): the columns one after the other, a varint for each row:
 * process, thread, stack, count, and total_ns of those that wait. Rows are sorted by these, and an
 * id is kept as its distance from the one in the row before: the process's grows, so it is no
 * signed one.
 */
#include "sample_chunk.h"

#include "packed.h"
#include "schema.h"
#include "sonde/base/varint.h"

enum { VERSION = 1, COLUMNS = 5 };

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
	_cleanup_(freep) uint8_t *raw = malloc(n * VARINT_MAX * COLUMNS);
	struct sample_chunk chunk = {.kind = rows->kind, .count = (uint32_t)n};
	int r;

	if (!raw)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		chunk.samples =
			MIN(chunk.samples + MIN(rows[i].count, STORE_MAX_NUMBER), STORE_MAX_NUMBER);
	r = packed_wrap(VERSION, n, raw, (size_t)(put_columns(raw, rows, n) - raw), level,
			&chunk.data, &chunk.size);
	if (r >= 0)
		*ret = chunk;
	return r;
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
	const struct packed_limits limits = {.last_version = VERSION,
					     .max_rows = SAMPLE_CHUNK_MAX,
					     .row = VARINT_MAX * (size_t)columns_of(kind)};
	_cleanup_(sample_set_release) struct sample_set set = {};
	_cleanup_(freep) uint8_t *raw = NULL;
	struct packed packed;
	int r = packed_unwrap(data, size, &limits, &packed);

	if (r < 0)
		return r;
	raw = packed.raw;
	set.n = packed.rows;
	set.rows = calloc(set.n, sizeof(*set.rows));
	if (!set.rows)
		return -ENOMEM;
	if (!get_rows(raw, raw + packed.raw_size, kind, &set))
		return -EBADMSG;
	*ret = set;
	set = (struct sample_set){};
	return 0;
}
