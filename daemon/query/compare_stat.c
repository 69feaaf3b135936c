/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compare_stat.h"

#include <math.h>

/* More correlation than this cannot be told from a trend in as few windows as a recording has. */
static const double max_correlation = 0.8;

struct estimate estimate_ratio(const double *y, const double *x, size_t n)
{
	struct estimate e = {.value = NAN};
	double sum_y = 0, sum_x = 0, last = 0, mean_x;

	for (size_t i = 0; i < n; i++) {
		if (!(x[i] > 0))
			continue;
		sum_y += y[i];
		sum_x += x[i];
		e.n++;
	}
	if (!e.n)
		return e;
	e.value = sum_y / sum_x;
	mean_x = sum_x / (double)e.n;
	for (size_t i = 0, seen = 0; i < n; i++) {
		double z = (y[i] - e.value * x[i]) / mean_x;

		if (!(x[i] > 0))
			continue;
		if (seen++)
			e.together += z * last;
		e.alone += z * z;
		last = z;
	}
	if (e.n > 1)
		e.variance = e.alone / (double)(e.n - 1) / (double)e.n;
	return e;
}

/* Calls at or below ns; those of its own bucket count by how far into it ns lies. */
static double calls_below(const struct hist *h, double ns)
{
	double sum = 0;

	for (uint32_t i = 0; i < h->len; i++) {
		double low = (double)hist_lower(h->first + i);
		double high = (double)hist_lower(h->first + i + 1);

		if (ns >= high)
			sum += (double)h->counts[i];
		else if (ns > low)
			sum += (double)h->counts[i] * (ns - low) / (high - low);
	}
	return sum;
}

/* As hist_quantile(), but not only midpoints of buckets: where in its bucket the rank falls. */
static double smooth_quantile(const struct hist *h, double calls, double q)
{
	double rank = MIN(MAX(q, 0), 1) * calls, seen = 0, high = 0;

	for (uint32_t i = 0; i < h->len; i++) {
		double low = (double)hist_lower(h->first + i), count = (double)h->counts[i];

		if (!h->counts[i])
			continue;
		high = (double)hist_lower(h->first + i + 1);
		if (seen + count >= rank)
			return low + (high - low) * MAX(rank - seen, 0) / count;
		seen += count;
	}
	return high;
}

/*
 * The variance of the logarithm of a quantile, from that of the share of calls below it. By the
 * quantiles two deviations below and above, about where an interval ends: in the tail, quantiles
 * nearer by are much closer together.
 */
static double variance_at(const struct hist *all, double calls, double q, double variance)
{
	double off = 2 * sqrt(variance);
	double width = log(MAX(smooth_quantile(all, calls, q + off), 1)) -
		       log(MAX(smooth_quantile(all, calls, q - off), 1));

	return width * width / 16;
}

/* What waits for a CPU is taken to be no more than a twentieth of the calls, as it is for the mean
 * (compare_trim.h): the median does not move far by it. */
static const double most_waiting = 0.05;

struct estimate estimate_quantile(const struct hist *const *hists, size_t n, double q, double busy)
{
	_cleanup_(hist_release) struct hist all = {};
	_cleanup_(freep) double *y = calloc(n + 1, sizeof(*y)), *x = calloc(n + 1, sizeof(*x));
	/* Where in its bucket a value lies is not known: the deviation of an even spread. */
	const double blur = 1.0 / HIST_SUB / sqrt(12);
	struct estimate e = {.value = NAN};
	double at, calls, share, drift;

