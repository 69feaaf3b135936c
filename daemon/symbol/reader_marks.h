/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that the reader's processes failed at, so that each is tried once. Of reader.c alone.
 */
#ifndef SONDE_SYMBOL_READER_MARKS_H
#define SONDE_SYMBOL_READER_MARKS_H

#include <pthread.h>

#include "symbol/reader.h"

struct reader_mark {
	uint64_t file; /* what stat says of it, and what it was read for */
	int result;
	struct reader_failure failure;
};

struct reader_marks {
	pthread_mutex_t mutex;
	struct reader_mark items[READER_FAILURES_MAX]; /* a ring */
	size_t n;				       /* made so far */
};

void reader_marks_init(struct reader_marks *marks);
void reader_marks_release(struct reader_marks *marks);

/* 0, or how reading the file for that ended the last time, with the reason. */
int reader_marks_find(struct reader_marks *marks, int fd, enum reader_kind kind,
		      struct error *error);
void reader_marks_add(struct reader_marks *marks, int fd, enum reader_kind kind, const char *path,
		      const char *reason, int result);
/* reader_failures(). */
size_t reader_marks_list(struct reader_marks *marks, struct reader_failure *ret, size_t max);

#endif
