/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout: a version byte, the number of spans and the size of the raw form as varints, then the
 * raw form as one zstd frame. The raw form: a byte of flags, the start of the first span, the
 * dictionaries of threads (process, tid) and of paths in order of first use, then the columns. A
 * column is a byte, 0 when all its numbers are 0 and absent, else 1, and a varint for each span.
 *
 * Numbers are kept as what a prediction misses, as calls nest. On its thread a call starts soon
 * after the call before it ended, or, when calls were made inside, it ends soon after the last of
 * those: the gap is a few bits. What was spent inside is the sum of the durations one level
 * deeper, so the self time costs nothing unless calls were filtered out. Depth, return value and
 * arguments are predicted by those of the last call of the same path. All arithmetic is modulo
 * 2^64, so that any input, however odd, comes back as it was.
 */
#include "chunk.h"

#include <zstd.h>

#include "varint.h"

enum {
	CHUNK_VERSION = 1,
	CHUNK_ARGS = 1 << 0,
	LEVELS = RECORD_MAX_OPEN + 1, /* deeper calls are kept without prediction */
	ZSTD_LEVEL = -1,	      /* 15 % less time than level 1 for 3 % more bytes */
	HEADER_MAX = 1 + 2 * VARINT_MAX,
};

enum column_index {
	COL_THREAD,
	COL_PATH,
	COL_DEPTH,
	COL_FLAGS,
	COL_GAP,
	COL_DURATION,
	COL_INSIDE,
	COL_RET,
	COL_ARGS,
	COLUMNS = COL_ARGS + RECORD_ARGS,
};

/* What prediction knows of a thread, the same while packing and unpacking. */
struct thread_state {
	uint32_t process, tid;
	uint32_t last_depth;
	uint64_t last_end;
	uint64_t inside[LEVELS]; /* durations since the last call one level above ended */
};

struct path_state {
	uint32_t path;
	uint16_t depth;
	uint64_t ret, args[RECORD_ARGS];
};

struct coder {
	struct thread_state *threads;
	struct path_state *paths;
	size_t n_threads, n_paths, threads_cap, paths_cap;
	struct table thread_index, path_index;
};

static void coder_release(struct coder *c)
{
	free(c->threads);
	free(c->paths);
	table_release(&c->thread_index);
	table_release(&c->path_index);
}

/* The total of the calls inside that the ones seen so far predict; takes note of this one. */
static uint64_t predict_inside(struct thread_state *t, uint16_t depth, uint64_t duration)
{
	uint64_t inside = 0;

	if (depth + 1 < LEVELS) {
		inside = t->inside[depth + 1];
		t->inside[depth + 1] = 0;
	}
	if (depth < LEVELS)
		t->inside[depth] += duration;
	return inside;
}

/* Packing. */

struct column {
	uint8_t *start, *p;
	uint64_t any; /* zero when all numbers are */
};

static inline void column_put(struct column *c, uint64_t v)
{
	c->any |= v;
	c->p = varint_put(c->p, v);
}

static int thread_of(struct coder *c, const struct raw_span *s, uint32_t *ret)
{
	uint64_t key = (uint64_t)s->process << 32 | s->tid;
	uint32_t *slot;
	bool is_new;

	if (array_reserve(&c->threads, &c->threads_cap, c->n_threads + 1, sizeof(*c->threads)) < 0)
		return -ENOMEM;
	slot = table_put(&c->thread_index, key, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = c->n_threads;
		c->threads[c->n_threads].process = s->process;
		c->threads[c->n_threads++].tid = s->tid;
	}
	*ret = *slot;
	return 0;
}

static int path_of(struct coder *c, uint32_t path, uint32_t *ret)
{
	uint32_t *slot;
	bool is_new;

	if (array_reserve(&c->paths, &c->paths_cap, c->n_paths + 1, sizeof(*c->paths)) < 0)
		return -ENOMEM;
	slot = table_put(&c->path_index, path, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = c->n_paths;
		c->paths[c->n_paths++].path = path;
	}
	*ret = *slot;
	return 0;
}

