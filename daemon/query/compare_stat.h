/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How sure a difference between two measurements is.
 *
 * Calls of one run are not independent of each other: what else the machine does slows down
 * neighbouring calls together, so a test that takes each call for an observation finds differences
 * between two runs of the same program. Here the windows of a recording (1 s each) are the
 * observations. A figure is a ratio of two sums over windows (time / calls, calls / seconds,
 * samples / all samples) and varies as the windows do:
 *
 *  - the variance of a ratio of sums over clusters, by linearisation: Cochran, Sampling
 *    Techniques, 3rd ed. (1977), sections 6.3 and 9A.2;
 *  - quantiles: the share of calls below it is such a ratio, whose interval is turned into one of
 *    the quantile: Woodruff, J. Am. Stat. Assoc. 47 (1952) 635;
 *  - neighbouring windows resemble each other, too: with their lag-1 correlation r, pooled over
 *    both sides, n windows count for n (1 - r)/(1 + r): Bayley and Hammersley, J. R. Stat. Soc.
 *    Suppl. 8 (1946) 184;
 *  - two sides by Welch's t test on the logarithm of the figure, with his degrees of freedom:
 *    Welch, Biometrika 34 (1947) 28.
 *
 * What sets a whole recording apart from the next one (the machine is a little slower, or the
 * program's memory lies otherwise) cannot be seen from within either: `drift` is its relative
 * standard deviation, to be known beforehand, which is added to the variance of each side. 100
 * recordings of 5 s of the same program, on a machine that others used meanwhile, had means that
 * differed by 2.5 % from one to the next, where their windows explain 1.6 %: 1.9 % are drift; of
 * medians it was less.
 *
 * How busy the machine is drifts far more: the share of the calls that had to wait for a CPU, and
 * what they waited, differed by 21 to 38 % (the slowest tenth of the calls) and 32 to 47 % (the
 * slowest hundredth) between recordings of three programs (wl_serve, SQLite, redis-server; 55 to
 * 100 recordings each, on two CPUs with a load of 10 to 20), beyond what the windows explain. So
 * shares beyond a quantile, the time of slow calls and calls a second are taken to drift by
 * COMPARE_BUSY times `drift`. Pure functions.
 */
#ifndef SONDE_QUERY_COMPARE_STAT_H
#define SONDE_QUERY_COMPARE_STAT_H

#include "model/hist.h"

/* One side of a figure. */
struct estimate {
	double value;	 /* NAN: there was nothing to measure */
	double variance; /* of value, as if windows were independent; meaningless when n < 2 */
	size_t n;	 /* windows that had something to measure */
	double together, alone; /* of lag-1 correlation: sums of products and of squares */
	double drift; /* variance that windows do not tell of, beyond that of all figures */
};

/* sum(y) / sum(x) over n windows; those in which x is 0 say nothing. */
struct estimate estimate_ratio(const double *y, const double *x, size_t n);
/*
 * The quantile of all calls; hists: one a window. Its value and variance are logarithms of ns.
 * busy: see above.
 */
struct estimate estimate_quantile(const struct hist *const *hists, size_t n, double q, double busy);

/* 1.5 %, and 37 %: see above. */
#define COMPARE_DRIFT 0.015
#define COMPARE_BUSY  25

struct change {
	double before, after;	  /* NAN: not there on that side */
	double change, low, high; /* relative: 0.1 is 10 % more; NAN: not known */
	bool known;		  /* low and high are, so that significant says something */
	bool significant;	  /* no change lies outside of [low, high] */
	bool trimmed;		  /* change, low and high leave out slow calls: compare_trim.h */
};

/*
 * The change from a to b. Both values positive: by their logarithms; else by their difference, and
 * relative figures are not known when `before` is 0. is_log: the values are logarithms already.
 * confidence: 0 < confidence < 1, of the two-sided interval. drift: see above.
 */
struct change change_between(const struct estimate *a, const struct estimate *b, bool is_log,
			     double confidence, double drift);

/* The t that lies between -t and t with that probability; df > 0, may be fractional. */
double student_t(double confidence, double df);

#endif
