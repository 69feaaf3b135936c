/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of span statistics: a struct span_stat that others are added to. It starts as zero. */
#ifndef SONDE_QUERY_STAT_H
#define SONDE_QUERY_STAT_H

#include "model/window.h"

/* Adds everything but the ids; 0 or -ENOMEM. */
int stat_add(struct span_stat *sum, const struct span_stat *stat);
uint64_t stat_average(const struct span_stat *stat);
/* As hist_quantile(), but within the lowest and highest duration seen. */
uint64_t stat_quantile(const struct span_stat *stat, double q);
/* Releases n statistics and the array itself; stats may be NULL. */
void stat_free_array(struct span_stat *stats, size_t n);

#endif
