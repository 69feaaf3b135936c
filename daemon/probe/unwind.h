/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which functions of a file an exception or a forced unwind can pass through, by what they call.
 *
 * An unwinder starts in a function that throws, exits or cancels a thread, or jumps back. Frames
 * above are passed through only if they called on the way to one of these. So a function that calls
 * nothing cannot be passed through, nor one that calls only such functions of its file, and
 * functions of libc that are known not to throw, to be no cancellation point and to call nothing
 * back. Calls through pointers, and of anything unknown, count as unwinding. What is left out: code
 * that unwinds from a signal handler, asynchronous cancellation, and functions of libc that the
 * program replaces by ones that throw.
 */
#ifndef SONDE_PROBE_UNWIND_H
#define SONDE_PROBE_UNWIND_H

#include "probe/place_file.h"

struct unwind_graph;

/* As place_file_new(). One thread at a time. */
int unwind_graph_new(const struct place_source *from, struct unwind_graph **ret);
struct unwind_graph *unwind_graph_free(struct unwind_graph *g);
DEFINE_CLEANUP(struct unwind_graph *, unwind_graph_free)

/* place_can_unwind() of the function that begins at vaddr; true when it is not known. */
bool unwind_graph_can(struct unwind_graph *g, uint64_t vaddr);
/* Whether it is known to call itself, be it through others; what calls cannot be seen do not count.
 */
bool unwind_graph_recurs(struct unwind_graph *g, uint64_t vaddr);
/* Whether a function of libc or libm of that name cannot unwind. */
bool unwind_is_harmless(const char *name);

#endif
