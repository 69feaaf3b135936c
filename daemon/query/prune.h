/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks that are too rare to be seen in a picture, left out before their frames are named: most
 * stacks of a day are, and naming them takes most of the time of an answer.
 */
#ifndef SONDE_QUERY_PRUNE_H
#define SONDE_QUERY_PRUNE_H

#include "snapshot.h"

/* What stands for the callees that were left out, in each caller that had some. */
#define PRUNED_NAME "[rare]"

/*
 * Of samples: calls that have, with all they call, less than a share (0 to 1) of all the samples,
 * or of all the time when they are waits, give their samples to one frame PRUNED_NAME below their
 * caller. Outermost frames stay. Frames and stacks that are then unused are dropped. -ENOMEM leaves
 * the snapshot as it is.
 */
int snapshot_prune(struct snapshot *s, bool by_time, double share);

#endif