static void put_span(struct column *cols, const struct raw_span *s, struct thread_state *t,
		     struct path_state *p)
{
	uint64_t end = s->start_ns + s->duration_ns;
	uint64_t anchor = s->depth < t->last_depth ? end : s->start_ns;
	uint64_t inside = predict_inside(t, s->depth, s->duration_ns);

	column_put(&cols[COL_DEPTH], zigzag((uint64_t)s->depth - p->depth));
	column_put(&cols[COL_FLAGS], s->flags);
	column_put(&cols[COL_GAP], zigzag(anchor - t->last_end));
	column_put(&cols[COL_DURATION], s->duration_ns);
	column_put(&cols[COL_INSIDE], zigzag(s->duration_ns - s->self_ns - inside));
	column_put(&cols[COL_RET], zigzag(s->ret - p->ret));
	t->last_end = end;
	t->last_depth = s->depth;
	p->depth = s->depth;
	p->ret = s->ret;
}

static void put_args(struct column *cols, const struct raw_span *s, struct path_state *p)
{
	for (int i = 0; i < RECORD_ARGS; i++) {
		column_put(&cols[COL_ARGS + i], zigzag(s->args[i] - p->args[i]));
		p->args[i] = s->args[i];
	}
}

static int put_spans(struct coder *c, struct column *cols, const struct raw_span *spans, size_t n,
		     bool with_args)
{
	uint32_t thread = 0, path = 0;

	for (size_t i = 0; i < n; i++) {
		const struct raw_span *s = &spans[i];
		size_t known = c->n_threads;
		int r = 0;

		if (!i || s->tid != s[-1].tid || s->process != s[-1].process)
			r = thread_of(c, s, &thread);
		if (r >= 0 && (!i || s->path != s[-1].path))
			r = path_of(c, s->path, &path);
		if (r < 0)
			return r;
		if (c->n_threads != known)
			c->threads[thread].last_end = spans[0].start_ns;
		column_put(&cols[COL_THREAD], thread);
		column_put(&cols[COL_PATH], path);
		put_span(cols, s, &c->threads[thread], &c->paths[path]);
		if (with_args)
			put_args(cols, s, &c->paths[path]);
	}
	return 0;
}

static bool any_args(const struct raw_span *spans, size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < RECORD_ARGS; k++)
			any |= spans[i].args[k];
	return any != 0;
}

/* The largest the raw form of n spans can be. */
static size_t raw_bound(size_t n)
{
	return 1 + 3 * VARINT_MAX + COLUMNS + n * VARINT_MAX * (3 + COLUMNS);
}

static int make_raw(const struct raw_span *spans, size_t n, uint8_t **ret_raw, size_t *ret_size)
{
	_cleanup_(coder_release) struct coder coder = {};
	bool with_args = any_args(spans, n);
	int n_columns = with_args ? COLUMNS : COL_ARGS, r;
	_cleanup_(freep) uint8_t *scratch = malloc(n * VARINT_MAX * n_columns);
	_cleanup_(freep) uint8_t *raw = malloc(raw_bound(n));
	struct column cols[COLUMNS] = {};
	uint32_t process = 0, tid = 0, path = 0;
	uint8_t *p = raw;

	if (!scratch || !raw)
		return -ENOMEM;
	for (int i = 0; i < n_columns; i++)
		cols[i].start = cols[i].p = scratch + n * VARINT_MAX * i;
	r = put_spans(&coder, cols, spans, n, with_args);
	if (r < 0)
		return r;
	*p++ = with_args ? CHUNK_ARGS : 0;
	p = varint_put(p, spans[0].start_ns);
	p = varint_put(p, coder.n_threads);
	for (size_t i = 0; i < coder.n_threads; i++) {
		p = varint_put(p, zigzag((uint64_t)coder.threads[i].process - process));
		p = varint_put(p, zigzag((uint64_t)coder.threads[i].tid - tid));
		process = coder.threads[i].process;
		tid = coder.threads[i].tid;
	}
	p = varint_put(p, coder.n_paths);
	for (size_t i = 0; i < coder.n_paths; i++) {
		p = varint_put(p, zigzag((uint64_t)coder.paths[i].path - path));
		path = coder.paths[i].path;
	}
	for (int i = 0; i < n_columns; i++) {
		size_t len = cols[i].any ? cols[i].p - cols[i].start : 0;

		*p++ = cols[i].any != 0;
		memcpy(p, cols[i].start, len);
		p += len;
	}
	*ret_size = p - raw;
	*ret_raw = TAKE_PTR(raw);
	return 0;
}

