/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source_batch.h"

/* The time nearest to a sum that is none; UINT64_MAX: it is one. */
static uint64_t saturated(double ns_from, double ns_since)
{
	double sum = ns_from + ns_since;

	if (sum <= 0)
		return 0;
	/* Where the line begins is as little to be trusted. */
	return sum >= 0x1p63 || ns_from >= 0x1p63 ? INT64_MAX : UINT64_MAX;
}

static struct source_line_of_time line_of(const struct sonde_anchor *a,
					  const struct sonde_anchor *b)
{
	struct source_line_of_time line = {.from = *a};

	if (b->ticks > a->ticks && b->ns >= a->ns)
		line.rate = (double)(b->ns - a->ns) / (double)(b->ticks - a->ticks);
	return line;
}

/* Exact to the nanosecond for as far as a double is: half a month at 4 GHz. */
static uint64_t on_line(const struct source_line_of_time *line, uint64_t ticks)
{
	double since = (double)(int64_t)(ticks - line->from.ticks) * line->rate;
	uint64_t bound = saturated((double)line->from.ns, since);

	return bound == UINT64_MAX ? line->from.ns + (uint64_t)(int64_t)since : bound;
}

uint64_t source_batch_ns(const struct source_batch *b, uint64_t ticks)
{
	if (b->head.flags & SONDE_BATCH_NS)
		return MIN(ticks, (uint64_t)INT64_MAX);
	return on_line(ticks >= b->head.begin.ticks && b->inside.rate > 0 ? &b->inside : &b->before,
		       ticks);
}

int source_batch_open(const void *data, size_t size, const struct sonde_anchor *now,
		      struct source_batch *ret)
{
	struct source_batch b = {.data = data, .size = size, .pos = sizeof(b.head)};

	if (size < sizeof(b.head) || size > SONDE_BATCH_SIZE)
		return -EBADMSG;
	memcpy(&b.head, data, sizeof(b.head));
	if (b.head.magic != SONDE_BATCH_MAGIC || b.head.version != SONDE_SPAN_VERSION ||
	    b.head.bytes > size || (b.head.bytes && b.head.bytes < sizeof(b.head)))
		return -EBADMSG;
	if (b.head.bytes)
		b.size = b.head.bytes;
	/* A batch of the simple mode has old anchors: the way from these to now is a better line.
	 */
	if (!b.head.end.ticks || (b.head.flags & SONDE_BATCH_SIMPLE && now->ticks))
		b.head.end = *now;
	b.inside = line_of(&b.head.begin, &b.head.end);
	b.before = line_of(&b.head.first, &b.head.end);
	if (b.before.rate <= 0)
		b.before = line_of(&b.head.first, &b.head.begin);
	for (int i = 0; i < SONDE_DROPPED_COUNT; i++)
		b.dropped += b.head.dropped[i];
	*ret = b;
	return 0;
}

void source_batch_seek(struct source_batch *b, size_t offset)
{
	b->pos = MAX(offset, sizeof(b->head));
}

uint64_t source_parent_path(uint64_t path, uint64_t site)
{
	/* Each step of sonde_path() can be taken back: the factor has an inverse modulo 2^64. */
	uint64_t mixed = (path ^ path >> 32) * 0xcfee444d8b59a89bULL;

	return mixed ^ site ^ 0x9e3779b97f4a7c15ULL;
}

/* Bytes of a record that are not read yet. */
struct rest {
	const uint8_t *at;
	size_t len;
};

static bool take(struct rest *r, void *to, size_t len)
{
	if (r->len < len)
		return false;
	memcpy(to, r->at, len);
	r->at += len;
	r->len -= len;
	return true;
}

static const char *take_text(struct rest *r, size_t len)
{
	const char *text = (const char *)r->at;

	if (r->len < len)
		return NULL;
	r->at += len;
	r->len -= len;
	return text;
}

static bool take_field(struct rest *r, struct source_field *ret)
{
	struct sonde_field f;

	if (!take(r, &f, sizeof(f)) || f.type < SONDE_FIELD_I64 || f.type > SONDE_FIELD_TEXT)
		return false;
	*ret = (struct source_field){.key = f.key, .type = f.type, .len = f.len};
	if (f.type != SONDE_FIELD_TEXT)
		return f.len == sizeof(ret->value) && take(r, &ret->value, sizeof(ret->value));
	ret->text = f.len <= SONDE_MAX_TEXT ? take_text(r, ((size_t)f.len + 7) & ~(size_t)7) : NULL;
	return ret->text != NULL;
}

