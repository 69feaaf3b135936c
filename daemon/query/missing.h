/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files the frames of samples lack names or source lines of: what could be fetched by
 * build-id. A question as those of query.h.
 */
#ifndef SONDE_QUERY_MISSING_H
#define SONDE_QUERY_MISSING_H

#include "snapshot.h"

/* What is known of the debug information of a file. */
enum query_lines {
	LINES_UNKNOWN, /* there was no time to look */
	LINES_READ,
	LINES_NONE,    /* it has none, and nor has another file for it */
	LINES_NO_FILE, /* the file itself is not there any more, or cannot be read */
};

enum missing_what { MISSING_SYMBOLS, MISSING_DEBUG_INFO, MISSING_FILE };

struct missing_row {
	const struct model_file *file;
	const char *path; /* one of them, if there are several of that build-id */
	uint64_t samples; /* in whose stacks frames of it lack something, each once */
	enum missing_what what;
};

struct missing {
	struct missing_row *rows; /* most samples first, ties by path */
	size_t n_rows;
	uint64_t total_samples;
};

/* Of a snapshot whose frames have lines and names. Files without a build-id are not told of. */
int query_missing(const struct snapshot *s,
		  enum query_lines (*lines)(void *arg, const struct model_file *file), void *arg,
		  struct missing **ret);
struct missing *missing_free(struct missing *m);
DEFINE_CLEANUP(struct missing *, missing_free)

/* "symbols", "debuginfo", "file" */
const char *missing_name(enum missing_what what);

#endif
