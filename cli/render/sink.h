/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where bytes of an answer end: standard output, a pager in front of it, or a file. A regular
 * file is written as PATH.tmp and takes its name only when it is complete and on the disk.
 */
#ifndef SONDE_RENDER_SINK_H
#define SONDE_RENDER_SINK_H

#include "sonde/base/error.h"

struct sink;

struct sink *
sink_new(const char *path);		/* NULL or "-": standard output; borrowed. Opens nothing. */
struct sink *sink_free(struct sink *s); /* removes an unfinished file, waits for the pager */
DEFINE_CLEANUP(struct sink *, sink_free)

bool sink_is_terminal(const struct sink *s);
/*
 * 0, or -errno with a WriteFailed. -EPIPE without any error: nobody reads any more, which is no
 * failure. pager: start one if this is the first write to a terminal.
 */
int sink_write(struct sink *s, const void *data, size_t len, bool pager, struct error *e);
int sink_finish(struct sink *s, struct error *e);

#endif
