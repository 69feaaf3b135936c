/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside resolve: holds the static probes of a file's notes against the specifications. X__entry
 * and X__return of one provider make spans called PROVIDER:X, all others are instants called
 * PROVIDER:NAME. Each place in the code is a point of its own.
 */
#ifndef SONDE_PROBE_STATIC_MATCH_H
#define SONDE_PROBE_STATIC_MATCH_H

#include "probe/match.h"
#include "symbol/usdt.h"

/* Adds the static probes of file `index`, whose image is loaded and whose notes these are. */
int static_match(struct resolver *r, uint32_t index, const struct usdt_notes *notes);
/* Whether a specification of static probes includes something from the file; of functions. */
bool static_match_wanted(const struct resolver *r, uint32_t index, bool is_static);
/* The arguments of a point again; false when the notes are not those it was made from. */
bool static_match_type(const struct usdt_notes *notes, const struct probe_point *p, uint64_t vaddr,
		       struct usdt_type *ret);
/* As match_explain() for a run whose first specification is about static probes. */
int static_match_explain(struct resolver *r, const struct spec *s, size_t index);

/* For source_match.c: fills in where a note's place is, its semaphore and what a hit costs. NULL,
 * or why it is left out. The file's image is loaded. */
const char *static_match_place(struct resolver *r, uint32_t index, const struct usdt_note *note,
			       struct probe_point *p);

#endif
