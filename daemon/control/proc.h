/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc says of a process. What it does not say any more, as the process is gone, stays as it
 * is in the model. And its memory.
 */
#ifndef SONDE_CONTROL_PROC_H
#define SONDE_CONTROL_PROC_H

#include "model/model.h"

/* Start time and parent, from /proc/PID/stat. 0 or -errno. */
int proc_read_stat(uint32_t pid, uint64_t *ret_start_ns, uint32_t *ret_ppid);
/* The name in such a file as /proc/PID/comm: a string of the model, or 0. */
uint32_t proc_read_comm(struct model *m, const char *path);
/* Control group and container of the process of that id in the model. */
void proc_read_cgroup(struct model *m, uint32_t id, uint32_t pid);
/* Its number in its PID namespace. */
void proc_read_ns_pid(struct model *m, uint32_t id, uint32_t pid);
/* Executable, command line and the two above. */
void proc_read_names(struct model *m, uint32_t id, uint32_t pid);

/* Whether all of it could be read from the process's memory. */
bool proc_read_memory(uint32_t pid, uint64_t address, void *to, size_t size);

#endif
