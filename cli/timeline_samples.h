/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The samples and waits of a timeline: what the threads did in their spans, and beside them. */
#ifndef SONDE_CLI_TIMELINE_SAMPLES_H
#define SONDE_CLI_TIMELINE_SAMPLES_H

#include "export/span_source.h"
#include "verbs.h"

struct connection;
struct table;
struct timeline;

/* What the session has. */
struct timeline_kinds {
	bool cpu, waits;
};

/*
 * Asks for those of these kinds and adds them to the timeline, whose processes and threads are
 * those of the source, in the same order; others are added, and the process of each number to pids.
 * 0, or -errno with cli->error.
 */
int timeline_ask_samples(struct cli *cli, struct connection *c, struct timeline_kinds kinds,
			 const struct span_source *spans, struct table *pids, struct timeline *t);

#endif
