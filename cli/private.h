/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A private sonded: a child that serves two connected sockets and ends when both are closed. */
#ifndef SONDE_CLI_PRIVATE_H
#define SONDE_CLI_PRIVATE_H

#include <sys/types.h>

#include "sonde/base/error.h"

/* What it answers from, of PRIVATE_REPLAY. */
struct private_files {
	const char *const *files; /* several as one */
	size_t n;
	const char *compared; /* with the only one; NULL: none */
};

enum private_kind { PRIVATE_LIVE, PRIVATE_REPLAY, PRIVATE_IMPORT };

/*
 * Starts `sonded --replay FILE...`, `sonded --private` or `sonded --import`. The caller owns the
 * two descriptors, and ends the process with private_end() after closing them.
 */
int private_start(enum private_kind kind, const struct private_files *files, int ret_fds[static 2],
		  pid_t *ret_pid, struct error *e);

/* Waits until it has ended, by force if it takes too long; its wait status, or -errno. */
int private_end(pid_t pid);

#endif
