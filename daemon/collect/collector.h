/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The collector thread: drains the ring buffer and the mapping events, checks every record and
 * hands batches over a bounded queue to the main thread. It blocks on nothing but time: when the
 * queue is full, records wait in the ring, and what the ring cannot hold the kernel side counts.
 *
 * Order: a batch has the mappings that were made before its samples in front of them.
 */
#ifndef SONDE_COLLECT_COLLECTOR_H
#define SONDE_COLLECT_COLLECTOR_H

#include "kernel_side.h"

struct collector;

/* Records one after the other, each with its size in front (u32) and aligned to 8 bytes. */
struct batch {
	size_t len;
	uint8_t data[];
};

int collector_start(const struct kernel_side *kernel, struct error *error, struct collector **ret);
/* Stops the thread; what is still in the ring is not read. */
struct collector *collector_free(struct collector *c);
DEFINE_CLEANUP(struct collector *, collector_free)

/* Readable when a batch waits; an eventfd for the main loop. */
int collector_fd(const struct collector *c);
/* Takes the oldest batch, NULL when none waits. The caller frees it. */
struct batch *collector_take(struct collector *c);
/* Calls each() with every record of a batch. */
void batch_each(const struct batch *b, void (*each)(void *arg, const void *record, size_t size),
		void *arg);

/*
 * Whether mappings are to be handed on within about a millisecond, instead of with the next drain:
 * when all processes matter, files must be opened before short-lived programs are gone.
 */
void collector_set_prompt(struct collector *c, bool prompt);

/* How far the kernel side has written: what happens from now on is behind this position. */
uint64_t collector_position(const struct collector *c);
/*
 * Asks the thread to drain up to that position and waits until all of it is in the queue. The
 * caller then takes the batches: nothing older is missing. -EAGAIN: the queue is full, take its
 * batches and ask again; -ETIMEDOUT.
 */
int collector_flush(struct collector *c, uint64_t position, int timeout_ms);

struct collector_stats {
	uint64_t records, bytes;
	uint64_t wakeups;    /* of the thread */
	uint64_t queue_full; /* times it had to wait for the main thread */
	uint64_t invalid;    /* records that are not what record.h says */
	uint64_t lost_maps;  /* mapping events the kernel dropped */
	uint64_t cpu_ns;     /* of the thread */
};
void collector_stats(struct collector *c, struct collector_stats *ret);

#endif
