/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executable mappings of all processes, as they are made: a dummy perf event on each CPU that
 * yields PERF_RECORD_MMAP2, turned into struct record_mmap. The exec that empties an address space
 * comes the same way (PERF_RECORD_COMM, struct record_image), as the tracepoint of exec fires after
 * the new program has been mapped.
 *
 * Not with build-ids: the kernel (6.18 still) does not take the flag that says so back before it
 * hands the same record to others, and a perf that did not ask for them takes the inode for one.
 */
#ifndef SONDE_COLLECT_MMAP_EVENTS_H
#define SONDE_COLLECT_MMAP_EVENTS_H

#include "sonde/base/error.h"
#include "sonde/record.h"

struct mmap_events;

int mmap_events_open(struct error *error, struct mmap_events **ret);
struct mmap_events *mmap_events_free(struct mmap_events *m);
DEFINE_CLEANUP(struct mmap_events *, mmap_events_free)

/* Descriptors that become readable with each record, one a CPU: ret_fds has room for all CPUs. */
size_t mmap_events_fds(const struct mmap_events *m, int *ret_fds);

/*
 * Hands every waiting record to each(), until it returns nonzero: that record then waits for the
 * next call. Returns how many records the kernel says were lost since the last call.
 */
uint64_t mmap_events_drain(struct mmap_events *m,
			   int (*each)(void *arg, const void *data, size_t size), void *arg);

#endif
