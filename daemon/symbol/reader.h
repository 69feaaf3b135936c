/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads files that users control without trusting them: in a process of its own that has no
 * privilege, no files and hardly a system call (reader_confine.h). What it answers is checked
 * again. A file at which it dies or takes too long is marked: it is refused from then on, and the
 * reason is kept for the doctor.
 *
 * The process is started when it is first needed, and again after it was killed. There are
 * four, as naming a file must not wait until another one's symbols or debug information are read,
 * nor attaching to one (reader_probe.h). Any thread may call any function; each process is asked
 * one thing at a time.
 *
 * fds are open for reading and stay the caller's. Paths are for messages, never opened; but where
 * one is absolute and the file has a .gnu_debuglink, what is beside it may be (debug_file.h).
 * Errors, with one sentence: what reading the file gives (-ENOEXEC, -EINVAL, -EFBIG, -ENOMEM and
 * so on); -EPIPE and -ETIMEDOUT, it died (twice, if by SIGKILL) or took too long; -EPROTO and
 * -EBADMSG, it answered nonsense; -EUCLEAN, it kept its answer writable; or why it cannot be
 * started.
 */
#ifndef SONDE_SYMBOL_READER_H
#define SONDE_SYMBOL_READER_H

#include "symbol/demangle.h"
#include "symbol/jit_parse.h"
#include "symbol/line_image.h"
#include "symbol/reader_protocol.h"
#include "symbol/symtab.h"
#include "symbol/unwind_image.h"

struct reader;

struct reader_failure {
	char path[256]; /* its end when it is longer; "": a name, which is in the reason */
	char reason[READER_MESSAGE_MAX];
	uint64_t time_us; /* since the epoch */
};

enum { READER_FAILURES_MAX = 32 };

/*
 * program is what is started with READER_OPTION, NULL for the running one (whose main must know
 * that option). Starts nothing yet.
 */
int reader_new(const char *program, struct reader **ret);
struct reader *reader_free(struct reader *r);
DEFINE_CLEANUP(struct reader *, reader_free)
/* How long reading symbols or unwind tables may take (10 s by default); a fifth to identify. */
void reader_set_limit(struct reader *r, uint64_t limit_ns);

/* The build-id, or a hash of the content: what elf_image_open() finds. */
int reader_identify(struct reader *r, int fd, const char *path, struct error *error,
		    struct reader_identity *ret);
/* The same of an image that was opened in this process. */
void reader_identity_of(const struct elf_image *image, struct reader_identity *ret);
/*
 * The functions, of the separate debug file, too, when it is stripped: with its build-id below
 * debug_dir (NULL for /usr/lib/debug), else by .gnu_debuglink. symtab_free() it.
 */
int reader_symbols(struct reader *r, int fd, const char *path, const char *debug_dir,
		   struct error *error, struct reader_identity *ret_identity, struct symtab **ret);
/* The rows to unwind by; errors of unwind_table_new() as well. unwind_image_free() it. */
int reader_unwind(struct reader *r, int fd, const char *path, struct error *error,
		  struct reader_identity *ret_identity, struct unwind_image **ret);

/*
 * Functions, inlined ones too, files and lines at n file offsets (at most LINE_ADDRESSES_MAX), of
 * the separate debug file where the file itself has no debug information, in a third process: the
 * others must not wait for it. -ENODATA: there is none. line_image_free() it.
 */
int reader_lines(struct reader *r, int fd, const char *path, const char *debug_dir,
		 const uint64_t *offsets, size_t n, struct error *error,
		 struct reader_identity *ret_identity, struct line_image **ret);

/*
 * What is new in a perf map or jitdump file (jit_parse.h), by the process that identifies, within
 * the time to identify: it is asked while samples wait.
 */
int reader_jit(struct reader *r, enum jit_kind kind, int fd, const char *path,
	       const struct jit_question *q, struct error *error, struct jit_image *ret);

/*
 * Names demangled, by a process of its own: n texts, each malloc'd, or NULL where there is none or
 * the process died of it, which is a failure of that name. n is NAMES_MAX of name_image.h at most.
 * Errors are those of starting it.
 */
int reader_names(struct reader *r, const char *const *names, size_t n, enum demangle_style style,
		 char ***ret);

/* Files that the process failed at, the latest first; returns how many of at most max. */
size_t reader_failures(struct reader *r, struct reader_failure *ret, size_t max);
/* Makes the process do what it must not. 0: it was killed for that; -EPERM: it was not. */
int reader_test_confinement(struct reader *r, struct error *error);
/* The process that reads symbols, for tests; 0 when none runs. */
pid_t reader_pid(struct reader *r);

#endif
