/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An unwind table as one flat block, as the reader process answers it: a header, the executable
 * segments, the rows. The reader writes it, the daemon maps it and checks every number again.
 */
#ifndef SONDE_SYMBOL_UNWIND_IMAGE_H
#define SONDE_SYMBOL_UNWIND_IMAGE_H

#include "symbol/flat.h"
#include "symbol/python_file.h"
#include "symbol/unwind_table.h"

enum { UNWIND_IMAGE_VERSION = 2 };
#define UNWIND_IMAGE_MAGIC "SONDEunw"

struct unwind_image_header {
	char magic[8];
	uint32_t version;
	uint32_t n_segments;
	uint64_t n_rows;
	uint64_t base; /* and the counts, as in struct unwind_table */
	uint64_t functions, bad, unsaid;
	struct python_file python;
};

/* Immutable; any number of threads may read it. */
struct unwind_image {
	/* Its rows are in order of their addresses and mapped: not to be freed by themselves. */
	struct unwind_table table;
	struct elf_segment *segments; /* the executable ones alone */
	size_t n_segments;
	struct python_file python; /* what it has of CPython */
	struct flat flat;
};

/* Writes a table and the executable segments of its file at the position of fd. */
int unwind_image_write(const struct unwind_table *table, struct elf_image *image, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG when it is not valid, -ENOMEM. */
int unwind_image_open(int fd, struct error *error, struct unwind_image **ret);
/* Makes one of a file in this process: errors of unwind_table_new(). */
int unwind_image_new(struct elf_image *image, struct error *error, struct unwind_image **ret);
struct unwind_image *unwind_image_free(struct unwind_image *u);
DEFINE_CLEANUP(struct unwind_image *, unwind_image_free)

#endif
