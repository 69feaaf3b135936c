/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sonde/base/format.h"
#include "sonde/base/table.h"
#include "symbol/debug_file.h"
#include "symbol/reader_process.h"
#include "symbol/symbol_image.h"

enum { IDENTIFY_PART = 5 };
#define LIMIT_NS (10 * NSEC_PER_SEC)

struct lane {
	pthread_mutex_t mutex; /* held while it is asked */
	struct reader_process process;
};

struct mark {
	uint64_t file; /* see file_key() */
	int result;
	struct reader_failure failure;
};

struct reader {
	char *program;
	uint64_t limit_ns;
	struct lane quick, slow;
	pthread_mutex_t marks_mutex;
	struct mark marks[READER_FAILURES_MAX]; /* a ring */
	size_t n_marks;				/* made so far */
};

static void unlockp(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

int reader_new(const char *program, struct reader **ret)
{
	struct reader *r _cleanup_(reader_freep) = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->quick.mutex, NULL);
	pthread_mutex_init(&r->slow.mutex, NULL);
	pthread_mutex_init(&r->marks_mutex, NULL);
	r->limit_ns = LIMIT_NS;
	r->program = strdup(program ? program : "/proc/self/exe");
	if (!r->program)
		return -ENOMEM;
	*ret = TAKE_PTR(r);
	return 0;
}

struct reader *reader_free(struct reader *r)
{
	if (!r)
		return NULL;
	reader_process_stop(&r->quick.process);
	reader_process_stop(&r->slow.process);
	pthread_mutex_destroy(&r->quick.mutex);
	pthread_mutex_destroy(&r->slow.mutex);
	pthread_mutex_destroy(&r->marks_mutex);
	free(r->program);
	free(r);
	return NULL;
}

void reader_set_limit(struct reader *r, uint64_t limit_ns)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->slow.mutex);
	pthread_mutex_t *both _cleanup_(unlockp) _unused_ = lock(&r->quick.mutex);

	r->limit_ns = limit_ns;
}

/* What stat says of a file, as it is now, and what it was read for. */
static uint64_t file_key(int fd, enum reader_kind kind)
{
	struct stat st;
	uint64_t key;

	if (fstat(fd, &st) < 0)
		return 0;
	key = hash_mix(hash_mix(kind, st.st_dev), st.st_ino);
	key = hash_mix(hash_mix(key, (uint64_t)st.st_size), (uint64_t)st.st_mtim.tv_sec);
	return hash_mix(key, (uint64_t)st.st_mtim.tv_nsec);
}

static int find_mark(struct reader *r, uint64_t file, struct error *error)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->marks_mutex);

	for (size_t i = 0; i < MIN(r->n_marks, READER_FAILURES_MAX); i++)
		if (r->marks[i].file == file && r->marks[i].result < 0)
			return error_set(error, -r->marks[i].result, "BadFile", "%s",
					 r->marks[i].failure.reason);
	return 0;
}

static void mark(struct reader *r, uint64_t file, const char *path, const char *reason, int result)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->marks_mutex);
	struct mark *m = &r->marks[r->n_marks++ % READER_FAILURES_MAX];
	size_t len = strlen(path), size = sizeof(m->failure.path);

	*m = (struct mark){.file = file, .result = result};
	m->failure.time_us = now_epoch_us();
	snprintf(m->failure.path, size, "%s", len < size ? path : path + len - size + 1);
	snprintf(m->failure.reason, sizeof(m->failure.reason), "%s", reason);
}

size_t reader_failures(struct reader *r, struct reader_failure *ret, size_t max)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->marks_mutex);
	size_t n = MIN(MIN(r->n_marks, READER_FAILURES_MAX), max);

	for (size_t i = 0; i < n; i++)
		ret[i] = r->marks[(r->n_marks - 1 - i) % READER_FAILURES_MAX].failure;
	return n;
}

struct question {
	enum reader_kind kind;
	int fd, debug_fd;
	const char *path;
	int answer_fd; /* made by ask(), the caller's to close */
	struct reader_answer answer;
};

static int refuse(struct reader *r, struct question *q, const char *reason, int result,
		  struct error *error)
{
	char text[READER_MESSAGE_MAX];

	/* "The reader was killed by this." becomes "… by this while reading PATH." */
	snprintf(text, sizeof(text), "%.*s while reading %s.", (int)strcspn(reason, "."), reason,
		 q->path);
	mark(r, file_key(q->fd, q->kind), q->path, text, result);
	return error_set(error, -result, "BadFile", "%s", text);
}

