/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pager: $SONDE_PAGER, else $PAGER, else "less -FRSX" where there is one. An empty value or
 * "cat" is none.
 */
#ifndef SONDE_RENDER_PAGER_H
#define SONDE_RENDER_PAGER_H

#include <stdbool.h>
#include <sys/types.h>

bool pager_is_wanted(void);
/*
 * Starts the pager on standard output. *ret_fd is where to write; the caller closes it and then
 * calls pager_wait(). 1, or 0 when there is none to start (nothing is set), or -errno.
 */
int pager_start(int *ret_fd, pid_t *ret_pid);
void pager_wait(pid_t pid);

#endif
