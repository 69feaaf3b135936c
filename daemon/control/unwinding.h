/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes the kernel can unwind by tables: those that have yielded stacks. Until the tables
 * of all that a process has mapped are there, its stacks follow frame pointers. When memory for
 * tables is short, the process that has yielded no stack for longest goes first.
 */
#ifndef SONDE_CONTROL_UNWINDING_H
#define SONDE_CONTROL_UNWINDING_H

#include "control/python.h"
#include "control/unwind_files.h"

struct unwinding;

/* Both are borrowed and must outlive it. */
int unwinding_new(sd_event *event, struct kernel_side *kernel, struct symbolizer *symbolizer,
		  uint64_t max_bytes, struct unwinding **ret);
struct unwinding *unwinding_free(struct unwinding *u);
DEFINE_CLEANUP(struct unwinding *, unwinding_free)

/* Processes are those of this model from now on; those of the one before are forgotten. NULL:
 * there is none. */
void unwinding_set_model(struct unwinding *u, struct model *model);

/* The process has yielded a stack: it is to be unwound by tables. For every stack. */
void unwinding_want(struct unwinding *u, uint32_t process);
/* Its mappings have changed; noticed when unwinding_refresh() is called next. */
void unwinding_mapped(struct unwinding *u, uint32_t process);
/* A process that is unwound by tables has forked: its child will be, too. */
void unwinding_forked(struct unwinding *u, uint32_t parent, uint32_t child);
/* It has exited, or runs another program. */
void unwinding_gone(struct unwinding *u, uint32_t process);
void unwinding_refresh(struct unwinding *u);
/* Waits until all that is wanted is in place: for a start that is to miss nothing. */
void unwinding_settle(struct unwinding *u);

/* The Python frames of the same processes. */
struct python *unwinding_python(const struct unwinding *u);

struct unwinding_stats {
	struct unwind_files_stats files;
	uint32_t processes; /* in the kernel */
};
void unwinding_stats(const struct unwinding *u, struct unwinding_stats *ret);

#endif
