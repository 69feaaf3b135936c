/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the model's processes and their mapped files up to date: from records of the kernel side,
 * and from /proc for processes that were there before the daemon. Files are told to the symbolizer
 * as they are mapped, so that a process that has exited is still symbolised.
 */
#ifndef SONDE_CONTROL_PROCESSES_H
#define SONDE_CONTROL_PROCESSES_H

#include "model/model.h"
#include "sonde/record.h"
#include "symbol/symbolizer.h"

struct processes;

/* Both are borrowed and must outlive it. */
int processes_new(struct model *model, struct symbolizer *symbolizer, struct processes **ret);
struct processes *processes_free(struct processes *p);
DEFINE_CLEANUP(struct processes *, processes_free)

/*
 * Whether some session is about every process. If none is, processes that nothing has asked about
 * are not taken note of: /proc has them when somebody does.
 */
void processes_track_all(struct processes *p, bool all);

void processes_fork(struct processes *p, const struct record_fork *r);
void processes_exec(struct processes *p, const struct record_exec *r);
void processes_exit(struct processes *p, const struct record_exit *r);
void processes_image(struct processes *p, const struct record_image *r);
void processes_mmap(struct processes *p, const struct record_mmap *r);

/* The process of a live pid, read from /proc when it is not known yet; 0 when out of memory. */
uint32_t processes_find(struct processes *p, uint32_t pid);
/* Of a recording: what comes from now on with that number is of that process of the model, and
 * /proc is never asked. */
void processes_expect(struct processes *p, uint32_t pid, uint32_t process);
/*
 * As above, with the control group and the container that it is in by now. Processes may be moved,
 * and nothing tells: else these are as they were when it executed its program or was first heard
 * of.
 */
uint32_t processes_find_placed(struct processes *p, uint32_t pid);
/* As processes_find(), and makes sure that its mappings are known: for samples. */
uint32_t processes_find_mapped(struct processes *p, uint32_t pid);

/*
 * The name of the function at a frame, a malloc'd string, or NULL. From any thread; arg is the
 * symbolizer: the shape that store_write() and snapshot_name_frames() ask for.
 */
char *processes_name_frame(void *arg, const struct model_file *file, const char *path,
			   uint64_t offset);
/* As above, in that style; and how long such a name can be. Recordings have the short one: it is
 * cut off where it always was. */
char *processes_name_frame_as(struct symbolizer *symbolizer, const struct model_file *file,
			      const char *path, uint64_t offset, enum demangle_style style);
static inline size_t processes_name_max(enum demangle_style style)
{
	return style == DEMANGLE_SHORT ? 511 : 4095;
}

/* A process to stand for all: statistics that the kernel keeps by function only. */
uint32_t processes_anyone(struct processes *p);

/* The name of a thread as a string id of the model, read once from /proc; the process's when gone.
 * 0: not known, as of a recording. */
uint32_t processes_thread_name(struct processes *p, uint32_t pid, uint32_t tid);

#endif
