/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorts any number of records of one size in a bounded amount of memory: what does not fit is
 * sorted in parts that wait in a temporary file (in $TMPDIR, else /var/tmp, else /tmp, without a
 * name).
 */
#ifndef SONDE_CLI_IMPORT_SORTER_H
#define SONDE_CLI_IMPORT_SORTER_H

#include "sonde/base/error.h"

struct import_sorter;

/* compare: a total order, so that it does not matter how records came. memory: in bytes. NULL: out
 * of memory. */
struct import_sorter *import_sorter_new(size_t record, size_t memory,
					int (*compare)(const void *a, const void *b));
struct import_sorter *import_sorter_free(struct import_sorter *s);
DEFINE_CLEANUP(struct import_sorter *, import_sorter_free)

/* 0, or -errno with a WriteFailed when the temporary file cannot be written. */
int import_sorter_add(struct import_sorter *s, const void *record, struct error *error);
/* After the last one: records come in order from the next calls. 1, 0 behind the last, or -errno.
 */
int import_sorter_next(struct import_sorter *s, void *ret_record, struct error *error);

#endif
