/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spans of an ExportSpans stream, from batches of columns (sonde/span_columns.h) to one span
 * after another. Strings and tables belong to the source, and grow with each reply.
 */
#ifndef SONDE_EXPORT_SPAN_SOURCE_H
#define SONDE_EXPORT_SPAN_SOURCE_H

#include "../render/reply.h"
#include "sonde/base/error.h"
#include "sonde/span_columns.h"

struct exported_process {
	uint32_t pid, ns_pid;	/* ns_pid 0: as pid, or not known */
	char *comm, *container; /* container "": in none */
	char *host;		/* NULL: that of the session */
};

struct exported_thread {
	uint32_t process, tid; /* process: an index */
	char *name;	       /* NULL: not known */
};

struct exported_function {
	char *name, *binary;
	char *category; /* of a span written in source code; NULL: it has none */
};

struct exported_span {
	uint64_t start_ns; /* since the epoch */
	uint64_t duration_ns, self_ns, ret;
	uint32_t thread, function; /* indices: always in the tables */
	uint32_t depth, flags;	   /* flags: enum exported_flags */
	reply_t *details;	   /* SpanDetails, or NULL: it has none */
};

struct span_source {
	struct exported_process *processes;
	struct exported_thread *threads;
	struct exported_function *functions;
	size_t n_processes, n_threads, n_functions;
	size_t processes_cap, threads_cap, functions_cap;
	uint64_t n_spans; /* taken so far */
	struct strbuf columns[SPAN_COLUMNS];
};

/* What is left to be read of a column. */
struct column {
	const uint8_t *at, *end;
};

/* The column of that name, unpacked to bytes, where it is borrowed from. 0, -ENOMEM, -EINVAL. */
int column_open(reply_t *columns, const char *name, struct strbuf *bytes, struct column *ret);
/* Appends the processes and threads of a reply to the tables of the source. Threads are of those
 * from first_process on. 0, -ENOMEM, -EBADMSG. */
int span_source_take_threads(struct span_source *s, reply_t *reply, size_t first_process);
/* That what came cannot be read: -EBADMSG with the error set. what: "spans". */
int source_malformed(struct error *e, const char *what, const char *why);

/*
 * Takes a reply and calls each() with its spans; stops when that fails. 0, -errno of each(), or
 * -errno with the error set: what came is not what ExportSpans sends.
 */
int span_source_take(struct span_source *s, reply_t *reply,
		     int (*each)(void *arg, const struct exported_span *span), void *arg,
		     struct error *e);
void span_source_release(struct span_source *s);

#endif
