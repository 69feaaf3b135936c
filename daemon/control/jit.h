/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of code that programs make while they run: in memory that is no file's, listed in the
 * process's perf map or jitdump (symbol/perf_map.h, symbol/jitdump.h).
 *
 * Such code moves and its process ends, so a name is looked up when the sample arrives and becomes
 * a part of the frame: (file "[jit]", address, name). What has no name yet gets a frame of its own
 * process's memory, and is looked for again for ten seconds (with a jitdump until the process
 * ends): then the frame becomes the named one, in all stacks that have it, in recordings, too. Maps
 * of processes that have no such memory are not looked for; those of others are read at most every
 * 100 ms, by the reader process, for which the main thread waits, a bounded part at a time.
 */
#ifndef SONDE_CONTROL_JIT_H
#define SONDE_CONTROL_JIT_H

#include "model/model.h"

struct jit;
struct reader;

/* The model is borrowed and must outlive it. */
int jit_new(struct model *model, struct jit **ret);
struct jit *jit_free(struct jit *j);
DEFINE_CLEANUP(struct jit *, jit_free)
/* From then on the reader, which is borrowed likewise, reads the files, and not this process. */
void jit_set_reader(struct jit *j, struct reader *reader);

/* The frames asked for next are of a stack of that process at that time (CLOCK_MONOTONIC). */
void jit_begin(struct jit *j, uint32_t process, uint64_t time_ns);
/* The frame of an address in a mapping of that process; 0 when the memory is a file's, or j NULL.
 */
uint32_t jit_frame(struct jit *j, const struct model_mapping *map, uint64_t address);

/* Something executable was mapped at that address; the model has it. */
void jit_mapped(struct jit *j, uint32_t process, uint64_t address);
/* Looks again for what had no name, where it is time. */
void jit_refresh(struct jit *j);
/* The process has exited or runs another program: takes the last names and forgets it. */
void jit_gone(struct jit *j, uint32_t process);

#endif
