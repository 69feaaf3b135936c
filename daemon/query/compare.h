/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sides, before and after, compared function by function (or path by path) with confidence
 * intervals. A side is a snapshot whose windows are kept apart (snapshot_take_apart()) and whose
 * frames have names; where it comes from, a recording or a span of time, is the caller's business.
 * compare_stat.h says by what method.
 */
#ifndef SONDE_QUERY_COMPARE_H
#define SONDE_QUERY_COMPARE_H

#include "compare_stat.h"
#include "query.h"

/* PATH: the way down to a function, of spans or of samples. */
enum compare_by { COMPARE_FUNC, COMPARE_PATH };

enum compare_metric {
	COMPARE_CALLS,	    /* a second */
	COMPARE_ERRORS,	    /* a second */
	COMPARE_ERROR_RATE, /* errors / calls */
	COMPARE_MEAN,	    /* ns */
	COMPARE_P50,
	COMPARE_P90,
	COMPARE_P99,
	COMPARE_MAX,
	COMPARE_TOTAL,	 /* ns a second; with what it calls */
	COMPARE_SELF,	 /* ns a second */
	COMPARE_SAMPLES, /* a second; with what it calls */
	COMPARE_SHARE,	 /* of all samples, or of the time of all waits or spans; with what it calls
			  */
	COMPARE_METRICS,
};
const char *compare_metric_name(enum compare_metric m);
/* Whether a comparison of that kind of data has this figure: samples are no calls. */
bool compare_applies(enum query_kind kind, enum compare_metric m);

enum { COMPARE_BEFORE, COMPARE_AFTER, COMPARE_SIDES };

/* What the figures were made from, over all windows. */
struct compare_sum {
	uint64_t calls, errors, total_ns, self_ns, max_ns, samples;
};

/* For each metric and block of windows; compare_cells.c. */
struct compare_blocks;

struct compare_row {
	const char *key;    /* a name, or "a > b > c"; in a snapshot or the comparison */
	const char *binary; /* of the (last) function */
	uint32_t index;	    /* for compare_change() */
	struct compare_sum sums[COMPARE_SIDES];
	struct change changes[COMPARE_METRICS]; /* NAN where the metric does not apply */
	bool significant;			/* it takes longer, or shorter: see compare.c */
	double weight;				/* ns a second by which the total has changed */
};

struct comparison {
	struct compare_row *rows; /* significant ones first, by weight, then by name */
	size_t n_rows;
	size_t blocks[COMPARE_SIDES];		/* of windows, that variances were estimated from */
	double seconds[COMPARE_SIDES];		/* the windows together */
	struct compare_sum sums[COMPARE_SIDES]; /* of all; total_ns: of spans their self time */
	double confidence, drift;
	enum query_kind kind;
	struct compare_blocks *data;
};

/*
 * The snapshots must outlive the comparison. Functions are the same when name, binary and kind are.
 * drift: of all figures but error_rate and share (compare_stat.h).
 * 0, -ENOMEM, or -EINVAL when a snapshot does not keep its windows apart.
 */
int query_compare(const struct snapshot *const sides[static COMPARE_SIDES], enum query_kind kind,
		  enum compare_by by, double confidence, double drift, struct comparison **ret);
/* One change once more, with another confidence. */
struct change compare_change(const struct comparison *c, const struct compare_row *row,
			     enum compare_metric metric, double confidence);
struct comparison *comparison_free(struct comparison *c);
DEFINE_CLEANUP(struct comparison *, comparison_free)

#endif
