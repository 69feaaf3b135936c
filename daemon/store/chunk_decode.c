/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking: nothing of the data is trusted. */
#include "chunk_format.h"
#include "packed.h"

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

/* False: the id does not fit. */
static bool get_id(uint64_t v, uint32_t *last, uint32_t *ret)
{
	uint64_t id = v ? *last + unzigzag(v - 1) : 0;

	if (id > UINT32_MAX)
		return false;
	if (v)
		*last = id;
	*ret = id;
	return true;
}

static bool get_args(const uint64_t *values, size_t n, size_t i, struct path_more *p,
		     struct span_more *ret)
{
	uint64_t changed = values[COL_HAS_ARGS * n + i];

	if (changed > 1)
		return false;
	p->has_args ^= changed;
	for (int a = 0; a < RECORD_ARGS; a++)
		p->args[a] += unzigzag(values[(COL_ARGS + a) * n + i]);
	if (p->has_args)
		ret->args = p->args;
	return true;
}

/* All but the arguments; values are still to be pointed to. */
static bool get_more(const uint64_t *values, size_t n, size_t i, struct path_more *p,
		     struct span_more *ret)
{
	uint64_t len;

	p->valid ^= values[COL_VALID * n + i];
	len = p->values_len + unzigzag(values[COL_VALUES_LEN * n + i]);
	if (len > MORE_MAX_VALUES)
		return false;
	p->values_len = len;
	ret->offcpu_ns = values[COL_OFFCPU * n + i];
	ret->valid = p->valid;
	ret->values_len = len;
	return get_id(values[COL_STACK * n + i], &p->stack, &ret->stack) &&
	       get_id(values[COL_EXCEPTION_TYPE * n + i], &p->exception_type,
		      &ret->exception_type) &&
	       get_id(values[COL_EXCEPTION_MESSAGE * n + i], &p->exception_message,
		      &ret->exception_message);
}

/* Version 1 knows spans without arguments by their zeros. */
static bool lacks_args(const struct raw_span *span, const uint64_t *args)
{
	uint64_t any = span->flags & SPAN_ARGS;

	for (int a = 0; a < RECORD_ARGS; a++)
		any |= args[a];
	return !any;
}

struct raw_form {
	int version;
	uint8_t kinds;
	struct reader in;
	struct coder coder;
	uint64_t *values; /* COLUMNS times n; those of absent columns are not set */
};

static int add_more(struct raw_form *raw, size_t i, struct span_set *set)
{
	uint64_t path = raw->values[COL_PATH * set->n + i];
	struct path_more *p = &raw->coder.more[path];
	struct span_more more = {};

	if (raw->version == 1)
		raw->values[COL_HAS_ARGS * set->n + i] = !p->has_args;
	if ((raw->kinds & MORE_ARGS && !get_args(raw->values, set->n, i, p, &more)) ||
	    (raw->kinds != MORE_ARGS && !get_more(raw->values, set->n, i, p, &more)) ||
	    (size_t)(raw->in.end - raw->in.p) < more.values_len)
		return -EBADMSG;
	if (raw->version == 1 && lacks_args(&set->spans[i], more.args))
		more.args = NULL;
	more.values = raw->in.p;
	raw->in.p += more.values_len;
	return more_pool_put(&set->more, i, &more);
}

static int get_columns(struct raw_form *raw, size_t n)
{
	uint8_t columns[COLUMNS];
	int n_columns = chunk_columns(raw->version, raw->kinds, columns);

	/* Without anything more the last columns are never looked at. */
	raw->values = raw->kinds ? calloc(n, sizeof(uint64_t) * COLUMNS)
				 : malloc(n * sizeof(uint64_t) * COL_ARGS);
	if (!raw->values)
		return -ENOMEM;
	for (int i = 0; i < n_columns; i++)
		if (!get_column(&raw->in, &raw->values[columns[i] * n], n))
			return -EBADMSG;
	return 0;
}

static int parse_raw(struct raw_form *raw, struct span_set *set)
{
	const uint64_t *values;
	size_t n = set->n;
	uint64_t base;
	int r;

	if (raw->in.p >= raw->in.end)
		return -EBADMSG;
	raw->kinds = *raw->in.p++;
	if (raw->kinds & ~(raw->version == 1 ? MORE_ARGS : MORE_ALL) ||
	    !varint_get(&raw->in.p, raw->in.end, &base))
		return -EBADMSG;
	if (!get_dictionaries(&raw->in, &raw->coder, n, base, &r))
		return r;
	if (raw->kinds)
		r = array_reserve(&raw->coder.more, &raw->coder.more_cap, raw->coder.n_paths,
				  sizeof(*raw->coder.more));
	if (r >= 0)
		r = get_columns(raw, n);
	if (r < 0)
		return r;
	values = raw->values;
	for (size_t i = 0; i < n; i++)
		if (!get_span(values, n, i, &raw->coder, &set->spans[i]))
			return -EBADMSG;
	for (size_t i = 0; raw->kinds && i < n && r >= 0; i++)
		r = add_more(raw, i, set);
	if (r >= 0 && raw->in.p != raw->in.end)
		return -EBADMSG;
	return r;
}

static void raw_form_release(struct raw_form *raw)
{
	coder_release(&raw->coder);
	free(raw->values);
}

int chunk_decode(const uint8_t *data, size_t size, struct span_set *ret)
{
	static const struct packed_limits limits = {
		.last_version = CHUNK_VERSION,
		.max_rows = CHUNK_MAX_SPANS,
		.fixed = CHUNK_RAW_FIXED,
		.row = VARINT_MAX * (3 + COLUMNS) + MORE_MAX_VALUES,
	};
	_cleanup_(span_set_release) struct span_set set = {};
	_cleanup_(raw_form_release) struct raw_form form = {};
	_cleanup_(freep) uint8_t *raw = NULL;
	struct packed packed;
	int r = packed_unwrap(data, size, &limits, &packed);

	if (r < 0)
		return r;
	raw = packed.raw;
	set.n = packed.rows;
	set.spans = calloc(set.n, sizeof(*set.spans));
	if (!set.spans)
		return -ENOMEM;
	form.version = packed.version;
	form.in = (struct reader){.p = raw, .end = raw + packed.raw_size};
	r = parse_raw(&form, &set);
	if (r < 0)
		return r;
	*ret = set;
	set = (struct span_set){};
	return 0;
}

void span_set_release(struct span_set *s)
{
	free(s->spans);
	more_pool_release(&s->more);
	*s = (struct span_set){};
}

void chunk_release(struct span_chunk *c)
{
	free(c->data);
	*c = (struct span_chunk){};
}
