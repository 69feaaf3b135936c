/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of an input, with their numbers. */
#ifndef SONDE_CLI_IMPORT_LINES_H
#define SONDE_CLI_IMPORT_LINES_H

#include "input.h"
#include "sonde/base/strbuf.h"

enum { IMPORT_LINE_MAX = 1 << 20 };

/* Starts as all zero but for in. */
struct import_lines {
	struct import_input *in;
	const char *block;
	size_t len, at;
	struct strbuf line;
	uint64_t number; /* of the line given out last, from 1 on */
	bool ended;
};

/*
 * The next line without its end: NUL-terminated (a NUL in it is shown as '?'), the caller may
 * change it until the next call. 1, 0 at the end, or -errno, with a BadFile for a longer one.
 */
int import_lines_next(struct import_lines *l, char **ret, size_t *ret_len, struct error *error);
void import_lines_release(struct import_lines *l);

/* A BadFile about the line given out last. -EBADMSG. */
int import_lines_bad(const struct import_lines *l, struct error *error, const char *what);

#endif
