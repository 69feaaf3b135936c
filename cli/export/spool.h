/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts spans into the order in which they began, callers before what they called, in little memory:
 * what is more than fits is sorted in runs, which wait in a file that has no name ($TMPDIR, else
 * /var/tmp, else /tmp) and are merged at the end.
 */
#ifndef SONDE_EXPORT_SPOOL_H
#define SONDE_EXPORT_SPOOL_H

#include "span_source.h"

struct spool;

/*
 * run: how many spans are held and sorted at once; 0: as many as the default memory takes.
 * by_thread: all spans of a thread, by its index, before those of the next.
 */
int spool_new(size_t run, bool by_thread, struct spool **ret);
struct spool *spool_free(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_free)

/* arg: the struct spool. 0, -ENOMEM, or what writing the file has failed with (-ENOSPC). */
int spool_add(void *arg, const struct exported_span *span);
/* Hands on all spans in order, as often as it is called, and stops when each() fails; none can be
 * added any more. 0, -errno; -EBADMSG: what is in the file has changed. */
int spool_each(struct spool *s, int (*each)(void *arg, const struct exported_span *span),
	       void *arg);

#endif