/* The answer must not change any more from here on. */
static int seal(struct reader *r, struct lane *lane, struct question *q, struct error *error)
{
	if (fcntl(q->answer_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return 0;
	reader_process_stop(&lane->process);
	return refuse(r, q, "The reader kept its answer writable and was killed.", -EUCLEAN, error);
}

static int refused_by_child(const struct reader_answer *a, struct error *error)
{
	bool unsupported = a->result == -ENODATA || a->result == -ENOTSUP;

	return error_set(error, -a->result, unsupported ? "NotSupported" : "BadFile", "%s",
			 a->message[0] ? a->message : strerror(-a->result));
}

static int ask_once(struct reader *r, struct lane *lane, struct question *q, struct error *error)
{
	uint64_t limit_ns = q->kind == READ_IDENTITY ? r->limit_ns / IDENTIFY_PART : r->limit_ns;
	int fds[READER_FDS];

	safe_close(q->answer_fd);
	q->answer_fd = memfd_create("sonde-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (q->answer_fd < 0)
		return -errno;
	fds[READER_FD_FILE] = q->fd;
	fds[READER_FD_ANSWER] = q->answer_fd;
	fds[READER_FD_DEBUG] = q->debug_fd;
	return reader_process_ask(&lane->process, r->program, q->kind, fds,
				  q->debug_fd >= 0 ? READER_FDS : READER_FD_DEBUG, limit_ns, error,
				  &q->answer);
}

/*
 * Asks the process of a lane, which the caller holds; a second time when it was killed from
 * outside, which is no fault of the file unless it happens each time.
 */
static int ask(struct reader *r, struct lane *lane, struct question *q, struct error *error)
{
	struct error why = {};
	int x;

	x = find_mark(r, file_key(q->fd, q->kind), error);
	if (x < 0)
		return x;
	x = ask_once(r, lane, q, &why);
	if (x == -EOWNERDEAD) {
		why = (struct error){};
		x = ask_once(r, lane, q, &why);
	}
	/* That it cannot be started is no fault of the file. */
	if (x == -EPIPE || x == -ETIMEDOUT || x == -EPROTO || x == -EOWNERDEAD)
		return refuse(r, q, why.message, x == -EOWNERDEAD ? -EPIPE : x, error);
	if (x < 0)
		return error_set(error, -x, "Internal", "%s",
				 why.message[0] ? why.message : strerror(-x));
	if (q->answer.result < 0)
		return refused_by_child(&q->answer, error);
	return q->kind == READ_IDENTITY ? 0 : seal(r, lane, q, error);
}

static void question_donep(struct question *q)
{
	safe_close(q->debug_fd);
	safe_close(q->answer_fd);
}

/* An answer that is not valid comes from a process that is not to be trusted any more. */
static int check(struct reader *r, struct lane *lane, struct question *q, int result,
		 const struct error *why, struct error *error)
{
	if (result == -EBADMSG) {
		reader_process_stop(&lane->process);
		return refuse(r, q, "The reader answered nonsense and was killed.", result, error);
	}
	return error_set(error, -result, "Internal", "The table cannot be mapped: %s.",
			 why->message[0] ? why->message : strerror(-result));
}

int reader_identify(struct reader *r, int fd, const char *path, struct error *error,
		    struct reader_identity *ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->quick.mutex);
	struct question q _cleanup_(question_donep) = {READ_IDENTITY, fd, -EBADF, path, -EBADF};
	int x = ask(r, &r->quick, &q, error);

	if (x >= 0)
		*ret = q.answer.identity;
	return x;
}

void reader_identity_of(const struct elf_image *image, struct reader_identity *ret)
{
	*ret = (struct reader_identity){
		.build_id_len = elf_image_build_id_len(image),
		.flags = (elf_image_is_stripped(image) ? READER_FILE_STRIPPED : 0) |
			 (elf_image_is_x86_64(image) ? READER_FILE_X86_64 : 0) |
			 (elf_image_has_eh_frame(image) ? READER_FILE_EH_FRAME : 0),
	};
	memcpy(ret->build_id, elf_image_build_id(image), BUILD_ID_SIZE);
}

static int open_debug_file(const struct reader_identity *id, const char *debug_dir)
{
	char path[PATH_MAX];
	int fd;

	if (!(id->flags & READER_FILE_STRIPPED) ||
	    debug_file_path(id->build_id, id->build_id_len, debug_dir, path, sizeof(path)) < 0 ||
	    elf_open_file(path, NULL, &fd) < 0)
		return -EBADF;
	return fd;
}

int reader_symbols(struct reader *r, int fd, const char *path, const char *debug_dir,
		   struct error *error, struct reader_identity *ret_identity, struct symtab **ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->slow.mutex);
	struct question id _cleanup_(question_donep) = {READ_IDENTITY, fd, -EBADF, path, -EBADF};
	struct question q _cleanup_(question_donep) = {READ_SYMBOLS, fd, -EBADF, path, -EBADF};
	struct error why = {};
	int x;

	x = ask(r, &r->slow, &id, error);
	if (x < 0)
		return x;
	q.debug_fd = open_debug_file(&id.answer.identity, debug_dir);
	x = ask(r, &r->slow, &q, error);
	if (x < 0)
		return x;
	x = symbol_image_open(q.answer_fd, &why, ret);
	if (x < 0)
		return check(r, &r->slow, &q, x, &why, error);
	*ret_identity = q.answer.identity;
	return 0;
}

int reader_unwind(struct reader *r, int fd, const char *path, struct error *error,
		  struct reader_identity *ret_identity, struct unwind_image **ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->slow.mutex);
	struct question q _cleanup_(question_donep) = {READ_UNWIND, fd, -EBADF, path, -EBADF};
	struct error why = {};
	int x;

	x = ask(r, &r->slow, &q, error);
	if (x < 0)
		return x;
	x = unwind_image_open(q.answer_fd, &why, ret);
	if (x < 0)
		return check(r, &r->slow, &q, x, &why, error);
	*ret_identity = q.answer.identity;
	return 0;
}

int reader_test_confinement(struct reader *r, struct error *error)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->quick.mutex);
	struct reader_answer answer;
	struct error why = {};
	int x;

	x = reader_process_ask(&r->quick.process, r->program, READ_FORBIDDEN, NULL, 0, r->limit_ns,
			       &why, &answer);
	if (x == -EPIPE && strstr(why.message, "bad system call"))
		return 0;
	return error_set(error, EPERM, "Internal", "The reader is not confined: %s",
			 x < 0		      ? why.message
			 : answer.result >= 0 ? "it opened a file"
					      : strerror(-answer.result));
}

pid_t reader_pid(struct reader *r)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(&r->slow.mutex);

	return r->slow.process.pid;
}
