/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times are taken by CLOCK_MONOTONIC, and told by the wall clock. How far apart these are changes
 * where the one is set, or the other stands still.
 */
#ifndef SONDE_CONTROL_WALL_CLOCK_H
#define SONDE_CONTROL_WALL_CLOCK_H

#include "control/daemon.h"

/* What is to be added to CLOCK_MONOTONIC for nanoseconds since the epoch. */
int64_t wall_clock_offset_ns(void);
/* Looks whether that has changed by more than a tenth of a second: new times are then told by it.
 */
void wall_clock_follow(struct daemon *d);

#endif
