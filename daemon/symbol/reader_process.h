/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One reader process as the daemon sees it: started when it is needed, asked one thing at a time,
 * killed when it does not answer as it should. Not locked: reader.h does that.
 */
#ifndef SONDE_SYMBOL_READER_PROCESS_H
#define SONDE_SYMBOL_READER_PROCESS_H

#include <sys/types.h>

#include "symbol/reader_protocol.h"

enum { READER_STUCK_MAX = 4 };

struct reader_process {
	pid_t pid;  /* 0: it does not run */
	int socket; /* when it runs */
	uint32_t seq;
	/* Killed, but the kernel holds them in a call, as for a file of a file system that hangs.
	 */
	pid_t stuck[READER_STUCK_MAX];
};

/*
 * Asks, with the first n of the descriptors. An error is that of the exchange (what was asked for
 * has its own in the answer): -ETIMEDOUT, -EPIPE (it died), -EOWNERDEAD (by SIGKILL), -EPROTO (no
 * sense in what it says), or that of starting it; the error says which, and the process is gone. A
 * process that does not run is started, which is not part of the limit. -ECHILD: it ended before it
 * began. -EBUSY: READER_STUCK_MAX hang that were killed.
 */
int reader_process_ask(struct reader_process *p, const char *program, enum reader_kind kind,
		       const int *fds, size_t n, uint64_t limit_ns, struct error *error,
		       struct reader_answer *ret);
/* Kills it, if it runs. What waitpid() said of it, or -1. Waits for a second at most. */
int reader_process_stop(struct reader_process *p);

#endif
