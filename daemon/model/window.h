/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window: what one session saw between two points in time. Samples by (process, thread name,
 * stack), span statistics by (process, path) with the shared histogram, raw spans, losses.
 * Windows are added up with window_merge(): a session's total is the merge of its windows.
 * Ids are those of one model. window_add_*() are the daemon's hot path (per record).
 */
#ifndef SONDE_MODEL_WINDOW_H
#define SONDE_MODEL_WINDOW_H

#include "hist.h"
#include "sonde/base/table.h"
#include "sonde/record.h"

struct sample_row {
	uint32_t process, thread; /* thread: string id of its name */
	uint32_t stack;		  /* root first: the id is the leaf's */
	uint32_t pad;
	uint64_t count;
};

struct span_stat {
	uint32_t process, path;
	uint64_t calls, errors, unwound;
	uint64_t total_ns, self_ns, min_ns, max_ns;
	struct hist hist;
};

/* One call, as it is kept raw. args are all zero unless the session keeps arguments. */
struct raw_span {
	uint64_t start_ns, duration_ns, self_ns, ret; /* start: CLOCK_MONOTONIC */
	uint32_t process, tid, path;
	uint16_t depth, flags; /* SPAN_* of record.h */
	uint64_t args[RECORD_ARGS];
};

struct window {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	struct sample_row *samples;
	size_t n_samples, samples_cap;
	struct span_stat *stats;
	size_t n_stats, stats_cap;
	struct raw_span *spans; /* in the order in which they ended */
	size_t n_spans, spans_cap;
	uint64_t losses[LOSS_COUNTERS]; /* as counted by the kernel side, plus the daemon's own */
	struct table sample_index, stat_index;
	uint64_t last_key; /* shortcut: most spans have the path of the one before */
	uint32_t last_stat;
};

int window_add_sample(struct window *w, uint32_t process, uint32_t thread, uint32_t stack,
		      uint64_t count);
/* Adds to the statistics; keeps it raw as well when keep_raw. */
int window_add_span(struct window *w, const struct raw_span *span, bool keep_raw);
/* Statistics that were aggregated elsewhere (the kernel, an older window); stat->hist is copied. */
int window_add_stat(struct window *w, const struct span_stat *stat);
/* Adds samples, statistics and losses of src to dst; raw spans are not copied. The period is
 * widened. */
int window_merge(struct window *dst, const struct window *src);
/* Empties a window for reuse and keeps its memory. */
void window_reset(struct window *w, uint64_t start_ns);
void window_release(struct window *w);

#endif
