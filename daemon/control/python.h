/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that run Python: whose frames the kernel reads at sample time (bpf/python.bpf.h), what
 * their functions are called, and their frames put between the native ones. Where something does
 * not fit, native frames are all there is, and the reason is kept. On the main thread.
 */
#ifndef SONDE_CONTROL_PYTHON_H
#define SONDE_CONTROL_PYTHON_H

#include "collect/kernel_side.h"
#include "model/model.h"
#include "symbol/python_file.h"

struct python;

/* The kernel side is borrowed and must outlive it. */
int python_new(struct kernel_side *kernel, struct python **ret);
/* Takes the processes out of the kernel. */
struct python *python_free(struct python *p);
DEFINE_CLEANUP(struct python *, python_free)

/* As unwinding_set_model(): the processes of the one before are forgotten. */
void python_set_model(struct python *p, struct model *model);

/* A file with CPython that a process has mapped. */
struct python_place {
	struct python_file file;
	uint32_t model_file;
	uint64_t bias; /* of the file's addresses */
};
/* Places the process in the kernel, or tries it later; the first place that works stays. */
void python_found(struct python *p, uint32_t process, uint32_t pid,
		  const struct python_place *place);
/* The process has yielded a stack: if it could not be placed, it is tried again now and then. */
void python_wanted(struct python *p, uint32_t process);
/* It has exited, or runs another program. */
void python_gone(struct python *p, uint32_t process);

void python_add_code(struct python *p, const struct record_python_code *r);

/*
 * Puts the Python frames of the record between the native frames, leaf first, of that process;
 * room for RECORD_MAX_STACK + RECORD_MAX_PYTHON of them. whole: up to the outermost native frame.
 * How many there are then.
 */
size_t python_interleave(struct python *p, const struct record_python *r, bool whole,
			 uint32_t *frames, size_t n);

struct python_stats {
	uint32_t processes; /* in the kernel */
	uint64_t merged;    /* stacks with Python frames */
	uint64_t unfitting; /* stacks whose native and Python frames did not fit together */
	/* The last process whose Python frames cannot be read, and why; 0: none. */
	uint32_t failed_pid;
	const char *failure;
};
void python_stats(const struct python *p, struct python_stats *ret);

#endif
