/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a file, or of standard input, that is to be imported, in blocks; what is compressed
 * with gzip (by its content, not by its name) comes out as it was.
 */
#ifndef SONDE_CLI_IMPORT_INPUT_H
#define SONDE_CLI_IMPORT_INPUT_H

#include "sonde/base/error.h"

struct import_input;

enum { IMPORT_HEAD = 8192 };

/* "-": standard input. NoSuchFile when it cannot be opened. */
int import_input_open(const char *path, struct import_input **ret, struct error *error);
/* Of bytes in memory, which stay the caller's. NULL: out of memory. */
struct import_input *import_input_of(const char *name, const void *data, size_t len);
struct import_input *import_input_free(struct import_input *in);
DEFINE_CLEANUP(struct import_input *, import_input_free)

/* When the file was written, of others now: microseconds since the epoch. */
uint64_t import_input_time(const struct import_input *in);
/* How messages call it. */
const char *import_input_name(const struct import_input *in);
/* The first IMPORT_HEAD bytes, fewer when there are no more. */
int import_input_head(struct import_input *in, const char **ret, size_t *ret_len,
		      struct error *error);
/* The next bytes, good until the next call. 1, 0 at the end, or -errno with a BadFile. */
int import_input_read(struct import_input *in, const char **ret, size_t *ret_len,
		      struct error *error);
/* All of it, at most max bytes, more is a BadFile. The caller frees it. */
int import_input_all(struct import_input *in, size_t max, char **ret, size_t *ret_len,
		     struct error *error);

#endif
