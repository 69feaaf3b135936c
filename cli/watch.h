/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ends a trace or a recording besides the daemon: the time given with -d, Ctrl-C (and TERM,
 * HUP), the end of the command, the end of all processes named with -p.
 */
#ifndef SONDE_CLI_WATCH_H
#define SONDE_CLI_WATCH_H

#include "command.h"
#include "options.h"

struct watch;

enum watch_event {
	WATCH_NONE = 0,	       /* the timeout passed */
	WATCH_DATA = 1 << 0,   /* the descriptor is readable, or hung up */
	WATCH_OVER = 1 << 1,   /* the time is over, or what was watched has ended */
	WATCH_SIGNAL = 1 << 2, /* asked to end; again each time */
};

/*
 * The clock of -d starts here; from now on signals are taken by the watch. processes: do those of
 * -p matter, or are they only looked at? command may be NULL.
 */
int watch_new(const struct options *o, bool processes, const struct command *command,
	      struct watch **ret, struct error *e);
struct watch *watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free)

/*
 * A signal this soon after the one that ended the session is the same wish said twice (timeout(1)
 * and some shells send it to a process and to its group), not impatience.
 */
#define WATCH_GRACE_NS NSEC_PER_SEC

/* Waits for at most timeout_ms (-1: no limit); a set of watch_event, or -errno. OVER comes once. */
int watch_wait(struct watch *w, int fd, int timeout_ms);

#endif
