/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what a just-in-time compiler has written, perf_map.h and jitdump.h, into a jit_image: in
 * the reader process, or where there is none in this one. Bounds hold for all of it.
 */
#ifndef SONDE_SYMBOL_JIT_PARSE_H
#define SONDE_SYMBOL_JIT_PARSE_H

#include "symbol/jit_image.h"

struct reader;

enum jit_kind { JIT_PERF_MAP, JIT_DUMP };

/* Without holes: it is written to the answer's file. */
struct jit_question {
	struct jit_cursor cursor; /* of the last answer */
	uint64_t max;		  /* bytes to be read */
	uint64_t max_records, max_lines;
};

/*
 * What is new in a file, read by the reader, or in this process when that is NULL. path is for
 * messages. -ENOMEM, of reading, or those of reader.h with one sentence.
 */
int jit_read(struct reader *reader, enum jit_kind kind, int fd, const char *path,
	     const struct jit_question *q, struct error *error, struct jit_image *ret);
/* The same in this process. */
int jit_parse(enum jit_kind kind, int fd, const struct jit_question *q, struct jit_image *ret);
/* In the reader process: answer_fd has a struct jit_question, and becomes a jit image. */
int jit_parse_answer(enum jit_kind kind, int fd, int answer_fd);

/*
 * Take in what is whole at the front of data; flags are the cursor's. How many bytes to go on by,
 * for jitdump files maybe more than there are; 0 when more is needed, or nothing more will be read.
 * Lines that are too long count as whole.
 */
size_t perf_map_parse(struct jit_image *out, uint32_t *flags, const uint8_t *data, size_t size);
/* is_file: what is not there yet of a record may come, if it is not too much. */
size_t jitdump_parse(struct jit_image *out, uint32_t *flags, bool is_file, const uint8_t *data,
		     size_t size);

#endif
