/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chunk_format.h"
#include "packed.h"

enum {
	ZSTD_LEVEL = -1,   /* 15 % less time than level 1 for 3 % more bytes */
	BLOCK = 256,	   /* spans that are packed at a time: their numbers stay in the L1 cache */
	CACHE_SLOTS = 256, /* a power of two */
	PREFETCH = 24,	   /* spans ahead; going past the end does no harm */
};

/* What is to be packed: n spans from index first on. */
struct input {
	const struct raw_span *spans;
	const struct more_pool *more;
	size_t first, n;
	uint8_t kinds;
	size_t values_len; /* of all */
};

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
	uint8_t columns[COLUMNS]; /* those that are there */
	int n_columns;
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

static void predict_args(struct packer *k, size_t i, const uint64_t *args, struct path_more *p)
{
	for (int a = 0; a < RECORD_ARGS; a++) {
		uint64_t value = args ? args[a] : p->args[a];

		k->values[COL_ARGS + a][i] = zigzag(value - p->args[a]);
		p->args[a] = value;
	}
	k->values[COL_HAS_ARGS][i] = !args != !p->has_args;
	p->has_args = args;
}

static void predict_more(struct packer *k, size_t i, const struct span_more *more,
			 struct path_more *p)
{
	k->values[COL_OFFCPU][i] = more->offcpu_ns;
	k->values[COL_VALID][i] = more->valid ^ p->valid;
	k->values[COL_VALUES_LEN][i] = zigzag((uint64_t)more->values_len - p->values_len);
	k->values[COL_STACK][i] = predict_id(&p->stack, more->stack);
	k->values[COL_EXCEPTION_TYPE][i] = predict_id(&p->exception_type, more->exception_type);
	k->values[COL_EXCEPTION_MESSAGE][i] =
		predict_id(&p->exception_message, more->exception_message);
	p->valid = more->valid;
	p->values_len = more->values_len;
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

/* Of a block whose paths are known; first: its index in the pool. */
static int predict_block(struct packer *k, const struct input *in, size_t first, size_t len)
{
	struct coder *c = &k->coder;

	if (array_reserve(&c->more, &c->more_cap, c->n_paths, sizeof(*c->more)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		struct path_more *p = &c->more[k->values[COL_PATH][i]];
		struct span_more more = more_pool_get(in->more, first + i);

		predict_args(k, i, more.args, p);
		if (in->kinds != MORE_ARGS)
			predict_more(k, i, &more, p);
	}
	return 0;
}

/* A block of spans at a time: first what predictions miss, then the columns one by one. */
static int put_spans(struct packer *k, const struct input *in)
{
	for (size_t first = 0; first < in->n; first += BLOCK) {
		const struct raw_span *spans = in->spans + in->first + first;
		size_t len = MIN(in->n - first, (size_t)BLOCK);

		for (size_t i = 0; i < len; i++) {
			const struct raw_span *s = &spans[i];
			struct thread_state *t = thread_of(k, s);
			struct path_state *p = path_of(k, s->path);

			/* Written lately by another CPU: the hardware does not look far enough. */
			__builtin_prefetch(s + PREFETCH);
			if (!t || !p)
				return -ENOMEM;
			k->values[COL_THREAD][i] = t - k->coder.threads;
			k->values[COL_PATH][i] = p - k->coder.paths;
			predict_span(k, i, s, t, p);
		}
		if (in->kinds && predict_block(k, in, in->first + first, len) < 0)
			return -ENOMEM;
		for (int c = 0; c < k->n_columns; c++)
			put_column(&k->cols[k->columns[c]], k->values[k->columns[c]], len);
	}
	return 0;
}

static size_t values_len(const struct input *in)
{
	size_t len = 0;

	for (size_t i = 0; in->kinds & MORE_VALUES && i < in->n; i++)
		len += more_pool_get(in->more, in->first + i).values_len;
	return len;
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

static uint8_t *put_columns(uint8_t *p, const struct packer *k)
{
	for (int i = 0; i < k->n_columns; i++) {
		const struct column *c = &k->cols[k->columns[i]];
		size_t len = c->any ? c->p - c->start : 0;

		*p++ = c->any != 0;
		memcpy(p, c->start, len);
		p += len;
	}
	return p;
}

static uint8_t *put_values(uint8_t *p, const struct input *in)
{
	for (size_t i = in->first; in->values_len && i < in->first + in->n; i++) {
		struct span_more more = more_pool_get(in->more, i);

		if (more.values_len)
			memcpy(p, more.values, more.values_len);
		p += more.values_len;
	}
	return p;
}

static int make_raw(struct packer *k, const struct input *in, uint8_t **ret_raw, size_t *ret_size)
{
	_cleanup_(freep) uint8_t *scratch = NULL, *raw = NULL;
	uint8_t *p;
	int r;

	k->n_columns = chunk_columns(CHUNK_VERSION, in->kinds, k->columns);
	scratch = malloc(in->n * VARINT_MAX * k->n_columns);
	raw = p = malloc(chunk_raw_bound(in->n, k->n_columns, in->values_len));
	if (!scratch || !raw)
		return -ENOMEM;
	for (int i = 0; i < k->n_columns; i++) {
		struct column *c = &k->cols[k->columns[i]];

		c->start = c->p = scratch + in->n * VARINT_MAX * i;
	}
	k->base = in->spans[in->first].start_ns;
	k->first_ns = UINT64_MAX;
	r = put_spans(k, in);
	if (r < 0)
		return r;
	*p++ = in->kinds;
	p = varint_put(p, k->base);
	p = put_dictionaries(p, &k->coder);
	p = put_columns(p, k);
	p = put_values(p, in);
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

int chunk_encode(const struct raw_span *spans, const struct more_pool *more, size_t first, size_t n,
		 struct span_chunk *ret)
{
	_cleanup_(packer_freep) struct packer *k = NULL;
	_cleanup_(freep) uint8_t *raw = NULL;
	struct input in = {.spans = spans, .more = more, .first = first, .n = n};
	struct span_chunk chunk = {.count = n};
	size_t raw_size, size;
	int r;

	if (n < 1 || n > CHUNK_MAX_SPANS)
		return -EINVAL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	/* Beyond first the pool may have nothing. */
	in.kinds = more && more->n > first ? more->kinds : 0;
	in.values_len = values_len(&in);
	r = make_raw(k, &in, &raw, &raw_size);
	if (r < 0)
		return r;
	chunk.first_ns = k->first_ns;
	chunk.last_ns = k->last_ns;
	r = packed_wrap(CHUNK_VERSION, n, raw, raw_size, ZSTD_LEVEL, &chunk.data, &size);
	if (r < 0)
		return r;
	chunk.size = (uint32_t)size;
	*ret = chunk;
	return 0;
}