	for (size_t i = 0; i < n; i++)
		if (!y || !x || hist_merge(&all, hists[i]) < 0)
			return e;
	calls = (double)hist_count(&all);
	if (!(calls > 0))
		return e;
	at = smooth_quantile(&all, calls, q);
	for (size_t i = 0; i < n; i++) {
		x[i] = (double)hist_count(hists[i]);
		y[i] = calls_below(hists[i], at);
	}
	e = estimate_ratio(y, x, n);
	/* Calls are at least as uncertain together as if they were independent. */
	share = MAX(e.variance, q * (1 - q) / calls);
	drift = busy * MIN(1 - q, most_waiting);
	e.value = log(MAX(at, 1));
	e.variance = variance_at(&all, calls, q, share);
	e.drift = variance_at(&all, calls, q, share + drift * drift) - e.variance + blur * blur;
	return e;
}

/* Regularised incomplete beta function by its continued fraction (modified Lentz). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m <= 300; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 + even * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + even / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		d = 1 + odd * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + odd / c;
		c = fabs(c) < tiny ? tiny : c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-12)
			break;
	}
	return h;
}

static double beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
					 : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_t(double confidence, double df)
{
	double low = 0, high = 1;

	/* Within -t and t lies 1 - I(df / (df + t²); df / 2, 1 / 2). */
	while (1 - beta(df / 2, 0.5, df / (df + high * high)) < confidence && high < 1e8)
		high *= 2;
	for (int i = 0; i < 80; i++) {
		double t = (low + high) / 2;

		if (1 - beta(df / 2, 0.5, df / (df + t * t)) < confidence)
			low = t;
		else
			high = t;
	}
	return high;
}

/*
 * How much larger the variance is than that of independent windows. The correlation of a few
 * windows comes out too low, by about 1/n; to correct for that would cost more real changes than
 * it would spare false ones: simulated, and tried on 100 recordings.
 */
static double inflation(const struct estimate *a, const struct estimate *b)
{
	double alone = a->alone + b->alone, r;

	if (!(alone > 0))
		return 1;
	r = (a->together + b->together) / alone;
	r = MIN(MAX(r, 0), max_correlation);
	return (1 + r) / (1 - r);
}

/* Half the interval around a difference, in the unit that the variances are of. */
static double half_width(double va, size_t na, double vb, size_t nb, double drift,
			 double confidence)
{
	double sum = va + vb + drift, df;

	if (!(sum > 0))
		return 0;
	/* Of drift nothing is estimated: it has any number of degrees of freedom. */
	df = va + vb > 0 ? sum * sum / (va * va / (double)(na - 1) + vb * vb / (double)(nb - 1))
			 : 1e6;
	return student_t(confidence, MIN(df, 1e6)) * sqrt(sum);
}

struct change change_between(const struct estimate *a, const struct estimate *b, bool is_log,
			     double confidence, double drift)
{
	bool both = is_log || (a->value > 0 && b->value > 0);
	double more = inflation(a, b), va = a->variance * more, vb = b->variance * more;
	double da = a->drift, db = b->drift, difference, half;
	struct change c = {
		.before = is_log ? exp(a->value) : a->value,
		.after = is_log ? exp(b->value) : b->value,
		.change = NAN,
		.low = NAN,
		.high = NAN,
	};

	if (isnan(a->value) || isnan(b->value))
		return c;
	difference = b->value - a->value;
	if (!is_log && both) {
		difference = log(b->value / a->value);
		va /= a->value * a->value;
		vb /= b->value * b->value;
		da /= a->value * a->value;
		db /= b->value * b->value;
	}
	if (both)
		c.change = expm1(difference);
	else if (a->value > 0)
		c.change = difference / a->value;
	c.known = a->n > 1 && b->n > 1;
	if (!c.known)
		return c;
	/* Of logarithms it is the same for both sides, else a part of each. */
	drift *= drift;
	drift *= both ? 2 : a->value * a->value + b->value * b->value;
	half = half_width(va, a->n, vb, b->n, drift + da + db, confidence);
	c.significant = fabs(difference) > half;
	if (both) {
		c.low = expm1(difference - half);
		c.high = expm1(difference + half);
	} else if (a->value > 0) {
		c.low = (difference - half) / a->value;
		c.high = (difference + half) / a->value;
	}
	return c;
}
