/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A private sonded: a child that serves two connected sockets and ends when both are closed. */
#ifndef SONDE_CLI_PRIVATE_H
#define SONDE_CLI_PRIVATE_H

#include <sys/types.h>

#include "sonde/base/error.h"

enum private_kind { PRIVATE_LIVE, PRIVATE_REPLAY, PRIVATE_IMPORT };

/*
 * Starts `sonded --replay FILE` (with second, of both), `sonded --private` or `sonded --import`;
 * file and second are NULL for the latter two. The caller owns the two descriptors, and ends the
 * process with private_end() after closing them.
 */
int private_start(enum private_kind kind, const char *file, const char *second,
		  int ret_fds[static 2], pid_t *ret_pid, struct error *e);

/* Waits until it has ended, by force if it takes too long; its wait status, or -errno. */
int private_end(pid_t pid);

#endif
