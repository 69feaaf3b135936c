/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the reader process answers what reader_probe.h and reader_types.h ask. Without a reader the
 * same is done in this process, for tests and fuzzers.
 */
#ifndef SONDE_SYMBOL_READER_SERVE_H
#define SONDE_SYMBOL_READER_SERVE_H

#include "symbol/function_type.h"
#include "symbol/reader_protocol.h"

/* A file whose types were asked for last: opening its debug information is what takes the time. */
struct kept_types {
	uint64_t token;
	struct function_types *types; /* NULL: there is none */
};

void kept_types_forget(struct kept_types *kept);

/* Answers READ_FILE, READ_LANDINGS, READ_NOTES into the answer's file. */
int reader_serve_file(enum reader_kind kind, struct elf_image *image, int answer_fd,
		      struct error *error);
/* Answers READ_TYPES likewise, of what is kept if it has the question's token. */
int reader_serve_types(struct kept_types *kept, const int fds[static READER_FDS],
		       struct error *error);
/*
 * What the answer's file has before the answer, at most max bytes and freed by the caller, with a
 * NUL behind it; the file is empty then.
 */
int reader_take_question(int fd, size_t max, void **ret, size_t *ret_size);

#endif
