/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person must read when something fails: which error (a name of io.sonde.varlink), one
 * sentence that says what happened, one that says what to do. Modules fill it and return -errno;
 * the command prints it once, the daemon sends it as a typed Varlink error.
 */
#ifndef SONDE_BASE_ERROR_H
#define SONDE_BASE_ERROR_H

#include "sonde/base/util.h"

struct error {
	char name[64];	   /* "NoSuchProcess": without the interface prefix; "" when unset */
	char message[768]; /* one sentence, no newline */
	char fix[512];	   /* what to do about it; may be "" */
};

/* Exit statuses of the command (design.md). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_NOT_FOUND = 4,
	EXIT_UNSUPPORTED = 77,
	EXIT_INTERRUPTED = 130,
};

/*
 * Sets the error (e may be NULL: then nothing is kept) and returns -code. The first error wins:
 * a set error is not overwritten, as the deepest module knows best.
 */
int error_set(struct error *e, int code, const char *name, const char *fmt, ...) _printf_(4, 5);
/* The same, and the compiler sees what is returned: it then knows that outputs are unset on errors.
 */
#define error_set(e, code, ...)                                                                    \
	({                                                                                         \
		int _error_code = (code);                                                          \
		(error_set)(e, _error_code, __VA_ARGS__);                                          \
		-_error_code;                                                                      \
	})
void error_fix(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* The column of a byte of the text: characters, from 1. */
uint32_t error_column(const char *text, size_t at);
/* Sets a BadCondition that begins with the column of the byte `at`. -EINVAL, or -ENOMEM with
 * nothing set. */
int error_complain(struct error *e, const char *text, size_t at, const char *fmt, ...)
	_printf_(4, 5);

/* The exit status that belongs to an error name, from error.def; EXIT_FAILED when unknown. */
int error_exit_status(const char *name);

#endif