int chunk_encode(const struct raw_span *spans, size_t n, struct span_chunk *ret)
{
	_cleanup_(freep) uint8_t *raw = NULL, *data = NULL;
	struct span_chunk chunk = {.first_ns = UINT64_MAX, .count = n};
	size_t raw_size, bound, size;
	uint8_t *p, *fitted;
	int r;

	if (n < 1 || n > CHUNK_MAX_SPANS)
		return -EINVAL;
	r = make_raw(spans, n, &raw, &raw_size);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		chunk.first_ns = MIN(chunk.first_ns, spans[i].start_ns);
		chunk.last_ns = MAX(chunk.last_ns, spans[i].start_ns + spans[i].duration_ns);
	}
	bound = ZSTD_compressBound(raw_size);
	data = malloc(HEADER_MAX + bound);
	if (!data)
		return -ENOMEM;
	data[0] = CHUNK_VERSION;
	p = varint_put(data + 1, n);
	p = varint_put(p, raw_size);
	size = ZSTD_compress(p, bound, raw, raw_size, ZSTD_LEVEL);
	if (ZSTD_isError(size))
		return -ENOMEM; /* the room is enough, so nothing else can fail */
	chunk.size = p - data + size;
	fitted = realloc(data, chunk.size);
	chunk.data = fitted ? fitted : data;
	data = NULL;
	*ret = chunk;
	return 0;
}

/* Unpacking: nothing of the data is trusted. */

struct reader {
	const uint8_t *p, *end;
};

static bool get_dictionaries(struct reader *in, struct coder *c, size_t n, uint64_t base,
			     int *ret_r)
{
	uint32_t process = 0, tid = 0, path = 0;
	uint64_t count, a, b;

	*ret_r = -EBADMSG;
	if (!varint_get(&in->p, in->end, &count) || count < 1 || count > n)
		return false;
	*ret_r = array_reserve(&c->threads, &c->threads_cap, count, sizeof(*c->threads));
	if (*ret_r < 0)
		return false;
	*ret_r = -EBADMSG;
	for (c->n_threads = 0; c->n_threads < count; c->n_threads++) {
		if (!varint_get(&in->p, in->end, &a) || !varint_get(&in->p, in->end, &b) ||
		    process + unzigzag(a) > UINT32_MAX || tid + unzigzag(b) > UINT32_MAX)
			return false;
		process += unzigzag(a);
		tid += unzigzag(b);
		c->threads[c->n_threads].process = process;
		c->threads[c->n_threads].tid = tid;
		c->threads[c->n_threads].last_end = base;
	}
	if (!varint_get(&in->p, in->end, &count) || count < 1 || count > n)
		return false;
	*ret_r = array_reserve(&c->paths, &c->paths_cap, count, sizeof(*c->paths));
	if (*ret_r < 0)
		return false;
	*ret_r = -EBADMSG;
	for (c->n_paths = 0; c->n_paths < count; c->n_paths++) {
		if (!varint_get(&in->p, in->end, &a) || path + unzigzag(a) > UINT32_MAX)
			return false;
		path += unzigzag(a);
		c->paths[c->n_paths].path = path;
	}
	*ret_r = 0;
	return true;
}

/* Reads a column into n numbers that lie a span apart. */
static bool get_column(struct reader *in, uint64_t *values, size_t n)
{
	uint8_t mode;

	if (in->p >= in->end)
		return false;
	mode = *in->p++;
	if (mode == 0) {
		memset(values, 0, n * sizeof(*values));
		return true;
	}
	if (mode != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!varint_get(&in->p, in->end, &values[i]))
			return false;
	return true;
}

static bool get_span(const uint64_t *values, size_t n, size_t i, const struct coder *c,
		     struct raw_span *s)
{
	uint64_t thread = values[COL_THREAD * n + i], path = values[COL_PATH * n + i];
	uint64_t flags = values[COL_FLAGS * n + i], depth, gap, inside;
	struct thread_state *t;
	struct path_state *p;

