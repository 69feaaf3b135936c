/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the calls of a flame graph of spans first began, from raw spans. */
#ifndef SONDE_RENDER_FLAME_TIMES_H
#define SONDE_RENDER_FLAME_TIMES_H

#include "flame_tree.h"
#include "timeline_spans.h"

/* "pid 4711": what the frame of a process has as its binary where processes are told apart. */
void flame_process_text(char buf[static 16], uint64_t pid);

/*
 * Says to the tree when each call path first began: paths as the spans are nested, below their
 * process. Arranges the timeline. 0, -ENOMEM, -E2BIG.
 */
int flame_times_add(struct flame_tree *tree, struct timeline *t);

#endif
