/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "window.h"

const char *loss_name(enum loss_kind kind)
{
	static const char *const names[LOSS_COUNTERS] = {
		[LOSS_RING_SPAN] = "ring_span",	  [LOSS_RING_SAMPLE] = "ring_sample",
		[LOSS_RING_EVENT] = "ring_event", [LOSS_TOO_DEEP] = "too_deep",
		[LOSS_NO_MEMORY] = "no_memory",	  [LOSS_RETURN] = "return",
		[LOSS_STACK] = "stack",		  [LOSS_PATHS_FULL] = "paths_full",
		[LOSS_UNDECIDED] = "undecided",	  [LOSS_PROGRAM] = "program",
		[LOSS_BATCH] = "batch",
	};

	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

static bool same_sample(const struct sample_row *a, const struct sample_row *b)
{
	return a->stack == b->stack && a->process == b->process && a->thread == b->thread &&
	       a->kind == b->kind;
}

static uint64_t key_of(const struct sample_row *row)
{
	return hash_mix(hash_mix(row->kind, (uint64_t)row->process << 32 | row->thread),
			row->stack);
}

int window_add_row(struct window *w, const struct sample_row *row)
{
	uint64_t key = key_of(row);
	uint32_t *slot;

	while ((slot = table_get(&w->sample_index, key))) {
		struct sample_row *have = &w->samples[*slot];

		if (same_sample(have, row)) {
			have->count += row->count;
			have->total_ns += row->total_ns;
			return 0;
		}
		key = hash_mix(key, 1);
	}
	if (w->n_samples == UINT32_MAX ||
	    array_reserve(&w->samples, &w->samples_cap, w->n_samples + 1, sizeof(*w->samples)) < 0)
		return -ENOMEM;
	slot = table_put(&w->sample_index, key, NULL);
	if (!slot)
		return -ENOMEM;
	*slot = w->n_samples;
	w->samples[w->n_samples++] = *row;
	return 0;
}

struct span_stat *window_find_stat(struct window *w, uint32_t process, uint32_t path)
{
	uint64_t key = (uint64_t)process << 32 | path;
	uint32_t *slot;
	bool is_new;

	if (w->n_stats == UINT32_MAX ||
	    array_reserve(&w->stats, &w->stats_cap, w->n_stats + 1, sizeof(*w->stats)) < 0)
		return NULL;
	slot = table_put(&w->stat_index, key, &is_new);
	if (!slot)
		return NULL;
	if (is_new) {
		*slot = w->n_stats;
		w->stats[w->n_stats++] = (struct span_stat){.process = process, .path = path};
	}
	w->recent[path % WINDOW_RECENT] = *slot;
	return &w->stats[*slot];
}

/*
 * As array_reserve(), but without zeroing: a window's raw spans are tens of megabytes, and touching
 * the memory twice costs more than all the rest of window_add_span().
 */
int window_grow_spans(struct window *w)
{
	size_t cap = w->spans_cap ? w->spans_cap * 2 : MAX(w->spans_hint, (size_t)64);
	struct raw_span *spans;

	if (cap > SIZE_MAX / 2 / sizeof(*spans))
		return -ENOMEM;
	spans = realloc(w->spans, cap * sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	w->spans = spans;
	w->spans_cap = cap;
	return 0;
}

int window_add_rows(struct window *w, const struct sample_row *rows, size_t n)
{
	enum { NEAR = 8, FAR = 2 * NEAR };
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (i + FAR < n)
			table_prefetch(&w->sample_index, key_of(&rows[i + FAR]));
		if (i + NEAR < n) {
			const uint32_t *slot = table_get(&w->sample_index, key_of(&rows[i + NEAR]));

			if (slot)
				__builtin_prefetch(&w->samples[*slot]);
		}
		r = window_add_row(w, &rows[i]);
	}
	return r;
}

void window_move_spans(struct window *dst, struct window *src)
{
	dst->spans = TAKE_PTR(src->spans);
	dst->more = src->more;
	src->more = (struct more_pool){};
	dst->n_spans = src->n_spans;
	dst->spans_cap = src->spans_cap;
	src->spans_hint = src->n_spans;
	src->n_spans = src->spans_cap = 0;
}

int window_add_raw_spans(struct window *w, const struct raw_span *spans, size_t n,
			 const struct more_pool *more)
{
	for (size_t i = 0; i < n; i++) {
		struct span_more m = more_pool_get(more, i);

		if ((w->n_spans >= w->spans_cap && window_grow_spans(w) < 0) ||
		    more_pool_put(&w->more, w->n_spans, &m) < 0)
			return -ENOMEM;
		w->spans[w->n_spans++] = spans[i];
	}
	return 0;
}

int window_add_raw_samples(struct window *w, const struct raw_sample *samples, size_t n)
{
	if (!n)
		return 0;
	if (n > SIZE_MAX - w->n_raw ||
	    array_reserve(&w->raw, &w->raw_cap, w->n_raw + n, sizeof(*w->raw)) < 0)
		return -ENOMEM;
	memcpy(w->raw + w->n_raw, samples, n * sizeof(*samples));
	w->n_raw += n;
	return 0;
}

int window_add_raw_sample(struct window *w, const struct raw_sample *sample, bool keep_raw)
{
	int r = window_add_row(w, &(struct sample_row){.process = sample->process,
						       .thread = sample->thread,
						       .stack = sample->stack,
						       .kind = sample->kind,
						       .count = sample->count,
						       .total_ns = sample->total_ns});

	return r < 0 || !keep_raw ? r : window_add_raw_samples(w, sample, 1);
}

void window_move_raw(struct window *dst, struct window *src)
{
	dst->raw = TAKE_PTR(src->raw);
	dst->n_raw = src->n_raw;
	dst->raw_cap = src->raw_cap;
	src->n_raw = src->raw_cap = 0;
}

/* Calls of a path, or the values of its counters, which are other things. */
static uint64_t rank(const struct raw_span *s)
{
	return (uint64_t)s->path << 1 | !!(s->flags & SPAN_COUNTER);
}

static bool are_rivals(const struct raw_span *a, const struct raw_span *b)
{
	return rank(a) == rank(b);
}

static int slowest_first(const void *pa, const void *pb, void *arg)
{
	const struct raw_span *spans = arg;
	const struct raw_span *a = &spans[*(const uint32_t *)pa],
			      *b = &spans[*(const uint32_t *)pb];

	if (!are_rivals(a, b))
		return rank(a) < rank(b) ? -1 : 1;
	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns ? -1 : 1;
	return *(const uint32_t *)pa < *(const uint32_t *)pb ? -1 : 1;
}

/* Which spans stay, by index. NULL: out of memory. */
static uint8_t *choose_slowest(const struct window *w, size_t n)
{
	_cleanup_(freep) uint32_t *order = malloc((w->n_spans + 1) * sizeof(*order));
	uint8_t *stays = calloc(w->n_spans + 1, 1);

	if (!order || !stays) {
		free(stays);
		return NULL;
	}
	for (size_t i = 0; i < w->n_spans; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, w->n_spans, sizeof(*order), slowest_first, w->spans);
	for (size_t i = 0, len; i < w->n_spans; i += len) {
		const struct raw_span *first = &w->spans[order[i]];

		for (len = 1; i + len < w->n_spans; len++)
			if (!are_rivals(first, &w->spans[order[i + len]]))
				break;
		for (size_t k = 0; k < len; k++)
			stays[order[i + k]] = first->flags & SPAN_COUNTER
						      ? (k + 1) * n / len > k * n / len
						      : k < n;
	}
	return stays;
}

int window_keep_slowest(struct window *w, size_t n)
{
	_cleanup_(freep) uint8_t *stays = choose_slowest(w, n);
	struct more_pool more = {};
	size_t kept = 0;
	int r = stays ? 0 : -ENOMEM;

	for (size_t i = 0; i < w->n_spans && r >= 0; i++) {
		struct span_more m = more_pool_get(&w->more, i);

		if (!stays[i])
			continue;
		r = more_pool_put(&more, kept, &m);
		w->spans[kept++] = w->spans[i];
	}
	more_pool_release(&w->more);
	if (r < 0) {
		more_pool_release(&more);
		w->more = (struct more_pool){};
		w->n_spans = 0;
		return -ENOMEM;
	}
	w->more = more;
	w->n_spans = kept;
	return 0;
}

void window_move(struct window *dst, struct window *src)
{
	*dst = *src;
	*src = (struct window){.spans_hint = dst->n_spans};
}

int window_add_stat(struct window *w, const struct span_stat *stat)
{
	struct span_stat *s = window_stat(w, stat->process, stat->path);
	int r;

	if (!s)
		return -ENOMEM;
	r = hist_merge(&s->hist, &stat->hist);
	if (r < 0)
		return r;
	if (stat->calls && (!s->calls || stat->min_ns < s->min_ns))
		s->min_ns = stat->min_ns;
	s->max_ns = MAX(s->max_ns, stat->max_ns);
	s->calls += stat->calls;
	s->errors += stat->errors;
	s->unwound += stat->unwound;
	s->total_ns += stat->total_ns;
	s->self_ns += stat->self_ns;
	return 0;
}

int window_merge(struct window *dst, const struct window *src)
{
	int r = 0;

	for (size_t i = 0; i < src->n_samples && r >= 0; i++)
		r = window_add_row(dst, &src->samples[i]);
	for (size_t i = 0; i < src->n_stats && r >= 0; i++)
		r = window_add_stat(dst, &src->stats[i]);
	if (r < 0)
		return r;
	for (int i = 0; i < LOSS_COUNTERS; i++)
		dst->losses[i] += src->losses[i];
	if (src->start_ns || src->end_ns) {
		bool is_set = dst->start_ns || dst->end_ns;

		dst->start_ns = is_set ? MIN(dst->start_ns, src->start_ns) : src->start_ns;
		dst->end_ns = MAX(dst->end_ns, src->end_ns);
	}
	return 0;
}

uint64_t window_calls(const struct window *w)
{
	uint64_t calls = 0;

	for (size_t i = 0; i < w->n_stats; i++)
		calls += w->stats[i].calls;
	return calls;
}

static void release_hists(struct window *w)
{
	for (size_t i = 0; i < w->n_stats; i++)
		hist_release(&w->stats[i].hist);
}

void window_reset(struct window *w, uint64_t start_ns)
{
	release_hists(w);
	w->n_samples = w->n_stats = 0;
	window_drop_spans(w);
	window_drop_raw(w);
	memset(w->losses, 0, sizeof(w->losses));
	table_clear(&w->sample_index);
	table_clear(&w->stat_index);
	w->start_ns = start_ns;
	w->end_ns = 0;
}

void window_release(struct window *w)
{
	release_hists(w);
	free(w->samples);
	free(w->stats);
	free(w->spans);
	free(w->raw);
	more_pool_release(&w->more);
	table_release(&w->sample_index);
	table_release(&w->stat_index);
	*w = (struct window){};
}
