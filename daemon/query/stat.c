/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stat.h"

int stat_add(struct span_stat *sum, const struct span_stat *stat)
{
	int r = hist_merge(&sum->hist, &stat->hist);

	if (r < 0)
		return r;
	if (stat->calls) {
		sum->min_ns = sum->calls ? MIN(sum->min_ns, stat->min_ns) : stat->min_ns;
		sum->max_ns = MAX(sum->max_ns, stat->max_ns);
	}
	sum->calls += stat->calls;
	sum->errors += stat->errors;
	sum->unwound += stat->unwound;
	sum->total_ns += stat->total_ns;
	sum->self_ns += stat->self_ns;
	return 0;
}

uint64_t stat_average(const struct span_stat *stat)
{
	return stat->calls ? stat->total_ns / stat->calls : 0;
}

uint64_t stat_quantile(const struct span_stat *stat, double q)
{
	uint64_t value = hist_quantile(&stat->hist, q);

	if (stat->max_ns)
		value = MIN(value, stat->max_ns);
	return stat->calls ? MAX(value, stat->min_ns) : 0;
}

void stat_free_array(struct span_stat *stats, size_t n)
{
	for (size_t i = 0; stats && i < n; i++)
		hist_release(&stats[i].hist);
	free(stats);
}
