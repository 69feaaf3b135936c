/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and lines of code from jit-PID.dump, the format of the kernel's
 * tools/perf/Documentation/jitdump-specification.txt. A compiler marks the file for profilers by
 * mapping it executable. Its records have times, so code that was replaced later is still named
 * right for the time of a sample. Of the code itself nothing is kept. Bounds hold for all of it.
 */
#ifndef SONDE_SYMBOL_JITDUMP_H
#define SONDE_SYMBOL_JITDUMP_H

#include "sonde/base/error.h"
#include "symbol/jit_file.h"

enum {
	JITDUMP_MAX_CODES = 1000000,
	JITDUMP_MAX_LINES = 4000000,
};

struct jitdump;
struct reader;
struct jit_image;

struct jitdump_place {
	const char *name; /* both good until the next refresh */
	const char *file; /* NULL when the line is not known */
	uint32_t line;
};

/* Whether a path is that of such a file: jit-NUMBER.dump. */
bool jitdump_is_path(const char *path);
/* The file that a process has mapped at [start, end); errors as of perf_map_open(). */
int jitdump_open(const struct jit_owner *owner, uint64_t start, uint64_t end, struct jitdump **ret,
		 const char **ret_reason);
/* One without a file, for jitdump_feed(). */
int jitdump_new(struct jitdump **ret);
struct jitdump *jitdump_free(struct jitdump *j);
DEFINE_CLEANUP(struct jitdump *, jitdump_free)

/* As perf_map_refresh(); -EBADMSG for what is no jitdump file. */
int jitdump_refresh(struct jitdump *j, struct reader *reader, size_t max, struct error *error);
/*
 * Takes in the records at the front of data, the file's header first. How many bytes to go on by,
 * which may be more than there are; 0 when more is needed, or nothing more will be read.
 */
size_t jitdump_feed(struct jitdump *j, const void *data, size_t size);
/* Takes in what was read of the file (jit_image.h), by whomever. */
void jitdump_take(struct jitdump *j, const struct jit_image *image);
bool jitdump_is_bad(const struct jitdump *j);
/* About how much memory it takes. */
size_t jitdump_bytes(const struct jitdump *j);

/* The code that was at an address at that time, CLOCK_MONOTONIC; false when there was none. */
bool jitdump_find(const struct jitdump *j, uint64_t address, uint64_t time_ns,
		  struct jitdump_place *ret);

#endif
