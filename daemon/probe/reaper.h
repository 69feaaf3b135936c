/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detaching waits for the kernel, which nobody may have to wait for:
 *
 * - Closing a perf event on a uprobe takes 70 to 115 ms on kernels up to 6.12 or so.
 * - From 6.13 on, closing any uprobe link waits for an SRCU grace period that every thread inside
 *   a return-probed call holds up, until 100 ms have passed in which it made no other such call
 *   (the kernel re-arms a timer at each). A thread that stays in one probed call, such as main, and
 *   keeps making others blocks every detach on the system (seen on 6.18).
 *
 * So descriptors are closed by background threads, many at a time: each close takes its probes
 * off before it waits, and once all are off, no new calls are probed and the wait ends.
 */
#ifndef SONDE_PROBE_REAPER_H
#define SONDE_PROBE_REAPER_H

#include "sonde/base/util.h"

/* Closes at a time. The threads end when there is nothing to do. */
enum {
	REAPER_LINKS = 1024, /* of links: all at once, or the wait may not end */
	REAPER_EVENTS = 4,   /* of perf events: the kernel closes one after the other anyway */
};

/*
 * Takes the ownership of the descriptors (negative ones are passed over) and begins to close them
 * in this order, so many at a time, without waiting. Never fails: without memory or any thread, it
 * closes them itself.
 */
void reaper_close(const int *fds, size_t n, size_t at_a_time);

/* How many descriptors are not closed yet. */
size_t reaper_pending(void);
/* Waits until none is left: 0, or -ETIMEDOUT. */
int reaper_wait(unsigned int timeout_ms);

#endif
