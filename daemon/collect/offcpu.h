/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits of one session: the program of bpf/offcpu.bpf.c at every switch. */
#ifndef SONDE_COLLECT_OFFCPU_H
#define SONDE_COLLECT_OFFCPU_H

#include "kernel_side.h"

enum { OFFCPU_PERIOD_DEFAULT_NS = 10000000, OFFCPU_PERIOD_MIN_NS = 10000 };
#define OFFCPU_PERIOD_MAX_NS 1000000000ULL

struct offcpu;

/* The kernel's function that switches threads, __schedule; zeros: it is not known. */
struct switch_function {
	uint64_t start, end;
};

/*
 * period_ns: shorter waits are sampled, longer ones all kept. filter_targets: only processes that
 * are targets of the slot, else all but the kernel's threads. Starts at once.
 */
int offcpu_start(const struct kernel_side *kernel, uint32_t slot, uint64_t period_ns,
		 struct switch_function switches, bool filter_targets, struct error *error,
		 struct offcpu **ret);
struct offcpu *offcpu_free(struct offcpu *o);
DEFINE_CLEANUP(struct offcpu *, offcpu_free)

#endif
