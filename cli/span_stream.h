/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans as they come: the answers of Trace and Replay, shown until the last of them, which follows
 * the session's end. Whatever ends it earlier (a signal, -d, the end of what is watched) is a Stop.
 */
#ifndef SONDE_CLI_SPAN_STREAM_H
#define SONDE_CLI_SPAN_STREAM_H

#include "command.h"
#include "connect.h"
#include "options.h"

struct span_stream {
	struct cli *cli;
	struct connection *connection; /* that the method was called on, by connection_stream() */
	bool watches_processes;	       /* the end of those of -p is the stream's */
	struct command *command;       /* is started when all is in place; NULL: none */
	bool silent;		       /* no spans are to come, but the totals */

	/* The rest is not the caller's. */
	char *session;	     /* its name, for Stop */
	uint64_t stopped_ns; /* 0: not yet */
	bool over;	     /* the last reply has come */
	/* But that it may read: spans printed; received or skipped, but not printed. */
	uint64_t shown, unshown;
	struct cJSON *last; /* the last reply */
};

/* Until the stream is over and its output complete. 0 or -errno with the error of cli. */
int span_stream_run(struct span_stream *s);
/* The line of totals on standard error. */
void span_stream_totals(const struct span_stream *s);
void span_stream_release(struct span_stream *s);

#endif
