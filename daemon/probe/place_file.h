/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills struct place_code for the functions of one file: its bytes, its names, its language. What
 * the file's tables say comes from the reader process (symbol/reader_probe.h). The code is read
 * here, where the segments say that it is: it is bytes, and decoding them is bounded by how many.
 */
#ifndef SONDE_PROBE_PLACE_FILE_H
#define SONDE_PROBE_PLACE_FILE_H

#include "probe/place.h"
#include "symbol/file_image.h"
#include "symbol/landing.h"
#include "symbol/symtab.h"

struct place_file;

/* What is known of the file; fd is open for reading. */
struct place_source {
	const struct file_image *image;
	const struct symtab *st;
	const struct landing_table *landings;
	int fd;
};

/*
 * All of it is borrowed and must outlive it. Not for several threads at a time. -EOPNOTSUPP when
 * the file is not x86-64 or this machine is not, -ENOMEM.
 */
int place_file_new(const struct place_source *from, struct place_file **ret);
struct place_file *place_file_free(struct place_file *f);
DEFINE_CLEANUP(struct place_file *, place_file_free)

/*
 * The code of a function; valid until the next call. -ENOENT when it is not code that the file
 * holds, -EFBIG when it is longer than any function, -ENOMEM.
 */
int place_file_code(struct place_file *f, uint64_t vaddr, size_t size, struct place_code *ret);

#endif
