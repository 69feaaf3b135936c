/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/raw_spans.h"

#include "control/merged.h"

void raw_spans_release(struct raw_spans *r)
{
	for (size_t i = 0; i < r->n_chunks; i++)
		chunk_release(&r->chunks[i]);
	free(r->chunks);
	span_set_release(&r->open);
	span_condition_free(r->condition);
	spans_names_free(r->names);
	*r = (struct raw_spans){};
}

static int copy_open(const struct window *w, struct span_set *ret)
{
	ret->spans = malloc(MAX(w->n_spans, 1U) * sizeof(*ret->spans));
	if (!ret->spans)
		return -ENOMEM;
	if (w->n_spans > 0)
		memcpy(ret->spans, w->spans, w->n_spans * sizeof(*ret->spans));
	ret->n = w->n_spans;
	return more_pool_copy(&ret->more, &w->more, w->n_spans);
}

static int copy_chunks(const struct session *s, struct raw_spans *r)
{
	r->chunks = calloc(MAX(s->chunks.n, 1U), sizeof(*r->chunks));
	if (!r->chunks)
		return -ENOMEM;
	for (size_t i = 0; i < s->chunks.n; i++) {
		struct span_chunk *c = &r->chunks[i];

		*c = s->chunks.items[i];
		c->data = malloc(MAX(c->size, 1U));
		if (!c->data)
			return -ENOMEM;
		memcpy(c->data, s->chunks.items[i].data, c->size);
		r->n_chunks++;
	}
	return copy_open(&s->window, &r->open);
}

int raw_refuse_recording(const struct session *s, struct error *error)
{
	if (s->kind != SESSION_RECORD)
		return 0;
	error_set(error, EINVAL, "BadArgument", "session \"%s\" writes its spans to a file",
		  s->name);
	error_fix(error, "ask the file when it is complete: sonde spans -i FILE");
	return -EINVAL;
}

static int refuse(const struct session *s, const char *where, struct error *error)
{
	int r = raw_refuse_recording(s, error);

	if (r >= 0 && where && s->options.stats_only) {
		error_set(error, EINVAL, "BadArgument",
			  "session \"%s\" kept statistics only: there are no raw spans that a "
			  "condition could choose from",
			  s->name);
		error_fix(error, "give the condition when the session is made (sonde attach "
				 "--where), or make it without --stats-only");
		r = -EINVAL;
	}
	return r;
}

int raw_spans_take(struct daemon *d, struct session *s, const struct selectors *selectors,
		   const char *name_glob, const char *where, struct raw_spans *ret,
		   struct error *error)
{
	int r = refuse(s, where, error);

	if (r >= 0 && where)
		r = span_condition_new(where, s->context->model, s->context->monotonic_to_epoch_ns,
				       &ret->condition, error);
	if (r < 0)
		return r;
	daemon_catch_up(d);
	/* Spans that are just being packed are in neither place. */
	if (s->packing > 0)
		worker_drain(d->writer);
	ret->reader = s->reader;
	ret->parts = s->parts;
	ret->n_parts = s->n_parts;
	ret->dropped = s->raw_dropped;
	ret->calls = s->kind == SESSION_REPLAY ? s->n_spans : 0;
	r = spans_names_take(s->context->model, selectors, name_glob, &ret->names);
	if (r >= 0 && !s->reader)
		r = copy_chunks(s, ret);
	return r;
}

struct asking {
	struct raw_spans *raw;
	struct spans_query *query;
};

static int each_chunk(void *arg, const struct span_chunk *chunk)
{
	struct asking *a = arg;

	a->raw->n += chunk->count;
	return spans_query_chunk(a->query, chunk);
}

static int each_set(void *arg, const struct span_set *set)
{
	struct asking *a = arg;

	a->raw->n += set->n;
	return spans_query_set(a->query, set);
}

/* The statistics of what the file has do not tell what a condition asks. */
static int check_kept(struct raw_spans *raw, struct error *error)
{
	if (raw->calls <= raw->n)
		return 0;
	raw->dropped = raw->calls - raw->n;
	if ((!raw->condition && !raw->is_needed) || raw->n)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "of the %llu calls that are asked about no raw span was kept: there is nothing "
		  "that a condition could choose from",
		  (unsigned long long)raw->calls);
	error_fix(error, "recordings of sonde record have all raw spans; what sonde diff and sonde "
			 "baseline save of a session has statistics only");
	return -EINVAL;
}

static int failed(int r, struct error *error)
{
	return error_set(error, -r, r == -EBADMSG ? "BadFile" : "Internal",
			 "reading spans failed: %s", strerror(-r));
}

int raw_spans_begin(struct raw_spans *raw, const struct spans_filter *filter,
		    struct spans_query **ret_query, struct error *error)
{
	struct spans_filter with = *filter;
	int r;

	if (raw->condition) {
		with.match = span_condition_match;
		with.match_arg = raw->condition;
	}
	with.since_ns = raw->since_ns;
	with.until_ns = raw->until_ns;
	r = spans_query_new(raw->names, &with, ret_query);
	return r < 0 ? failed(r, error) : 0;
}

static size_t file_chunks(const struct raw_spans *raw)
{
	return raw->reader ? store_reader_chunks(raw->reader) : 0;
}

size_t raw_spans_parts(const struct raw_spans *raw)
{
	return raw->n_chunks + file_chunks(raw) + merged_chunks(raw->parts, raw->n_parts) + 1;
}

int raw_spans_part(struct raw_spans *raw, size_t i, struct spans_query *query, struct error *error)
{
	struct asking asking = {raw, query};
	int r;

	if (i < raw->n_chunks) {
		r = each_chunk(&asking, &raw->chunks[i]);
	} else if (i < raw->n_chunks + file_chunks(raw)) {
		r = store_chunk(raw->reader, i - raw->n_chunks, each_chunk, &asking, error);
	} else if (i + 1 < raw_spans_parts(raw)) {
		i -= raw->n_chunks + file_chunks(raw);
		r = merged_chunk(raw->parts, raw->n_parts, i, each_set, &asking, error);
	} else {
		r = spans_query_set(query, &raw->open);
		raw->n += raw->open.n;
		raw->n -= MIN(raw->n, spans_query_counters(query));
		if (r >= 0)
			r = check_kept(raw, error);
		if (r >= 0 && raw->condition)
			r = span_condition_finish(raw->condition, error);
	}
	return r < 0 ? failed(r, error) : 0;
}

int raw_spans_ask(struct raw_spans *raw, const struct spans_filter *filter,
		  struct spans_query **ret_query, struct error *error)
{
	_cleanup_(spans_query_freep) struct spans_query *query = NULL;
	int r = raw_spans_begin(raw, filter, &query, error);

	for (size_t i = 0; i < raw_spans_parts(raw) && r >= 0; i++)
		r = raw_spans_part(raw, i, query, error);
	if (r < 0)
		return r;
	*ret_query = TAKE_PTR(query);
	return 0;
}
