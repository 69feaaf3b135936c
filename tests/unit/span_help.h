/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of span.h in tests: what its probes are hit with. It takes the probes' places by
 * defining the functions they are, which span.h has as weak ones. Nothing of Criterion, so that
 * programs in all dialects can be built with it, and nothing of span.h but the ABI.
 */
#ifndef SONDE_TESTS_SPAN_HELP_H
#define SONDE_TESTS_SPAN_HELP_H

#include "sonde/span/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A line a record, in the order they came in; texts are those of its SITE and KEY records:
 *   "span io/read 1 rows=3 ok=true error=-2 exception\n" (1: the depth), "instant …\n",
 *   "counter io/queue 0 =1.5\n", "begin x/y 0 #5\n", "end …"; "bad …" for what must not be. */
const char *span_lines(void);

/* Hits of the probes, and what the last ones were given. */
struct span_hits {
	unsigned batches, threads;
	unsigned dropped[SONDE_DROPPED_COUNT];
	unsigned long long duration_ns, start_ns;
	struct sonde_batch last;
	struct sonde_record_span last_span; /* of a batch */
	struct sonde_trace last_trace;
};
extern struct span_hits span_hits;

#ifdef __cplusplus
}
#endif

#endif
