/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_private.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "symbol/dwarf_file.h"
#include "symbol/symbol_image.h"

enum { IDENTIFY_PART = 5 };
#define LIMIT_NS (10 * NSEC_PER_SEC)

pthread_mutex_t *reader_lock(pthread_mutex_t *mutex)
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
	pthread_mutex_init(&r->lines.mutex, NULL);
	pthread_mutex_init(&r->probes.mutex, NULL);
	reader_marks_init(&r->marks);
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
	reader_process_stop(&r->lines.process);
	reader_process_stop(&r->probes.process);
	pthread_mutex_destroy(&r->quick.mutex);
	pthread_mutex_destroy(&r->slow.mutex);
	pthread_mutex_destroy(&r->lines.mutex);
	pthread_mutex_destroy(&r->probes.mutex);
	reader_marks_release(&r->marks);
	free(r->program);
	free(r);
	return NULL;
}

void reader_set_limit(struct reader *r, uint64_t limit_ns)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->slow.mutex);
	pthread_mutex_t *both _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->quick.mutex);
	pthread_mutex_t *all _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->lines.mutex);
	pthread_mutex_t *four _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->probes.mutex);

	r->limit_ns = limit_ns;
}

struct question reader_question(enum reader_kind kind, int fd, const char *path)
{
	return (struct question){
		.kind = kind,
		.fd = fd,
		.path = path,
		.debug_fd = -EBADF,
		.answer_fd = -EBADF,
		.supplement_fd = -EBADF,
	};
}

static int refuse(struct reader *r, struct question *q, const char *reason, int result,
		  struct error *error)
{
	char text[READER_MESSAGE_MAX];

	/* "The reader was killed by this." becomes "… by this while reading PATH." */
	snprintf(text, sizeof(text), "%.*s while reading %s.", (int)strcspn(reason, "."), reason,
		 q->path);
	reader_marks_add(&r->marks, q->fd, q->kind, q->path, text, result);
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
	int fds[READER_FDS], x;

	safe_close(q->answer_fd);
	q->answer_fd = memfd_create("sonde-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (q->answer_fd < 0)
		return -errno;
	x = write_fully(q->answer_fd, q->data, q->size);
	if (x < 0)
		return x;
	fds[READER_FD_FILE] = q->fd;
	fds[READER_FD_ANSWER] = q->answer_fd;
	fds[READER_FD_DEBUG] = q->debug_fd;
	fds[READER_FD_SUPPLEMENT] = q->supplement_fd;
	return reader_process_ask(&lane->process, r->program, q->kind, fds,
				  q->debug_fd < 0	 ? READER_FD_DEBUG
				  : q->supplement_fd < 0 ? READER_FD_SUPPLEMENT
							 : READER_FDS,
				  limit_ns, error, &q->answer);
}

/* A second time when it was killed from outside: no fault of the file unless it is each time. */
int reader_ask(struct reader *r, struct lane *lane, struct question *q, struct error *error)
{
	struct error why = {};
	int x;

	x = reader_marks_find(&r->marks, q->fd, q->kind, error);
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

void reader_question_donep(struct question *q)
{
	safe_close(q->debug_fd);
	safe_close(q->supplement_fd);
	safe_close(q->answer_fd);
}

int reader_check(struct reader *r, struct lane *lane, struct question *q, int result,
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
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->quick.mutex);
	struct question q _cleanup_(reader_question_donep) =
		reader_question(READ_IDENTITY, fd, path);
	int x = reader_ask(r, &r->quick, &q, error);

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
			 (elf_image_has_eh_frame(image) ? READER_FILE_EH_FRAME : 0) |
			 (dwarf_file_is_in(image) ? READER_FILE_DWARF : 0),
	};
	memcpy(ret->build_id, elf_image_build_id(image), BUILD_ID_SIZE);
}

