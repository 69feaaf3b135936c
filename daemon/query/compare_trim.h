/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mean without the slowest calls, of both sides by the same cut.
 *
 * On a machine that does something else, too, a few calls of each hundred are switched off the CPU.
 * They take a hundred times as long as the others, so the mean of all calls varies with their
 * number and hides changes of the function itself. A trimmed mean does not: Tukey and McLaughlin,
 * Sankhya A 25 (1963) 331; of two samples Yuen, Biometrika 61 (1974) 165. There each sample loses
 * the same share of its values; here both lose what lies above one cut, so that a side that was
 * interrupted more often loses more. Of a side that has become slower some more calls lie above the
 * cut: the change comes out a little too small, never of the wrong sign. Pure functions.
 */
#ifndef SONDE_QUERY_COMPARE_TRIM_H
#define SONDE_QUERY_COMPARE_TRIM_H

#include "compare_cells.h"
#include "compare_stat.h"

/* Of the calls of both sides together these are left out, the slowest. */
#define COMPARE_TRIMMED 0.05

/* What the cells of a key say of both sides. */
struct trimmed {
	struct estimate mean[COMPARE_SIDES]; /* ns, of the calls below the cut */
	double slow[COMPARE_SIDES]; /* what the calls above it took, of the time of all; 0 … 1 */
	bool any;		    /* calls are left out */
};

/* 0 or -ENOMEM. */
int compare_trim(const struct compare_blocks *b, size_t key, struct trimmed *ret);

#endif