	if (thread >= c->n_threads || path >= c->n_paths || flags > UINT16_MAX)
		return false;
	t = &c->threads[thread];
	p = &c->paths[path];
	depth = p->depth + unzigzag(values[COL_DEPTH * n + i]);
	if (depth > UINT16_MAX)
		return false;
	gap = unzigzag(values[COL_GAP * n + i]);
	s->process = t->process;
	s->tid = t->tid;
	s->path = p->path;
	s->depth = depth;
	s->flags = flags;
	s->duration_ns = values[COL_DURATION * n + i];
	s->start_ns = t->last_end + gap - (depth < t->last_depth ? s->duration_ns : 0);
	inside = predict_inside(t, depth, s->duration_ns);
	s->self_ns = s->duration_ns - inside - unzigzag(values[COL_INSIDE * n + i]);
	s->ret = p->ret + unzigzag(values[COL_RET * n + i]);
	t->last_end = s->start_ns + s->duration_ns;
	t->last_depth = depth;
	p->depth = depth;
	p->ret = s->ret;
	return true;
}

static void get_args(const uint64_t *values, size_t n, size_t i, struct path_state *p,
		     struct raw_span *s)
{
	for (int k = 0; k < RECORD_ARGS; k++) {
		p->args[k] += unzigzag(values[(COL_ARGS + k) * n + i]);
		s->args[k] = p->args[k];
	}
}

static int parse_raw(const uint8_t *raw, size_t size, size_t n, struct raw_span *spans)
{
	_cleanup_(coder_release) struct coder coder = {};
	_cleanup_(freep) uint64_t *values = NULL;
	struct reader in = {.p = raw + 1, .end = raw + size};
	int n_columns, r;
	uint64_t base;

	if (size < 1 || raw[0] & ~CHUNK_ARGS || !varint_get(&in.p, in.end, &base))
		return -EBADMSG;
	if (!get_dictionaries(&in, &coder, n, base, &r))
		return r;
	n_columns = raw[0] & CHUNK_ARGS ? COLUMNS : COL_ARGS;
	values = malloc(sizeof(*values) * n * n_columns);
	if (!values)
		return -ENOMEM;
	for (int i = 0; i < n_columns; i++)
		if (!get_column(&in, &values[i * n], n))
			return -EBADMSG;
	if (in.p != in.end)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		if (!get_span(values, n, i, &coder, &spans[i]))
			return -EBADMSG;
		if (raw[0] & CHUNK_ARGS)
			get_args(values, n, i, &coder.paths[values[COL_PATH * n + i]], &spans[i]);
	}
	return 0;
}

int chunk_decode(const uint8_t *data, size_t size, struct raw_span **ret_spans, size_t *ret_n)
{
	_cleanup_(freep) struct raw_span *spans = NULL;
	_cleanup_(freep) uint8_t *raw = NULL;
	const uint8_t *p = data, *end = data + size;
	uint64_t n, raw_size;
	int r;

	if (size < 1 || *p++ != CHUNK_VERSION || !varint_get(&p, end, &n) ||
	    !varint_get(&p, end, &raw_size) || n < 1 || n > CHUNK_MAX_SPANS ||
	    raw_size > raw_bound(n))
		return -EBADMSG;
	/* One frame, and nothing behind it. */
	if (ZSTD_getFrameContentSize(p, end - p) != raw_size ||
	    ZSTD_findFrameCompressedSize(p, end - p) != (size_t)(end - p))
		return -EBADMSG;
	raw = malloc(raw_size + 1);
	spans = calloc(n, sizeof(*spans));
	if (!raw || !spans)
		return -ENOMEM;
	if (ZSTD_decompress(raw, raw_size, p, end - p) != raw_size)
		return -EBADMSG;
	r = parse_raw(raw, raw_size, n, spans);
	if (r < 0)
		return r;
	*ret_spans = TAKE_PTR(spans);
	*ret_n = n;
	return 0;
}

void chunk_release(struct span_chunk *c)
{
	free(c->data);
	*c = (struct span_chunk){};
}
