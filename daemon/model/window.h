/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window: what one session saw between two points in time. Samples by (process, thread name,
 * stack), span statistics by (process, path) with the shared histogram; where they are kept, both
 * one by one; losses.
 * Windows are added up with window_merge(): a session's total is the merge of its windows.
 * Ids are those of one model. window_add_*() are the daemon's hot path (per record).
 */
#ifndef SONDE_MODEL_WINDOW_H
#define SONDE_MODEL_WINDOW_H

#include "hist.h"
#include "raw_sample.h"
#include "span_more.h"
#include "sonde/base/table.h"
#include "sonde/record.h"

enum sample_kind {
	SAMPLE_CPU = 0,	   /* found running */
	SAMPLE_OFFCPU = 1, /* a wait that has ended */
	SAMPLE_KINDS = 2,
};

struct sample_row {
	uint32_t process, thread; /* thread: string id of its name */
	uint32_t stack;		  /* root first: the id is the leaf's */
	uint32_t kind;		  /* enum sample_kind */
	uint64_t count;
	/* What they stand for. 0 for CPU samples, of which each stands for the session's period. */
	uint64_t total_ns;
};

struct span_stat {
	uint32_t process, path;
	uint64_t calls, errors, unwound;
	uint64_t total_ns, self_ns, min_ns, max_ns;
	struct hist hist;
};

/* One call, as it is kept raw: small, as millions a second go through memory. */
struct raw_span {
	uint64_t start_ns, duration_ns, self_ns, ret; /* start: CLOCK_MONOTONIC */
	uint32_t process, tid, path;
	uint16_t depth, flags; /* SPAN_* of record.h */
};

enum { WINDOW_RECENT = 64 };

struct window {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	struct sample_row *samples;
	size_t n_samples, samples_cap;
	struct span_stat *stats;
	size_t n_stats, stats_cap;
	struct raw_span *spans; /* in the order in which they ended */
	size_t n_spans, spans_cap;
	struct more_pool more;	/* what spans carry beyond that */
	struct raw_sample *raw; /* in the order in which they came; rows count them, too */
	size_t n_raw, raw_cap;
	size_t spans_hint;		/* how many were moved on: as many are expected next */
	uint64_t losses[LOSS_COUNTERS]; /* as counted by the kernel side, plus the daemon's own */
	struct table sample_index, stat_index;
	/* Shortcut: where the statistics of paths seen lately are, by path; checked when used. */
	uint32_t recent[WINDOW_RECENT];
};

/* "ring_span"; NULL for what is not a loss. */
const char *loss_name(enum loss_kind kind);

/* Adds to the row of the same process, thread, stack and kind. */
int window_add_row(struct window *w, const struct sample_row *row);
/* The same of many, which is quicker: the memory of those to come is fetched meanwhile. */
int window_add_rows(struct window *w, const struct sample_row *rows, size_t n);
/* CPU samples. */
static inline int window_add_sample(struct window *w, uint32_t process, uint32_t thread,
				    uint32_t stack, uint64_t count)
{
	return window_add_row(w, &(struct sample_row){.process = process,
						      .thread = thread,
						      .stack = stack,
						      .kind = SAMPLE_CPU,
						      .count = count});
}
/*
 * Adds to the row of what the sample is of; keeps it raw as well when keep_raw. 0 or -ENOMEM: then
 * the row may have it.
 */
int window_add_raw_sample(struct window *w, const struct raw_sample *sample, bool keep_raw);
/* Adds raw samples, and only them. 0 or -ENOMEM. */
int window_add_raw_samples(struct window *w, const struct raw_sample *samples, size_t n);
/* Moves the raw samples to dst, which has none; src keeps all else. */
void window_move_raw(struct window *dst, struct window *src);
/* Forgets the raw samples; keeps the memory. */
static inline void window_drop_raw(struct window *w)
{
	w->n_raw = 0;
}
/* Moves the raw spans and what they carry to dst, which has none; src keeps all else. */
void window_move_spans(struct window *dst, struct window *src);
/* Adds raw spans, and only them. 0 or -ENOMEM. */
int window_add_raw_spans(struct window *w, const struct raw_span *spans, size_t n,
			 const struct more_pool *more);
/* Forgets the raw spans and what they carry; keeps the memory. */
static inline void window_drop_spans(struct window *w)
{
	w->n_spans = 0;
	more_pool_clear(&w->more);
}
/* Drops raw spans but the n slowest of each call path, and of the values of counters there all but
 * n evenly from among them; -ENOMEM: all are dropped. */
int window_keep_slowest(struct window *w, size_t n);
/* Moves everything to dst, which is overwritten; src is left empty. */
void window_move(struct window *dst, struct window *src);
/* Statistics that were aggregated elsewhere (the kernel, an older window); stat->hist is copied. */
int window_add_stat(struct window *w, const struct span_stat *stat);
/* Adds samples, statistics and losses of src to dst; what is raw is not copied. The period is
 * widened. */
int window_merge(struct window *dst, const struct window *src);
/* Calls of all statistics. */
uint64_t window_calls(const struct window *w);
/* Empties a window for reuse and keeps its memory. */
void window_reset(struct window *w, uint64_t start_ns);
void window_release(struct window *w);

/* For window_add_span(): room for another raw span; 0 or -ENOMEM. */
int window_grow_spans(struct window *w);
/* The statistics of (process, path), made when new; NULL: out of memory. */
struct span_stat *window_find_stat(struct window *w, uint32_t process, uint32_t path);

static inline struct span_stat *window_stat(struct window *w, uint32_t process, uint32_t path)
{
	uint32_t at = w->recent[path % WINDOW_RECENT];

	if (at < w->n_stats && w->stats[at].path == path && w->stats[at].process == process)
		return &w->stats[at];
	return window_find_stat(w, process, path);
}

/*
 * Adds to the statistics; of the value of a counter, which is no call, these only say that there is
 * something of its path. Keeps it raw as well when keep_raw, with what more it has unless NULL.
 * Inline, so that the caller's span is never put together in memory only to be copied from there.
 */
static inline int window_add_span(struct window *w, const struct raw_span *span,
				  const struct span_more *more, bool keep_raw)
{
	uint64_t duration = span->duration_ns;
	struct span_stat *s;
	int r;

	if (keep_raw && w->n_spans >= w->spans_cap && window_grow_spans(w) < 0)
		return -ENOMEM;
	s = window_stat(w, span->process, span->path);
	if (!s)
		return -ENOMEM;
	if (!(span->flags & SPAN_COUNTER)) {
		r = hist_add(&s->hist, duration, 1);
		if (r < 0)
			return r;
		if (!s->calls || duration < s->min_ns)
			s->min_ns = duration;
		if (duration > s->max_ns)
			s->max_ns = duration;
		s->calls++;
		s->errors += !!(span->flags & SPAN_ERROR);
		s->unwound += !!(span->flags & SPAN_UNWOUND);
		s->total_ns += duration;
		s->self_ns += span->self_ns;
	}
	if (!keep_raw)
		return 0;
	if (more) {
		r = more_pool_put(&w->more, w->n_spans, more);
		if (r < 0)
			return r;
	}
	w->spans[w->n_spans++] = *span;
	return 0;
}

#endif
