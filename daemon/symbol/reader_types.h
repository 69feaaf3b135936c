/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of a file's functions, read by the reader process: those of the functions asked for,
 * and members of structs when they are looked at (ctype_complete()). The process keeps the debug
 * information open in between, until it is freed here.
 *
 * Not for several threads at a time.
 */
#ifndef SONDE_SYMBOL_READER_TYPES_H
#define SONDE_SYMBOL_READER_TYPES_H

#include "symbol/function_type.h"
#include "symbol/reader.h"

struct reader_types;

/*
 * The file's own debug information or that of its separate debug file, which is found as by
 * reader_functions(), with the supplementary file of dwz where it has one, which is found by its
 * build-id below debug_dir (NULL for /usr/lib/debug).
 * Reads nothing yet but where that is; fd and path must outlive it. Errors as of reader_file();
 * -ENODATA: there is none.
 */
int reader_types_open(struct reader *r, int fd, const char *path, const char *debug_dir,
		      struct error *error, struct reader_types **ret);
struct reader_types *reader_types_free(struct reader_types *t);
DEFINE_CLEANUP(struct reader_types *, reader_types_free)

/* Reads the types of n functions at once; without, each is read when it is looked for. */
void reader_types_fetch(struct reader_types *t, const uint64_t *vaddrs, size_t n);
/* As function_types_find(); what it finds is valid until t is freed. */
int reader_types_find(struct reader_types *t, uint64_t vaddr, const struct function_type **ret);

/*
 * One sentence about a reader that died, lied or took too long over these types, after which there
 * are no more; NULL: none did.
 */
const char *reader_types_failure(const struct reader_types *t);

#endif
