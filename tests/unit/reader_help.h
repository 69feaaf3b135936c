/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This test program as the reader process: the real one when it is started as itself, one that does
 * what the file it is given says when it is started by a link named "hostile".
 */
#ifndef SONDE_TEST_READER_HELP_H
#define SONDE_TEST_READER_HELP_H

#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "symbol/file_image.h"
#include "symbol/name_image.h"
#include "symbol/reader.h"
#include "symbol/reader_child.h"
#include "symbol_help.h"

/* The first descriptors that came with a request; 0 at the end of the connection. */
static inline int hostile_receive(struct reader_request *q, int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))] = "";
	struct iovec data = {q, sizeof(*q)};
	struct msghdr m = {.msg_iov = &data,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};

	if (recvmsg(READER_SOCKET, &m, 0) <= 0)
		return 0;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), 2 * sizeof(int));
	return 1;
}

/* Its process id, in a file beside the link that it was started by. */
static inline void say_that_it_hangs(void)
{
	char path[256], done[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s.new", (const char *)getauxval(AT_EXECFN));
	snprintf(done, sizeof(done), "%s.hangs", (const char *)getauxval(AT_EXECFN));
	f = fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%d", getpid());
	fclose(f);
	(void)rename(path, done);
}

/* Names that say so kill it; the others are demangled. fd has the question. */
static inline int hostile_names(int fd)
{
	static const char *const deadly[] = {"segv", "hang"};
	off_t size = lseek(fd, 0, SEEK_END);
	char *names = calloc(1, (size_t)size + 1);
	const size_t begin = sizeof(struct name_question);

	(void)!pread(fd, names, (size_t)size, 0);
	for (size_t at = begin; at < (size_t)size; at += strlen(names + at) + 1) {
		(void)!write(fd, "", 1);
		if (strstr(names + at, deadly[0])) {
			signal(SIGSEGV, SIG_DFL);
			raise(SIGSEGV);
		} else if (strstr(names + at, deadly[1])) {
			raise(SIGSTOP);
		}
	}
	free(names);
	return ftruncate(fd, size) < 0 ? -errno : name_question_answer(fd);
}

/* Says of any file that it is one with debug information, and nothing else. */
static inline void say_nothing_of_file(int fd, struct reader_answer *a)
{
	const struct file_image_header h = {.magic = FILE_IMAGE_MAGIC,
					    .version = FILE_IMAGE_VERSION};

	(void)!write(fd, &h, sizeof(h));
	a->identity.flags = READER_FILE_DWARF;
}

static inline void hostile_reader(void)
{
	static const char junk[128] = "no table at all, but as long as one must be at least";
	struct reader_answer a = {};
	struct reader_request q;
	char what[16] = "";
	int fds[3];

	(void)!write(READER_SOCKET, &a, sizeof(a));
	while (hostile_receive(&q, fds)) {
		a = (struct reader_answer){.kind = q.kind, .seq = q.seq};
		(void)!pread(fds[0], what, sizeof(what) - 1, 0);
		/* What is behind the @ is about what is asked of the file when that is known. */
		if (what[0] == '@' && q.kind != READ_FILE)
			memmove(what, what + 1, sizeof(what) - 1);
		if (q.kind == READ_NAMES) {
			a.result = hostile_names(fds[1]);
		} else if (what[0] == '@') {
			say_nothing_of_file(fds[1], &a);
		} else if (q.kind == READ_IDENTITY || startswith(what, "empty")) {
			/* Nothing more: an answer without content. */
			a.identity.flags = READER_FILE_DWARF;
		} else if (startswith(what, "segv")) {
			signal(SIGSEGV, SIG_DFL); /* the sanitizer's handler exits */
			raise(SIGSEGV);
		} else if (startswith(what, "kill")) {
			raise(SIGKILL);
		} else if (startswith(what, "exit")) {
			_exit(7);
		} else if (startswith(what, "hang")) {
			say_that_it_hangs();
			raise(SIGSTOP);
		} else if (startswith(what, "seq")) {
			a.seq++;
		} else if (startswith(what, "kind")) {
			a.kind = READ_GREETING;
		} else if (startswith(what, "result")) {
			a.result = 1;
		} else if (startswith(what, "bytes")) {
			a.bytes = UINT64_MAX;
		} else if (startswith(what, "junk")) {
			(void)!write(fds[1], junk, sizeof(junk));
		} else if (startswith(what, "keep")) {
			(void)!ftruncate(fds[1], 4096);
			(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
		} else if (startswith(what, "say")) {
			a.result = -ENOEXEC;
			memset(a.message, 7, sizeof(a.message));
		}
		(void)!write(READER_SOCKET, &a,
			     startswith(what, "short") && q.kind != READ_IDENTITY ? 5 : sizeof(a));
	}
}

__attribute__((constructor)) static void become_reader(int argc, char **argv)
{
	const char *name = (const char *)getauxval(AT_EXECFN);

	if (!reader_child_is_meant(argc, argv))
		return;
	if (!name || !strstr(name, "hostile"))
		_exit(reader_child_run());
	hostile_reader();
	_exit(0);
}

static inline int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%s", path);
	return fd;
}

static inline struct reader *new_reader(void)
{
	struct reader *r = NULL;

	cr_assert_eq(reader_new(NULL, &r), 0);
	return r;
}

/* A reader whose process does what the file says. */
static inline struct reader *new_hostile(void)
{
	struct reader *r = NULL;
	char self[256] = "", *link = path_of("hostile");

	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	cr_assert_eq(symlink(self, link), 0);
	cr_assert_eq(reader_new(link, &r), 0);
	return r;
}

#endif
