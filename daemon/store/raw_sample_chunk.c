/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout (around it: packed.h): how many threads there are, the threads (process, tid, name) in
 * order of first use as distances from the one before, and the columns. A column is a byte, 0 when
 * all its numbers are 0, else 1, and a varint for each sample.
 *
 * Samples are in order of their times, which are kept as distances. A thread is most likely to be
 * found where it was found before, so its stack is kept as the distance from its last one; what a
 * wait stands for, as the distance from its length.
 */
#include "raw_sample_chunk.h"

#include "packed.h"
#include "schema.h"
#include "sonde/base/varint.h"

enum { VERSION = 1, ZSTD_LEVEL = 1 };

/* In the order of the file. */
enum column {
	COL_TIME,
	COL_THREAD,
	COL_STACK,
	COL_COUNT,
	COL_NS,
	COL_TOTAL_NS,
	COLUMNS,
	THREAD_NUMBERS = 3,
};

struct thread {
	uint32_t process, tid, name;
	uint32_t stack; /* of its last sample so far */
};

/* Samples and their threads, the same while packing and unpacking. */
struct form {
	struct raw_sample *samples;
	size_t n;
	struct thread *threads;
	size_t n_threads, threads_cap;
	uint32_t *thread_of; /* by sample */
	struct table index;  /* for packing: hash of a thread to its place */
	uint64_t time_ns;    /* of the sample before */
};

static void form_release(struct form *f)
{
	free(f->threads);
	free(f->thread_of);
	table_release(&f->index);
}

void raw_sample_set_release(struct raw_sample_set *s)
{
	free(s->samples);
	*s = (struct raw_sample_set){};
}

void raw_sample_chunk_release(struct raw_sample_chunk *c)
{
	free(c->data);
	*c = (struct raw_sample_chunk){};
}

static int find_thread(struct form *f, const struct raw_sample *s, uint32_t *ret)
{
	uint64_t key = hash_mix((uint64_t)s->process << 32 | s->tid, s->thread);
	uint32_t *slot;

	for (; (slot = table_get(&f->index, key)); key = hash_mix(key, 1)) {
		const struct thread *t = &f->threads[*slot];

		if (t->process == s->process && t->tid == s->tid && t->name == s->thread) {
			*ret = *slot;
			return 0;
		}
	}
	if (array_reserve(&f->threads, &f->threads_cap, f->n_threads + 1, sizeof(*f->threads)) < 0)
		return -ENOMEM;
	slot = table_put(&f->index, key, NULL);
	if (!slot)
		return -ENOMEM;
	*ret = *slot = (uint32_t)f->n_threads;
	f->threads[f->n_threads++] = (struct thread){s->process, s->tid, s->thread, 0};
	return 0;
}

static int find_threads(struct form *f)
{
	int r = 0;

	f->thread_of = calloc(f->n, sizeof(*f->thread_of));
	if (!f->thread_of)
		return -ENOMEM;
	for (size_t i = 0; i < f->n && r >= 0; i++)
		r = find_thread(f, &f->samples[i], &f->thread_of[i]);
	return r;
}

static uint8_t *put_threads(uint8_t *p, const struct form *f)
{
	struct thread last = {};

	p = varint_put(p, f->n_threads);
	for (size_t i = 0; i < f->n_threads; last = f->threads[i++]) {
		const struct thread *t = &f->threads[i];

		p = varint_put(p, zigzag((uint64_t)t->process - last.process));
		p = varint_put(p, zigzag((uint64_t)t->tid - last.tid));
		p = varint_put(p, zigzag((uint64_t)t->name - last.name));
	}
	return p;
}

static uint64_t cut(uint64_t v)
{
	return MIN(v, STORE_MAX_NUMBER);
}

/* What a column holds for sample i; samples come in order. */
static uint64_t number_of(struct form *f, enum column column, size_t i)
{
	const struct raw_sample *s = &f->samples[i];
	struct thread *t = &f->threads[f->thread_of[i]];
	uint64_t v = 0;

	switch (column) {
	case COL_TIME:
		v = cut(s->time_ns) - f->time_ns;
		f->time_ns = cut(s->time_ns);
		break;
	case COL_THREAD:
		v = f->thread_of[i];
		break;
	case COL_STACK:
		v = zigzag((uint64_t)s->stack - t->stack);
		t->stack = s->stack;
		break;
	case COL_COUNT:
		v = zigzag((uint64_t)s->count - 1);
		break;
	case COL_NS:
		v = cut(s->ns);
		break;
	default:
		v = zigzag(cut(s->total_ns) - cut(s->ns));
		break;
	}
	return v;
}

static uint8_t *put_column(uint8_t *p, struct form *f, enum column column)
{
	uint8_t *start = p++;
	uint64_t any = 0;

	for (size_t i = 0; i < f->n; i++) {
		uint64_t v = number_of(f, column, i);

		any |= v;
		p = varint_put(p, v);
	}
	*start = any != 0;
	return any ? p : start + 1;
}

