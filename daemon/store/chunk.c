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
	BLOCK = 256,	   /* spans that are packed at a time: their numbers stay in the L1 cache */
	CACHE_SLOTS = 256, /* a power of two */
	PREFETCH = 24,	   /* spans ahead; going past the end does no harm */
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
	uint64_t ret;
	struct span_args args;
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

struct packer {
	struct coder coder;
	/* Where the threads and paths seen last are in the coder's arrays; checked when used. */
	uint32_t thread_cache[CACHE_SLOTS], path_cache[CACHE_SLOTS];
	uint64_t base; /* the start of the first span */
	uint64_t first_ns, last_ns;
	struct column cols[COLUMNS];
	uint64_t values[COLUMNS][BLOCK];
};

static int add_thread(struct packer *k, const struct raw_span *s, uint32_t *ret)
{
	uint64_t key = (uint64_t)s->process << 32 | s->tid;
	struct coder *c = &k->coder;
	uint32_t *slot;
	bool is_new;

	if (array_reserve(&c->threads, &c->threads_cap, c->n_threads + 1, sizeof(*c->threads)) < 0)
		return -ENOMEM;
	slot = table_put(&c->thread_index, key, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		struct thread_state *t = &c->threads[c->n_threads];

		*slot = c->n_threads++;
		t->process = s->process;
		t->tid = s->tid;
		t->last_end = k->base;
	}
	*ret = *slot;
	return 0;
}

static int add_path(struct packer *k, uint32_t path, uint32_t *ret)
{
	struct coder *c = &k->coder;
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

/* The thread's state, made when new. The pointer is good until the next one is made. */
static inline struct thread_state *thread_of(struct packer *k, const struct raw_span *s)
{
	uint32_t *at = &k->thread_cache[(s->tid ^ s->process) % CACHE_SLOTS];

	if (*at >= k->coder.n_threads || k->coder.threads[*at].tid != s->tid ||
	    k->coder.threads[*at].process != s->process) {
		if (add_thread(k, s, at) < 0)
			return NULL;
	}
	return &k->coder.threads[*at];
}

static inline struct path_state *path_of(struct packer *k, uint32_t path)
{
	uint32_t *at = &k->path_cache[path % CACHE_SLOTS];

	if (*at >= k->coder.n_paths || k->coder.paths[*at].path != path) {
		if (add_path(k, path, at) < 0)
			return NULL;
	}
	return &k->coder.paths[*at];
}

static inline void predict_span(struct packer *k, size_t i, const struct raw_span *s,
				struct thread_state *t, struct path_state *p)
{
	uint64_t end = s->start_ns + s->duration_ns;
	uint64_t anchor = s->depth < t->last_depth ? end : s->start_ns;
	uint64_t inside = predict_inside(t, s->depth, s->duration_ns);

	k->values[COL_DEPTH][i] = zigzag((uint64_t)s->depth - p->depth);
	k->values[COL_FLAGS][i] = s->flags;
	k->values[COL_GAP][i] = zigzag(anchor - t->last_end);
	k->values[COL_DURATION][i] = s->duration_ns;
	k->values[COL_INSIDE][i] = zigzag(s->duration_ns - s->self_ns - inside);
	k->values[COL_RET][i] = zigzag(s->ret - p->ret);
	t->last_end = end;
	t->last_depth = s->depth;
	p->depth = s->depth;
	p->ret = s->ret;
	k->first_ns = MIN(k->first_ns, s->start_ns);
	k->last_ns = MAX(k->last_ns, end);
}

static void predict_args(struct packer *k, size_t i, const struct span_args *args,
			 struct path_state *p)
{
	for (int a = 0; a < RECORD_ARGS; a++)
		k->values[COL_ARGS + a][i] = zigzag(args->values[a] - p->args.values[a]);
	p->args = *args;
}

/* Most columns are zero or a byte a number for whole blocks on end. */
static void put_column(struct column *c, const uint64_t *values, size_t n)
{
	uint64_t any = 0;
	uint8_t *p = c->p;

	for (size_t i = 0; i < n; i++)
		any |= values[i];
	c->any |= any;
	if (any == 0) {
		memset(p, 0, n);
		p += n;
	} else if (any < 0x80) {
		for (size_t i = 0; i < n; i++)
			p[i] = values[i];
		p += n;
	} else {
		for (size_t i = 0; i < n; i++)
			p = varint_put(p, values[i]);
	}
	c->p = p;
}

/* A block of spans at a time: first what predictions miss, then the columns one by one. */
static int put_spans(struct packer *k, const struct raw_span *spans, const struct span_args *args,
		     size_t n)
{
	int n_columns = args ? COLUMNS : COL_ARGS;

	for (size_t first = 0; first < n; first += BLOCK) {
		size_t len = MIN(n - first, (size_t)BLOCK);

		for (size_t i = 0; i < len; i++) {
			const struct raw_span *s = &spans[first + i];
			struct thread_state *t = thread_of(k, s);
			struct path_state *p = path_of(k, s->path);

			/* Written lately by another CPU: the hardware does not look far enough. */
			__builtin_prefetch(s + PREFETCH);
			if (!t || !p)
				return -ENOMEM;
			k->values[COL_THREAD][i] = t - k->coder.threads;
			k->values[COL_PATH][i] = p - k->coder.paths;
			predict_span(k, i, s, t, p);
			if (args)
				predict_args(k, i, &args[first + i], p);
		}
		for (int c = 0; c < n_columns; c++)
			put_column(&k->cols[c], k->values[c], len);
	}
	return 0;
}

static bool any_args(const struct span_args *args, size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; args && i < n; i++)
		for (int a = 0; a < RECORD_ARGS; a++)
			any |= args[i].values[a];
	return any != 0;
}

