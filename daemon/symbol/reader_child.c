/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_child.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "symbol/debug_file.h"
#include "symbol/lines.h"
#include "symbol/name_image.h"
#include "symbol/reader.h"
#include "symbol/reader_confine.h"
#include "symbol/reader_serve.h"
#include "symbol/symbol_image.h"
#include "symbol/unwind_image.h"

bool reader_child_is_meant(int argc, char **argv)
{
	return argc == 2 && streq(argv[1], READER_OPTION);
}

static void close_all(int (*fds)[READER_FDS])
{
	for (size_t i = 0; i < READER_FDS; i++)
		(*fds)[i] = safe_close((*fds)[i]);
}

/* 1, or 0 at the end of the connection; -errno. */
static int receive(struct reader_request *ret, int (*ret_fds)[READER_FDS])
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(*ret_fds))];
	} control;
	struct iovec data = {ret, sizeof(*ret)};
	struct msghdr m = {.msg_iov = &data,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;
	size_t n_fds = 0;

	do
		n = recvmsg(READER_SOCKET, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n_fds = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), READER_FDS);
		memcpy(*ret_fds, CMSG_DATA(c), n_fds * sizeof(int));
	}
	return n == sizeof(*ret) && n_fds == ret->n_fds ? 1 : -EBADMSG;
}

static int answer(const struct reader_answer *a)
{
	struct iovec data = {(void *)a, sizeof(*a)};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
	ssize_t n;

	do
		n = sendmsg(READER_SOCKET, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int write_unwind(struct elf_image *image, int fd, struct error *error)
{
	struct unwind_table *table _cleanup_(unwind_table_freep) = NULL;
	int r = unwind_table_new(image, error, &table);

	return r < 0 ? r : unwind_image_write(table, image, fd);
}

static int write_symbols(struct elf_image *image, int debug_fd, int fd, struct error *error)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int r;

	if (debug_fd >= 0)
		(void)debug_file_use(image, debug_fd, NULL, &debug);
	r = symtab_load_with(image, debug, error, &st);
	return r < 0 ? r : symbol_image_write(st, image, fd);
}

static int write_lines(struct elf_image *image, const int fds[static READER_FDS],
		       struct error *error)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	struct dwarf_file *dwarf _cleanup_(dwarf_file_freep) = NULL;
	void *offsets _cleanup_(freep) = NULL;
	size_t size = 0;
	int r;

	r = reader_take_question(fds[READER_FD_ANSWER], LINE_ADDRESSES_MAX * sizeof(uint64_t),
				 &offsets, &size);
	if (r >= 0 && fds[READER_FD_DEBUG] >= 0)
		r = debug_file_use(image, fds[READER_FD_DEBUG], error, &debug);
	if (r < 0)
		return r;
	r = dwarf_file_open_confined(debug ? debug : image, fds[READER_FD_SUPPLEMENT], error,
				     &dwarf);
	return r < 0 ? r
		     : lines_write(image, dwarf, offsets, size / sizeof(uint64_t),
				   fds[READER_FD_ANSWER], error);
}

/* What is written to the answer's file ends where it is. */
static int end_of_answer(int fd, struct reader_answer *a)
{
	off_t end = lseek(fd, 0, SEEK_CUR);

	if (end < 0)
		return -errno;
	a->bytes = (uint64_t)end;
	return 0;
}

static void identify(struct elf_image *image, int debug_fd, struct reader_answer *a)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	uint32_t checksum;

	debug_file_supplement(image, a->identity.supplement);
	if (debug_file_link(image, a->link, sizeof(a->link), &checksum) < 0)
		a->link[0] = '\0';
	if (debug_fd >= 0 && debug_file_use(image, debug_fd, NULL, &debug) >= 0)
		a->identity.flags |= READER_FILE_HAS_DEBUG;
}

/* What is no ELF file. */
static int serve_other(const struct reader_request *q, const int fds[static READER_FDS],
		       struct reader_answer *a)
{
	int r = -EINVAL;

	switch (q->kind) {
	case READ_FORBIDDEN:
		return (int)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 ? -errno : 0;
	case READ_PERF_MAP:
	case READ_JITDUMP:
		r = jit_parse_answer(q->kind == READ_PERF_MAP ? JIT_PERF_MAP : JIT_DUMP,
				     fds[READER_FD_FILE], fds[READER_FD_ANSWER]);
		break;
	case READ_NAMES:
		r = name_question_answer(fds[READER_FD_ANSWER]);
		break;
	}
	return r < 0 ? r : end_of_answer(fds[READER_FD_ANSWER], a);
}

static int serve(const struct reader_request *q, const int fds[static READER_FDS],
		 struct error *error, struct reader_answer *a)
{
	static struct kept_types kept;
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	int r;

	if (q->kind == READ_TYPES) {
		r = reader_serve_types(&kept, fds, error);
		return r < 0 ? r : end_of_answer(fds[READER_FD_ANSWER], a);
	}
	/* What comes next needs the memory, or nothing comes. */
	kept_types_forget(&kept);
	if (q->kind == READ_FORGET)
		return malloc_trim(0) < 0 ? -EINVAL : 0;
	if (q->kind == READ_FORBIDDEN || q->kind >= READ_PERF_MAP)
		return serve_other(q, fds, a);
	r = elf_image_open(fds[READER_FD_FILE], error, &image);
	if (r < 0)
		return r;
	reader_identity_of(image, &a->identity);
	switch (q->kind) {
	case READ_IDENTITY:
		identify(image, fds[READER_FD_DEBUG], a);
		return 0;
	case READ_FILE:
	case READ_LANDINGS:
	case READ_NOTES:
		r = reader_serve_file(q->kind, image, fds[READER_FD_ANSWER], error);
		break;
	case READ_SYMBOLS:
		r = write_symbols(image, fds[READER_FD_DEBUG], fds[READER_FD_ANSWER], error);
		break;
	case READ_UNWIND:
		r = write_unwind(image, fds[READER_FD_ANSWER], error);
		break;
	case READ_LINES:
		r = write_lines(image, fds, error);
		break;
	default:
		return -EINVAL;
	}
	return r < 0 ? r : end_of_answer(fds[READER_FD_ANSWER], a);
}

static void say(struct reader_answer *a, const struct error *error)
{
	const char *text = error->message[0] ? error->message : strerror(-a->result);

	memcpy(a->message, text, strnlen(text, sizeof(a->message) - 1));
}

static int serve_next(void)
{
	int fds[READER_FDS] _cleanup_(close_all) = {-EBADF, -EBADF, -EBADF, -EBADF};
	struct reader_request q = {};
	struct error error = {};
	struct reader_answer a = {};
	int r;

	r = receive(&q, &fds);
	if (r <= 0)
		return r;
	alarm(q.limit_s);
	a.kind = q.kind;
	a.seq = q.seq;
	a.result = serve(&q, fds, &error, &a);
	if (a.result < 0)
		say(&a, &error);
	alarm(0);
	r = answer(&a);
	return r < 0 ? r : 1;
}

int reader_child_run(void)
{
	struct reader_answer a = {.kind = READ_GREETING};
	struct error error = {};
	int r;

	a.result = reader_confine(&error);
	if (a.result < 0)
		say(&a, &error);
	r = answer(&a);
	if (r < 0 || a.result < 0)
		return EXIT_FAILED;
	while ((r = serve_next()) > 0)
		;
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}
