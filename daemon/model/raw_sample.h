/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples and waits one by one, with their times: what rows of samples (window.h) add up. Kept
 * where raw spans are, so that they can be shown, and asked for, inside spans.
 */
#ifndef SONDE_MODEL_RAW_SAMPLE_H
#define SONDE_MODEL_RAW_SAMPLE_H

#include "sonde/base/util.h"

struct raw_sample {
	uint64_t time_ns;  /* CLOCK_MONOTONIC: when it was taken; of a wait when it began */
	uint64_t ns;	   /* of a wait how long it was, 0 when not known; 0 of CPU samples */
	uint64_t total_ns; /* of a wait what it stands for, as in its row; else that, mostly 0 */
	uint32_t process, tid;
	uint32_t thread, stack, kind; /* as in struct sample_row */
	uint32_t count;		      /* how many it stands for: 1 of those taken here */
};

/* By kind, by time, then by the rest: an order in which equal ones are the same. For qsort(). */
int raw_sample_compare(const void *a, const void *b);

#endif
