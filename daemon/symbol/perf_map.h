/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of code that a just-in-time compiler lists in /tmp/perf-PID.map: a line for each piece,
 * "START SIZE NAME", hexadecimal. Lines are added as code is made; a later line lies on top of the
 * earlier ones. The file is what its process makes it: bounds hold for all of it, and what is no
 * such line is passed over.
 */
#ifndef SONDE_SYMBOL_PERF_MAP_H
#define SONDE_SYMBOL_PERF_MAP_H

#include "sonde/base/error.h"
#include "symbol/jit_file.h"

enum {
	PERF_MAP_MAX_BYTES = 64 << 20, /* of a file that are read */
	PERF_MAP_MAX_ENTRIES = 1000000,
	PERF_MAP_MAX_LINE = 4096, /* a longer one is passed over */
};

struct perf_map;
struct reader;
struct jit_image;

/*
 * The map of a process, as its mount namespace has it; nothing is read yet. -ENOENT: there is
 * none. Other errors: refused, with the reason unless NULL.
 */
int perf_map_open(const struct jit_owner *owner, struct perf_map **ret, const char **ret_reason);
/* One without a file, for perf_map_feed(). */
int perf_map_new(struct perf_map **ret);
struct perf_map *perf_map_free(struct perf_map *m);
DEFINE_CLEANUP(struct perf_map *, perf_map_free)

/*
 * Takes in what was written since, max bytes at most: the descriptor serves when the process is
 * gone, too. 1 when there is more to read, 0 when not, errors as of jit_read(). A file that was
 * written anew is read anew. The reader reads it; NULL: this process.
 */
int perf_map_refresh(struct perf_map *m, struct reader *reader, size_t max, struct error *error);
/* Takes in all whole lines; how many bytes that was. Lines that are too long count as whole. */
size_t perf_map_feed(struct perf_map *m, const void *data, size_t size);
/* Takes in what was read of the file (jit_image.h), by whomever. */
void perf_map_take(struct perf_map *m, const struct jit_image *image);
/* Whether the file has no name any more: there may be another one in its place. */
bool perf_map_is_unlinked(const struct perf_map *m);

/* The name of the code at an address, good until the next refresh, or NULL. */
const char *perf_map_find(const struct perf_map *m, uint64_t address);
uint32_t perf_map_entries(const struct perf_map *m);
/* About how much memory it takes. */
size_t perf_map_bytes(const struct perf_map *m);

#endif
