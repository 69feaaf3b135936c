/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a probe costs the target on this machine: measured on code of the daemon's own, with a
 * program that does nothing. Nanoseconds added to a call, the lowest of several rounds.
 */
#ifndef SONDE_PROBE_CALIBRATE_H
#define SONDE_PROBE_CALIBRATE_H

#include "probe/place.h"
#include "sonde/base/error.h"

struct hit_costs {
	uint32_t hit_ns[HIT_KINDS]; /* of a probe on an instruction of that kind; 0: not measured */
	uint32_t return_ns;  /* what a return probe adds to an entry probe at the same place */
	uint32_t session_ns; /* a session link on an emulated instruction, both ends */
};

/* Takes some 20 ms. 0 or -errno (no privilege, a kernel without …): then nothing is known. */
int calibrate_hits(struct hit_costs *ret, struct error *e);

/*
 * Whether a hit of a nop of five bytes costs less than one of an instruction that is emulated:
 * clearly less, as others run while both are measured. False when nothing is known.
 */
static inline bool hit_costs_prefer_nop5(const struct hit_costs *c)
{
	return c->hit_ns[HIT_OPTIMISED] > 0 &&
	       c->hit_ns[HIT_OPTIMISED] < c->hit_ns[HIT_EMULATED] / 8 * 7;
}

#endif
