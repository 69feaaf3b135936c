/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who says where frames are in the source, and which functions are inlined there: what asks
 * (questions, recordings) knows nothing of debug information, and what reads it nothing of them.
 */
#ifndef SONDE_MODEL_SOURCE_LINES_H
#define SONDE_MODEL_SOURCE_LINES_H

#include "model.h"

/* One of the functions at an address. Texts are malloc'd; NULL: not known. line 0: not known. */
struct source_line {
	char *function, *file;
	uint32_t line;
};

struct source_lines {
	/*
	 * Offsets of one file that will be asked for, in order. 0, -ENOMEM, or -EAGAIN when there
	 * was no time to read them all: get() then knows some of them, and may know more later.
	 */
	int (*prepare)(void *arg, const struct model_file *file, const char *path,
		       const uint64_t *offsets, size_t n);
	/* The depth-th function at an offset, 0 being the innermost; all but the last one are
	 * inlined. 1, 0 behind the last one, or -ENOMEM. */
	int (*get)(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
		   struct source_line *ret);
	void *arg;
	/* How the name that a function has in its file is to be shown: malloc'd. NULL: as it is. */
	char *(*show)(void *arg, const char *symbol);
};

enum { SOURCE_DEPTH_MAX = MODEL_MAX_LINES, SOURCE_BATCH = 32768 };

/* Those of an address, innermost first. How many there are, or -ENOMEM. */
int source_lines_get(const struct source_lines *lines, const struct model_file *file,
		     uint64_t offset, struct source_line ret[static SOURCE_DEPTH_MAX]);
void source_lines_release(struct source_line (*lines)[SOURCE_DEPTH_MAX]);

/* Whether there may be debug information of such a file: anonymous memory ("//anon"), what is in
 * brackets and source files are no ELF files. */
bool source_lines_may_know(const struct model_file *file, const char *path);

#endif
