/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The latency histogram, one definition for the BPF programs and the daemon: log-linear with 32
 * buckets an octave, so that a bucket's midpoint is off by at most 1/64 (1.6 %) of the value.
 * Values below 32 ns have a bucket each. The construction is that of HdrHistogram
 * (hdrhistogram.org) with 5 sub-bucket bits.
 */
#ifndef SONDE_HIST_H
#define SONDE_HIST_H

#define HIST_SUB_BITS 5
#define HIST_SUB      (1U << HIST_SUB_BITS)
#define HIST_MAX_EXP  42 /* values from 2^43 ns (2.4 h) on share the last bucket */
#define HIST_BUCKETS  ((HIST_MAX_EXP - HIST_SUB_BITS + 2) * HIST_SUB)

static inline __attribute__((always_inline)) unsigned int hist_log2(unsigned long long v)
{
	unsigned int e = 0;

	/* BPF (cpu v3) has no count-leading-zeros instruction. */
	if (v >> 32) {
		v >>= 32;
		e += 32;
	}
	if (v >> 16) {
		v >>= 16;
		e += 16;
	}
	if (v >> 8) {
		v >>= 8;
		e += 8;
	}
	if (v >> 4) {
		v >>= 4;
		e += 4;
	}
	if (v >> 2) {
		v >>= 2;
		e += 2;
	}
	return e + (unsigned int)(v >> 1);
}

/* The bucket of a value in nanoseconds: 0 … HIST_BUCKETS - 1. */
static inline __attribute__((always_inline)) unsigned int hist_bucket(unsigned long long ns)
{
	unsigned int e;

	if (ns < HIST_SUB)
		return (unsigned int)ns;
	e = hist_log2(ns);
	if (e > HIST_MAX_EXP)
		return HIST_BUCKETS - 1;
	return (e - HIST_SUB_BITS + 1) * HIST_SUB +
	       ((unsigned int)(ns >> (e - HIST_SUB_BITS)) & (HIST_SUB - 1));
}

/* The lowest value of a bucket. */
static inline __attribute__((always_inline)) unsigned long long hist_lower(unsigned int bucket)
{
	unsigned int octave = bucket / HIST_SUB, sub = bucket % HIST_SUB;

	if (octave == 0)
		return sub;
	return (unsigned long long)(HIST_SUB + sub) << (octave - 1);
}

#endif
