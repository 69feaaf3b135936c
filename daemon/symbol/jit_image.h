/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was read of a perf map or a jitdump file since the last time, as one flat block that the
 * reader process answers: a header, what the records say one after the other, lines, names. The
 * daemon maps it, checks every number again, and keeps what it needs of it.
 */
#ifndef SONDE_SYMBOL_JIT_IMAGE_H
#define SONDE_SYMBOL_JIT_IMAGE_H

#include "symbol/flat.h"
#include "symbol/jit_file.h"
#include "symbol/jit_names.h"

enum { JIT_IMAGE_VERSION = 1, JIT_RECORDS_MAX = 1000000, JIT_LINES_MAX = 4000000 };
#define JIT_IMAGE_MAGIC "SONDEjit"

enum jit_record_kind {
	JIT_CODE = 1,  /* there is code, from start on, of that size */
	JIT_MOVE = 2,  /* the code of that index has moved, from start to to */
	JIT_LINES = 3, /* lines of the code that comes next, if it begins at start */
};

struct jit_record {
	uint32_t kind, name; /* of JIT_CODE; 0: it has none */
	uint64_t start, size, time_ns;
	uint64_t index; /* the compiler's number of the code */
	uint64_t to;
	uint32_t first_line, n_lines;
};

struct jit_line {
	uint64_t address;
	uint32_t line, file; /* name, or 0 */
};

enum jit_image_flags {
	JIT_IMAGE_MORE = 1 << 0, /* there is more to read */
	JIT_IMAGE_ANEW = 1 << 1, /* the file was written anew: this is all of it, from its start */
};

struct jit_image_header {
	char magic[8];
	uint32_t version, flags;
	struct jit_cursor cursor; /* where to read on */
	uint64_t n_records, n_lines, names_size;
};

/* One that is made, of memory of its own, or one that is mapped. Starts as all zero. */
struct jit_image {
	uint32_t flags;
	struct jit_cursor cursor;
	struct jit_record *records;
	struct jit_line *lines;
	size_t n_records, records_cap, n_lines, lines_cap;
	size_t max_records, max_lines; /* of one that is made */
	struct jit_names names;
	struct flat flat; /* what the above point into, if anything */
};

/* False when there are as many as there may be, or no memory. */
bool jit_image_add(struct jit_image *image, const struct jit_record *record);
bool jit_image_add_line(struct jit_image *image, const struct jit_line *line);

/* Writes it at the position of fd. */
int jit_image_write(const struct jit_image *image, int fd);
/*
 * Maps what fd holds, which must be sealed; max is how many bytes were to be read. -EBADMSG when it
 * is not valid, -ENOMEM.
 */
int jit_image_open(int fd, size_t max, struct error *error, struct jit_image *ret);
void jit_image_release(struct jit_image *image);

/* A text of it, or NULL for number 0. */
const char *jit_image_name(const struct jit_image *image, uint32_t name);

#endif
