/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inlined functions become frames of their own: a frame of a snapshot is an address, at which
 * several functions of the source may be running.
 */
#ifndef SONDE_QUERY_INLINED_H
#define SONDE_QUERY_INLINED_H

#include "snapshot.h"

/* One of the functions at an address. Texts are malloc'd; NULL: not known. line 0: not known. */
struct source_line {
	char *function, *file;
	uint32_t line;
};

struct source_lines {
	/* Offsets of one file that will be asked for, in order. 0 or -ENOMEM. */
	int (*prepare)(void *arg, const struct model_file *file, const char *path,
		       const uint64_t *offsets, size_t n);
	/* The depth-th function at an offset, 0 being the innermost; all but the last one are
	 * inlined. 1, 0 behind the last one, or -ENOMEM. */
	int (*get)(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
		   struct source_line *ret);
	void *arg;
};

enum { INLINED_MAX = 64, SOURCE_BATCH = 32768 };

/*
 * Says of frames of files where in the source they are, and puts those that are inlined there into
 * the stacks. Frames that have a name already keep it; they are looked at only if named_too.
 */
int snapshot_add_inlined(struct snapshot *s, bool named_too, const struct source_lines *lines);

#endif
