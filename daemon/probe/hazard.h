/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What about a program makes the kernel's return probes dangerous in it (they replace return
 * addresses on its stack): an unwinder, stacks that are switched, a system call filter.
 */
#ifndef SONDE_PROBE_HAZARD_H
#define SONDE_PROBE_HAZARD_H

#include "probe/target.h"
#include "symbol/reader_probe.h"

enum hazard {
	HAZARD_UNWINDER =
		1 << 0, /* maps libgcc_s, libstdc++, libunwind, libc++abi, or has one built in */
	HAZARD_STACKS =
		1 << 1,	    /* makes or switches stacks: makecontext, sigaltstack, greenlets … */
	HAZARD_GO = 1 << 2, /* goroutines: stacks that move */
	HAZARD_SECCOMP = 1 << 3, /* its system calls are filtered (Linux 6.11 returns by one) */
	HAZARD_CANCEL = 1 << 4,	 /* cancels threads: pthread_cancel, pthread_exit unwind by force */
	HAZARD_JUMPS = 1 << 5,	 /* longjmp: the kernel minds it only from the 64th call on */
};

/*
 * Of one running process: its mappings, its status. reader as in reader_probe.h. 0 or -errno; what
 * cannot be read is no hazard.
 */
int hazard_of_process(struct reader *reader, pid_t pid, unsigned int *ret_hazards);
/* Of one file, by what it imports, defines and needs; remembered until the file changes. */
int hazard_of_file(struct reader *reader, int fd, const char *path, unsigned int *ret_hazards);
/* reader_file() with the symbols that tell hazards, and what they tell. */
int hazard_read_file(struct reader *reader, int fd, const char *path, struct error *e,
		     struct file_image **ret);
unsigned int hazard_of_image(const struct file_image *file);
/* One clause: "it maps an unwinder (libgcc_s.so.1)" for the hazard that counts most. Static. */
const char *hazard_reason(unsigned int hazards);

#endif
