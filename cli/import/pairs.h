/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans out of beginnings and ends that come in any order: those of a lane are put in order of
 * time (of the same time, as they came), and an end ends what has begun last.
 */
#ifndef SONDE_CLI_IMPORT_PAIRS_H
#define SONDE_CLI_IMPORT_PAIRS_H

#include "sink.h"

struct import_pairs;

struct import_pairs *import_pairs_new(void); /* NULL: out of memory */
struct import_pairs *import_pairs_free(struct import_pairs *p);

/* duration_ns of the span is not looked at; of an end, only lane and start_ns are. */
int import_pairs_begin(struct import_pairs *p, const struct import_span *span, struct error *error);
int import_pairs_end(struct import_pairs *p, const struct import_span *span, struct error *error);
/* Hands all spans on, and counts what has no partner. */
int import_pairs_finish(struct import_pairs *p, struct import_sink *sink, struct error *error);

#endif
