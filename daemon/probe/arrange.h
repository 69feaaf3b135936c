/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside resolve: what is done about each function that matched. Its types are looked up, the
 * session says what it has to read of it, and the places of its probes are found, cheap and
 * harmless, or it is left out.
 */
#ifndef SONDE_PROBE_ARRANGE_H
#define SONDE_PROBE_ARRANGE_H

#include "probe/match.h"

/* The points of a file from index `first` on; its image and symtab are loaded. */
int arrange_file(struct resolver *r, uint32_t file, size_t first);
/* Adds __cxa_throw and __cxa_begin_catch of a file, if it defines them. */
int arrange_exceptions(struct resolver *r, uint32_t file);

#endif