int reader_symbols_in(struct reader *r, struct lane *lane, int fd, const char *path,
		      const char *debug_dir, struct error *error,
		      struct reader_identity *ret_identity, struct symtab **ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&lane->mutex);
	struct question id _cleanup_(reader_question_donep) =
		reader_question(READ_IDENTITY, fd, path);
	struct question q _cleanup_(reader_question_donep) =
		reader_question(READ_SYMBOLS, fd, path);
	struct error why = {};
	int x;

	x = reader_ask(r, lane, &id, error);
	if (x < 0)
		return x;
	if (id.answer.identity.flags & READER_FILE_STRIPPED)
		q.debug_fd = reader_open_debug(r, lane, &id, debug_dir);
	x = reader_ask(r, lane, &q, error);
	if (x < 0)
		return x;
	x = symbol_image_open(q.answer_fd, &why, ret);
	if (x < 0)
		return reader_check(r, lane, &q, x, &why, error);
	*ret_identity = q.answer.identity;
	return 0;
}

int reader_symbols(struct reader *r, int fd, const char *path, const char *debug_dir,
		   struct error *error, struct reader_identity *ret_identity, struct symtab **ret)
{
	return reader_symbols_in(r, &r->slow, fd, path, debug_dir, error, ret_identity, ret);
}

int reader_unwind(struct reader *r, int fd, const char *path, struct error *error,
		  struct reader_identity *ret_identity, struct unwind_image **ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->slow.mutex);
	struct question q _cleanup_(reader_question_donep) = reader_question(READ_UNWIND, fd, path);
	struct error why = {};
	int x;

	x = reader_ask(r, &r->slow, &q, error);
	if (x < 0)
		return x;
	x = unwind_image_open(q.answer_fd, &why, ret);
	if (x < 0)
		return reader_check(r, &r->slow, &q, x, &why, error);
	*ret_identity = q.answer.identity;
	return 0;
}

/* The file that has the debug information, and what goes with it. Both in the same process. */
static int find_dwarf(struct reader *r, struct question *q, const char *debug_dir,
		      struct error *error)
{
	static const uint8_t none[BUILD_ID_SIZE];
	struct question id _cleanup_(reader_question_donep) =
		reader_question(READ_IDENTITY, q->fd, q->path);
	struct reader_identity *found = &id.answer.identity;
	int x = reader_ask(r, &r->lines, &id, error);

	if (x >= 0 && !(found->flags & READER_FILE_DWARF)) {
		q->debug_fd = reader_open_debug(r, &r->lines, &id, debug_dir);
		if (q->debug_fd < 0)
			return error_set(error, ENODATA, "NotSupported",
					 "It has no debug information.");
		id.fd = q->debug_fd;
		x = reader_ask(r, &r->lines, &id, error);
	}
	if (x < 0)
		return x;
	if (memcmp(found->supplement, none, sizeof(none)) != 0)
		q->supplement_fd = reader_open_by_id(found->supplement, sizeof(none), debug_dir);
	if (q->supplement_fd >= 0 && q->debug_fd < 0)
		q->debug_fd = fcntl(q->fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

int reader_lines(struct reader *r, int fd, const char *path, const char *debug_dir,
		 const uint64_t *offsets, size_t n, struct error *error,
		 struct reader_identity *ret_identity, struct line_image **ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->lines.mutex);
	struct question q _cleanup_(reader_question_donep) = reader_question(READ_LINES, fd, path);
	struct line_image *image _cleanup_(line_image_freep) = NULL;
	struct error why = {};
	int x;

	q.data = offsets;
	q.size = n * sizeof(*offsets);
	x = n > LINE_ADDRESSES_MAX ? -EINVAL : find_dwarf(r, &q, debug_dir, error);
	if (x >= 0)
		x = reader_ask(r, &r->lines, &q, error);
	if (x < 0)
		return x;
	x = line_image_open(q.answer_fd, &why, &image);
	if (x >= 0 && image->n_addresses != n)
		x = -EBADMSG;
	if (x < 0)
		return reader_check(r, &r->lines, &q, x, &why, error);
	*ret_identity = q.answer.identity;
	*ret = TAKE_PTR(image);
	return 0;
}

size_t reader_failures(struct reader *r, struct reader_failure *ret, size_t max)
{
	return reader_marks_list(&r->marks, ret, max);
}

int reader_test_confinement(struct reader *r, struct error *error)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->quick.mutex);
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
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->slow.mutex);

	return r->slow.process.pid;
}