/* The largest the raw form of n spans can be. */
static size_t raw_bound(size_t n)
{
	return 1 + 3 * VARINT_MAX + COLUMNS + n * VARINT_MAX * (3 + COLUMNS);
}

static uint8_t *put_dictionaries(uint8_t *p, const struct coder *c)
{
	uint32_t process = 0, tid = 0, path = 0;

	p = varint_put(p, c->n_threads);
	for (size_t i = 0; i < c->n_threads; i++) {
		p = varint_put(p, zigzag((uint64_t)c->threads[i].process - process));
		p = varint_put(p, zigzag((uint64_t)c->threads[i].tid - tid));
		process = c->threads[i].process;
		tid = c->threads[i].tid;
	}
	p = varint_put(p, c->n_paths);
	for (size_t i = 0; i < c->n_paths; i++) {
		p = varint_put(p, zigzag((uint64_t)c->paths[i].path - path));
		path = c->paths[i].path;
	}
	return p;
}

static int make_raw(struct packer *k, const struct raw_span *spans, const struct span_args *args,
		    size_t n, uint8_t **ret_raw, size_t *ret_size)
{
	int n_columns = args ? COLUMNS : COL_ARGS, r;
	_cleanup_(freep) uint8_t *scratch = malloc(n * VARINT_MAX * n_columns);
	_cleanup_(freep) uint8_t *raw = malloc(raw_bound(n));
	uint8_t *p = raw;

	if (!scratch || !raw)
		return -ENOMEM;
	for (int i = 0; i < n_columns; i++)
		k->cols[i].start = k->cols[i].p = scratch + n * VARINT_MAX * i;
	k->base = spans[0].start_ns;
	k->first_ns = UINT64_MAX;
	r = put_spans(k, spans, args, n);
	if (r < 0)
		return r;
	*p++ = args ? CHUNK_ARGS : 0;
	p = varint_put(p, k->base);
	p = put_dictionaries(p, &k->coder);
	for (int i = 0; i < n_columns; i++) {
		const struct column *c = &k->cols[i];
		size_t len = c->any ? c->p - c->start : 0;

		*p++ = c->any != 0;
		memcpy(p, c->start, len);
		p += len;
	}
	*ret_size = p - raw;
	*ret_raw = TAKE_PTR(raw);
	return 0;
}

static struct packer *packer_free(struct packer *k)
{
	if (k)
		coder_release(&k->coder);
	free(k);
	return NULL;
}
DEFINE_CLEANUP(struct packer *, packer_free)

int chunk_encode(const struct raw_span *spans, const struct span_args *args, size_t n,
		 struct span_chunk *ret)
{
	_cleanup_(packer_freep) struct packer *k = NULL;
	_cleanup_(freep) uint8_t *raw = NULL, *data = NULL;
	struct span_chunk chunk = {.count = n};
	size_t raw_size, bound, size;
	uint8_t *p, *fitted;
	int r;

	if (n < 1 || n > CHUNK_MAX_SPANS)
		return -EINVAL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	r = make_raw(k, spans, any_args(args, n) ? args : NULL, n, &raw, &raw_size);
	if (r < 0)
		return r;
	chunk.first_ns = k->first_ns;
	chunk.last_ns = k->last_ns;
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
		     struct span_args *args)
{
	for (int a = 0; a < RECORD_ARGS; a++)
		p->args.values[a] += unzigzag(values[(COL_ARGS + a) * n + i]);
	*args = p->args;
}

/* Fills spans, and *ret_args, which the caller frees, if there are any. */
static int parse_raw(const uint8_t *raw, size_t size, size_t n, struct raw_span *spans,
		     struct span_args **ret_args)
{
	_cleanup_(coder_release) struct coder coder = {};
	_cleanup_(freep) struct span_args *args = NULL;
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
	if (raw[0] & CHUNK_ARGS)
		args = malloc(n * sizeof(*args));
	if (!values || (raw[0] & CHUNK_ARGS && !args))
		return -ENOMEM;
	for (int i = 0; i < n_columns; i++)
		if (!get_column(&in, &values[i * n], n))
			return -EBADMSG;
	if (in.p != in.end)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		if (!get_span(values, n, i, &coder, &spans[i]))
			return -EBADMSG;
		if (args)
			get_args(values, n, i, &coder.paths[values[COL_PATH * n + i]], &args[i]);
	}
	*ret_args = TAKE_PTR(args);
	return 0;
}

int chunk_decode(const uint8_t *data, size_t size, struct raw_span **ret_spans,
		 struct span_args **ret_args, size_t *ret_n)
{
	struct span_args *args = NULL;
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
	r = parse_raw(raw, raw_size, n, spans, &args);
	if (r < 0)
		return r;
	*ret_args = args;
	*ret_spans = TAKE_PTR(spans);
	*ret_n = n;
	return 0;
}

void chunk_release(struct span_chunk *c)
{
	free(c->data);
	*c = (struct span_chunk){};
}
