/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things about child processes that connections and commands share. */
#ifndef SONDE_CLI_SPAWN_H
#define SONDE_CLI_SPAWN_H

#include <sys/types.h>

#include "sonde/base/util.h"

/* In a child before exec: the signal mask and dispositions a program expects to find. */
void spawn_reset_signals(void);

/* A descriptor that polls readable when the process has ended; -errno. */
int spawn_pidfd(pid_t pid);

/*
 * Waits for a child for at most timeout_ms (-1: for ever). 1 with its wait status, 0 when it
 * still runs, -errno.
 */
int spawn_wait(pid_t pid, int timeout_ms, int *ret_status);

/* The exit status as a shell says it: 128 + the signal when a signal ended it. */
int spawn_exit_status(int wait_status);

#endif