static bool take_span(const struct source_batch *b, const struct sonde_record *h, struct rest *r,
		      struct source_item *ret)
{
	struct sonde_record_span s;
	uint64_t end_ns;

	if (!take(r, (char *)&s + sizeof(s.h), sizeof(s) - sizeof(s.h)) ||
	    h->n_fields > SONDE_MAX_FIELDS)
		return false;
	ret->site = s.site;
	ret->path = s.path;
	ret->start_ns = source_batch_ns(b, s.start);
	end_ns = source_batch_ns(b, s.start + s.duration);
	ret->duration_ns = end_ns > ret->start_ns ? end_ns - ret->start_ns : 0;
	if (h->flags & SONDE_SPAN_HAS_ERROR_CODE &&
	    !take(r, &ret->error_code, sizeof(ret->error_code)))
		return false;
	ret->has_trace = h->flags & SONDE_SPAN_HAS_TRACE;
	if (ret->has_trace && !take(r, &ret->trace, sizeof(ret->trace)))
		return false;
	for (; ret->n_fields < h->n_fields; ret->n_fields++)
		if (!take_field(r, &ret->fields[ret->n_fields]))
			return false;
	return true;
}

static bool take_event(const struct source_batch *b, struct rest *r, struct source_item *ret)
{
	struct sonde_record_event e;

	if (!take(r, (char *)&e + sizeof(e.h), sizeof(e) - sizeof(e.h)))
		return false;
	ret->site = e.site;
	ret->path = e.path;
	ret->start_ns = source_batch_ns(b, e.time);
	ret->value = e.value;
	return true;
}

static bool take_site(struct rest *r, struct source_item *ret)
{
	struct sonde_record_site s;

	if (!take(r, (char *)&s + sizeof(s.h), sizeof(s) - sizeof(s.h)) ||
	    s.category_len > SONDE_MAX_NAME || s.name_len > SONDE_MAX_NAME)
		return false;
	ret->id = s.id;
	ret->category_len = s.category_len;
	ret->name_len = s.name_len;
	ret->category = take_text(r, s.category_len);
	ret->name = ret->category ? take_text(r, s.name_len) : NULL;
	return ret->name != NULL;
}

static bool take_key(struct rest *r, struct source_item *ret)
{
	struct sonde_record_key k;

	if (!take(r, (char *)&k + sizeof(k.h), sizeof(k) - sizeof(k.h)) || k.len > SONDE_MAX_NAME)
		return false;
	ret->id = k.id;
	ret->name_len = k.len;
	ret->name = take_text(r, k.len);
	return ret->name != NULL;
}

/* 1, 0 for a kind that is not known, -EBADMSG. */
static int take_record(const struct source_batch *b, const struct sonde_record *h, struct rest *r,
		       struct source_item *ret)
{
	bool good;

	/* The fields are most of it, and most spans have none. */
	memset(ret, 0, offsetof(struct source_item, fields));
	ret->kind = h->kind;
	ret->flags = h->flags;
	ret->depth = h->depth;
	switch (h->kind) {
	case SONDE_RECORD_INSTANT:
	case SONDE_RECORD_COUNTER:
	case SONDE_RECORD_ASYNC_BEGIN:
	case SONDE_RECORD_ASYNC_END:
		good = take_event(b, r, ret);
		break;
	case SONDE_RECORD_SPAN:
		good = take_span(b, h, r, ret);
		break;
	case SONDE_RECORD_SITE:
		good = take_site(r, ret);
		break;
	case SONDE_RECORD_KEY:
		good = take_key(r, ret);
		break;
	default:
		return 0;
	}
	return good ? 1 : -EBADMSG;
}

int source_batch_next(struct source_batch *b, struct source_item *ret)
{
	while (b->pos < b->size) {
		struct rest r = {b->data + b->pos, b->size - b->pos};
		struct sonde_record h;
		int known;

		if (!take(&r, &h, sizeof(h)) || h.size < sizeof(h) || h.size % 8 ||
		    h.size - sizeof(h) > r.len) {
			b->pos = b->size;
			return -EBADMSG;
		}
		r.len = h.size - sizeof(h);
		b->pos += h.size;
		known = take_record(b, &h, &r, ret);
		if (known < 0)
			b->pos = b->size;
		if (known)
			return known;
	}
	return 0;
}
