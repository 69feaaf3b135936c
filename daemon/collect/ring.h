/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reading side of a BPF ring buffer (Documentation/bpf/ringbuf.rst has the layout). libbpf's
 * own reader has no bound on one drain and does not tell how far the writers are; both are needed
 * to never starve the rest and to put mappings before the samples that need them.
 */
#ifndef SONDE_COLLECT_RING_H
#define SONDE_COLLECT_RING_H

#include "sonde/base/util.h"

struct ring;

int ring_open(int map_fd, size_t bytes, struct ring **ret);
struct ring *ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free)

/* How far writers are now: everything written before is below this position. */
uint64_t ring_producer(const struct ring *r);
/* How far this reader is. */
uint64_t ring_consumer(const struct ring *r);
/*
 * Hands committed records below the limit to each() until it returns nonzero (that record is then
 * not consumed), a record is still being written, or none is left. Returns the bytes consumed.
 */
size_t ring_drain(struct ring *r, uint64_t limit,
		  int (*each)(void *arg, const void *data, size_t size), void *arg);

#endif
