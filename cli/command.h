/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command to be profiled (behind "--"): the process exists, and what it will map is known,
 * before it executes, so that probes are in place for its first call.
 */
#ifndef SONDE_CLI_COMMAND_H
#define SONDE_CLI_COMMAND_H

#include <sys/types.h>

#include "sonde/base/error.h"

struct command;

/*
 * Finds the program and forks a child that waits. argv is borrowed. On failure *ret_status is what
 * a shell would exit with: 127 when there is no such program, 126 when it cannot be executed.
 */
int command_new(char **argv, struct command **ret, int *ret_status, struct error *e);
/* Ends the child if it still runs: politely, then by force. */
struct command *command_free(struct command *c);
DEFINE_CLEANUP(struct command *, command_free)

pid_t command_pid(const struct command *c);
/* Its executable first (of a script: the interpreter), then the libraries; absolute paths. */
const char *const *command_files(const struct command *c, size_t *ret_n);

/* Lets it execute. -errno and *ret_status as for command_new() when the kernel refuses. */
int command_start(struct command *c, int *ret_status, struct error *e);

/* Ends it if it still runs; the exit status as a shell says it. */
int command_finish(struct command *c);

#endif
