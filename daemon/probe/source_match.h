/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside resolve: the files that have spans written in source code (sonde/span.h), which are those
 * with static probes of the provider "sonde". What spans there are is not known before they run.
 */
#ifndef SONDE_PROBE_SOURCE_MATCH_H
#define SONDE_PROBE_SOURCE_MATCH_H

#include "probe/static_match.h"

/* Whether a specification of such spans includes the file. */
bool source_match_wanted(const struct resolver *r, uint32_t index);
/* Whether an open file has such spans. */
bool source_match_has(struct resolver *r, int fd, const char *path);
/* Adds the probes of file `index`, which is wanted and whose image is loaded. 0 or -errno. */
int source_match(struct resolver *r, uint32_t index, const struct usdt_notes *notes);
/* As match_explain() for a run whose first specification is about such spans. */
int source_match_explain(struct resolver *r, const struct spec *s);

#endif
