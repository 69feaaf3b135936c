/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU samples of one session: the program and a cpu-clock perf event on each CPU. */
#ifndef SONDE_COLLECT_SAMPLER_H
#define SONDE_COLLECT_SAMPLER_H

#include "kernel_side.h"

enum { SAMPLER_MAX_HZ = 10000 };

struct sampler;

/* filter_targets: only processes that are targets of the slot. Starts at once. */
int sampler_start(const struct kernel_side *kernel, uint32_t slot, uint32_t frequency_hz,
		  bool filter_targets, struct error *error, struct sampler **ret);
struct sampler *sampler_free(struct sampler *s);
DEFINE_CLEANUP(struct sampler *, sampler_free)

#endif
