/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of one probe on one CPU, as the kernel side keeps them (stats-only sessions). The
 * number of calls is the sum of the buckets.
 */
#ifndef SONDE_KERNEL_STAT_H
#define SONDE_KERNEL_STAT_H

#include "sonde/hist.h"
#include <linux/types.h>

struct kernel_stat {
	__u64 errors;
	__u64 total_ns;
	__u64 max_ns;
	__u32 buckets[HIST_BUCKETS];
};

#endif
