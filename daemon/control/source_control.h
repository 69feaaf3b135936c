/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells programs with spans in their source what is asked of them: struct sonde_control, which each
 * object of a program has, is written while the program runs. What several sessions ask is put
 * together, so that each gets all it wants; each then leaves out what it does not. When nobody asks
 * any more the program's environment decides again.
 */
#ifndef SONDE_CONTROL_SOURCE_CONTROL_H
#define SONDE_CONTROL_SOURCE_CONTROL_H

#include "model/source_batch.h"
#include "probe/resolve.h"

struct session;
struct source_control;

int source_control_new(struct source_control **ret);
/* Does not undo what was written: source_control_update() without sessions does. */
struct source_control *source_control_free(struct source_control *c);
DEFINE_CLEANUP(struct source_control *, source_control_free)

/*
 * Sessions have come or gone: writes what those in the list that are active ask of all their
 * processes. asking: threads of its processes say anew where they are; NULL: those of none do.
 */
void source_control_update(struct source_control *c, const struct session *sessions,
			   const struct session *asking);
/* The same for one process, which is new or has mapped something. */
void source_control_update_process(struct source_control *c, const struct session *sessions,
				   uint32_t pid);
/* Whether the session asks for spans of the process, if it has any. */
bool source_control_is_about(const struct session *s, uint32_t pid);
/* The process has ended, or runs another program: nothing was written there. */
void source_control_forget(struct source_control *c, uint32_t pid);

/* The path of the set's file whose control is at that address; if it cannot be told, that of the
 * first with spans; NULL: there is none. */
const char *source_control_file(const struct probe_set *set, uint32_t pid, uint64_t control);

/* Both clocks that times of spans are made of, as they are now; ticks are 0 where there are none.
 */
struct sonde_anchor source_control_clock(void);

#endif