/* n samples of one kind, in their order. */
static int encode(struct raw_sample *samples, size_t n, struct raw_sample_chunk *ret)
{
	_cleanup_(form_release) struct form f = {.samples = samples, .n = n};
	struct raw_sample_chunk chunk = {
		.kind = samples->kind, .first_ns = cut(samples->time_ns), .count = (uint32_t)n};
	_cleanup_(freep) uint8_t *raw = NULL;
	int r = find_threads(&f);
	size_t size;
	uint8_t *p;

	if (r < 0)
		return r;
	raw = malloc(VARINT_MAX * (1 + f.n_threads * THREAD_NUMBERS + n * COLUMNS) + COLUMNS);
	if (!raw)
		return -ENOMEM;
	p = put_threads(raw, &f);
	for (int c = 0; c < COLUMNS; c++)
		p = put_column(p, &f, c);
	r = packed_wrap(VERSION, n, raw, (size_t)(p - raw), ZSTD_LEVEL, &chunk.data, &size);
	if (r < 0)
		return r;
	chunk.size = (uint32_t)size;
	for (size_t i = 0; i < n; i++)
		chunk.last_ns =
			MAX(chunk.last_ns, cut(cut(samples[i].time_ns) + cut(samples[i].ns)));
	*ret = chunk;
	return 0;
}

int raw_sample_chunk_encode(struct raw_sample *samples, size_t n,
			    int (*put)(void *arg, struct raw_sample_chunk *chunk), void *arg)
{
	int r = 0;

	if (n)
		qsort(samples, n, sizeof(*samples), raw_sample_compare);
	for (size_t i = 0, end; i < n && r == 0; i = end) {
		_cleanup_(raw_sample_chunk_release) struct raw_sample_chunk chunk = {};

		for (end = i + 1; end < n && end - i < RAW_SAMPLE_CHUNK_MAX; end++)
			if (samples[end].kind != samples[i].kind)
				break;
		r = encode(samples + i, end - i, &chunk);
		if (r == 0)
			r = put(arg, &chunk);
	}
	return r;
}

struct reader {
	const uint8_t *p, *end;
};

/* Moves an id on by what comes next. */
static bool get_id(struct reader *in, uint32_t *id)
{
	uint64_t v;

	if (!varint_get(&in->p, in->end, &v))
		return false;
	v = *id + unzigzag(v);
	*id = (uint32_t)v;
	return v <= UINT32_MAX;
}

static int get_threads(struct reader *in, struct form *f)
{
	struct thread t = {};
	uint64_t n;

	if (!varint_get(&in->p, in->end, &n) || n < 1 || n > f->n)
		return -EBADMSG;
	f->threads = calloc(n, sizeof(*f->threads));
	f->thread_of = calloc(f->n, sizeof(*f->thread_of));
	if (!f->threads || !f->thread_of)
		return -ENOMEM;
	for (; f->n_threads < n; f->n_threads++) {
		if (!get_id(in, &t.process) || !get_id(in, &t.tid) || !get_id(in, &t.name))
			return -EBADMSG;
		f->threads[f->n_threads] = t;
	}
	return 0;
}

static bool take_number(struct form *f, enum column column, size_t i, uint64_t v)
{
	struct raw_sample *s = &f->samples[i];
	struct thread *t = &f->threads[f->thread_of[i]];

	switch (column) {
	case COL_TIME:
		if (v > STORE_MAX_NUMBER)
			return false;
		s->time_ns = f->time_ns += v;
		return s->time_ns <= STORE_MAX_NUMBER;
	case COL_THREAD:
		if (v >= f->n_threads)
			return false;
		t = &f->threads[v];
		f->thread_of[i] = (uint32_t)v;
		s->process = t->process;
		s->tid = t->tid;
		s->thread = t->name;
		return true;
	case COL_STACK:
		v = t->stack + unzigzag(v);
		s->stack = t->stack = (uint32_t)v;
		return v <= UINT32_MAX;
	case COL_COUNT:
		v = 1 + unzigzag(v);
		s->count = (uint32_t)v;
		return v <= UINT32_MAX;
	case COL_NS:
		s->ns = v;
		return v <= STORE_MAX_NUMBER;
	default:
		s->total_ns = s->ns + unzigzag(v);
		return s->total_ns <= STORE_MAX_NUMBER;
	}
}

static bool get_column(struct reader *in, struct form *f, enum column column)
{
	uint8_t has;
	bool good = in->p < in->end && (has = *in->p++) <= 1;

	for (size_t i = 0; i < f->n && good; i++) {
		uint64_t v = 0;

		good = (!has || varint_get(&in->p, in->end, &v)) && take_number(f, column, i, v);
	}
	return good;
}

/* Fills in the samples. */
static int parse(struct reader *in, struct form *f, enum sample_kind kind)
{
	int r = get_threads(in, f);

	for (int c = 0; c < COLUMNS && r >= 0; c++)
		r = get_column(in, f, c) ? 0 : -EBADMSG;
	for (size_t i = 0; i < f->n; i++)
		f->samples[i].kind = kind;
	return r >= 0 && in->p != in->end ? -EBADMSG : r;
}

int raw_sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			    struct raw_sample_set *ret)
{
	static const struct packed_limits limits = {
		.last_version = VERSION,
		.max_rows = RAW_SAMPLE_CHUNK_MAX,
		.fixed = VARINT_MAX + COLUMNS,
		.row = VARINT_MAX * (THREAD_NUMBERS + COLUMNS),
	};
	_cleanup_(raw_sample_set_release) struct raw_sample_set set = {};
	_cleanup_(form_release) struct form form = {};
	_cleanup_(freep) uint8_t *raw = NULL;
	struct packed packed;
	int r = packed_unwrap(data, size, &limits, &packed);

	if (r < 0)
		return r;
	raw = packed.raw;
	set.n = packed.rows;
	set.samples = calloc(set.n, sizeof(*set.samples));
	if (!set.samples)
		return -ENOMEM;
	form.samples = set.samples;
	form.n = set.n;
	r = parse(&(struct reader){raw, raw + packed.raw_size}, &form, kind);
	if (r < 0)
		return r;
	*ret = set;
	set = (struct raw_sample_set){};
	return 0;
}
