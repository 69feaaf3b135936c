/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reader*.c share on the daemon's side. */
#ifndef SONDE_SYMBOL_READER_PRIVATE_H
#define SONDE_SYMBOL_READER_PRIVATE_H

#include "symbol/reader.h"
#include "symbol/reader_marks.h"
#include "symbol/reader_process.h"

struct lane {
	pthread_mutex_t mutex; /* held while it is asked */
	struct reader_process process;
};

struct reader {
	char *program;
	uint64_t limit_ns;
	struct lane quick, slow, lines, probes, names;
	struct reader_marks marks;
};

struct question {
	enum reader_kind kind;
	int fd, debug_fd;
	const char *path;
	int answer_fd; /* made by reader_ask(), to be closed */
	struct reader_answer answer;
	int supplement_fd; /* to be closed, as debug_fd, if there is one */
	const void *data;  /* what the answer's file has before */
	size_t size;
};

pthread_mutex_t *reader_lock(pthread_mutex_t *mutex);
static inline void reader_unlockp(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

/* For what is asked while something waits. */
uint64_t reader_quick_limit(const struct reader *r);
/* Where something is asked about fd, and about nothing else. */
struct question reader_question(enum reader_kind kind, int fd, const char *path);
void reader_question_donep(struct question *q);
/* Asks the process of a lane, which the caller holds. The answer's file is sealed then. */
int reader_ask(struct reader *r, struct lane *lane, struct question *q, struct error *error);
/*
 * Says why the answer could not be used. One that is not valid (-EBADMSG) comes from a process that
 * is not to be trusted any more, which is killed.
 */
int reader_check(struct reader *r, struct lane *lane, struct question *q, int result,
		 const struct error *why, struct error *error);

/* reader_symbols() in a lane, which it locks. */
int reader_symbols_in(struct reader *r, struct lane *lane, int fd, const char *path,
		      const char *debug_dir, struct error *error,
		      struct reader_identity *ret_identity, struct symtab **ret);
/*
 * The separate debug file of a file whose identity was asked for in that lane, opened: by its
 * build-id, else by .gnu_debuglink. -EBADF: there is none.
 */
int reader_open_debug(struct reader *r, struct lane *lane, const struct question *id,
		      const char *debug_dir);
/* The debug file of a build-id, opened; -EBADF: there is none. */
int reader_open_by_id(const uint8_t *id, size_t len, const char *debug_dir);

#endif
