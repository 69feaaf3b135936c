/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon that answers from files: for a method M the messages of tests/golden/cli/reply/M.json,
 * one a line (M-cpu.json when the call asks for CPU samples, M-oldest.json for the oldest
 * spans, M-follow.json for spans that are followed).
 * It keeps what it was asked in a file. Trace sends its last message after Stop, spans
 * that are followed never, those of sessions called ends-itself at once. Run as a server on
 * a socket, or, when the test program itself is executed as `sonded --private --connection FD`, on
 * those descriptors.
 */
#ifndef SONDE_TEST_CLI_FAKE_H
#define SONDE_TEST_CLI_FAKE_H

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"

#ifndef SONDE_SOURCE_ROOT
#define SONDE_SOURCE_ROOT "/work/main"
#endif

static const char *fake_root(void)
{
	const char *env = getenv("SONDE_SOURCE_ROOT");

	return env ? env : SONDE_SOURCE_ROOT;
}

static void fake_send(int fd, const char *line, size_t len)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	static const char mark[] = "\"@STARTED@\"";
	const char *at = memmem(line, len, mark, sizeof(mark) - 1);

	strbuf_append(&out, line, at ? (size_t)(at - line) : len);
	if (at) {
		/* 3 days, 4 hours and a half: far from where rounding changes what is shown. */
		uint64_t started = getenv("FAKE_FIXED_TIME") ? 1763728387000000ULL
							     : now_epoch_us() - 275400000000ULL;

		strbuf_printf(&out, "%llu", (unsigned long long)started);
		strbuf_append(&out, at + sizeof(mark) - 1,
			      (size_t)(line + len - at) - sizeof(mark) + 1);
	}
	strbuf_putc(&out, '\0');
	for (size_t done = 0; done < out.len;) {
		ssize_t n = send(fd, out.data + done, out.len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		done += n;
	}
}

static void fake_answer(int fd, const char *request, const char *file, int stop_pipe)
{
	_cleanup_(freep) char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	bool trace = streq(file, "Trace"), follow = streq(file, "Spans-follow");
	char byte;

	snprintf(path, sizeof(path), "%s/tests/golden/cli/reply/%s.json", fake_root(), file);
	if (read_file(path, 1 << 20, &text, &size) < 0)
		return;
	for (char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		bool last = !line[len] || !line[len + 1];

		if ((trace || follow) && last && !strstr(request, "ends-itself"))
			if ((trace ? read(stop_pipe, &byte, 1) : recv(fd, &byte, 1, MSG_PEEK)) != 1)
				return;
		fake_send(fd, line, len);
		line += len + (line[len] == '\n');
	}
}

static void fake_call(int fd, const char *request, int log, const int stop_pipe[2])
{
	static const char key[] = "\"io.sonde.";
	const char *method = strstr(request, key);
	char file[64];
	int len;

	dprintf(log, "%s\n", request);
	if (!method)
		return;
	method += sizeof(key) - 1;
	len = (int)strcspn(method, "\"");
	snprintf(file, sizeof(file), "%.*s%s", len, method,
		 strstr(request, "\"kind\":\"cpu\"") ? "-cpu" : "");
	if (strstr(request, "\"sort\":\"oldest\""))
		snprintf(file, sizeof(file), "Spans-oldest");
	if (strstr(request, "\"follow\":true"))
		snprintf(file, sizeof(file), "Spans-follow");
	if (streq(file, "Doctor") && getenv("FAKE_MISSING"))
		snprintf(file, sizeof(file), "Doctor-missing");
	if (strstr(request, "\"missing\""))
		snprintf(file, sizeof(file), "Error");
	if (strstr(request, "\"bad-condition\""))
		snprintf(file, sizeof(file), "Error-condition");
	if (streq(file, "Stop") && write(stop_pipe[1], "", 1) != 1)
		return;
	if (!strstr(request, "\"oneway\":true"))
		fake_answer(fd, request, file, stop_pipe[0]);
}

static void fake_serve(int fd, int log, const int stop_pipe[2])
{
	char request[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
		char *end;

		len += n;
		request[len] = '\0';
		while ((end = memchr(request, '\0', len))) {
			size_t used = (size_t)(end - request) + 1;

			fake_call(fd, request, log, stop_pipe);
			memmove(request, request + used, len - used);
			len -= used;
		}
	}
}

/* Serves each descriptor in a process of its own, as the daemon serves them side by side. */
static void fake_serve_fds(const int *fds, size_t n)
{
	const char *path = getenv("FAKE_LOG");
	int log = open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0600);
	int stop_pipe[2];

	if (pipe(stop_pipe) < 0)
		_exit(1);
	for (size_t i = 0; i < n; i++)
		if (fork() == 0) {
			for (size_t j = 0; j < n; j++)
				if (j != i)
					close(fds[j]);
			fake_serve(fds[i], log, stop_pipe);
			_exit(0);
		}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	for (size_t i = 0; i < n; i++)
		wait(NULL);
	_exit(0);
}

/* A server on a socket; the pid to kill. */
static pid_t fake_listen(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *log_path = getenv("FAKE_LOG");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), stop_pipe[2], log;
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		return -1;
	pid = fork();
	if (pid) {
		close(fd);
		return pid;
	}
	signal(SIGCHLD, SIG_IGN);
	log = open(log_path ? log_path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (pipe(stop_pipe) < 0)
		_exit(1);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (fork() == 0) {
			fake_serve(peer, log, stop_pipe);
			_exit(0);
		}
		close(peer);
	}
}

/* When executed as sonded: before Criterion's main() sees the arguments. */
__attribute__((constructor)) static void fake_sonded(int argc, char **argv)
{
	int fds[4];
	size_t n = 0;

	if (argc < 2 || (!streq(argv[1], "--private") && !streq(argv[1], "--replay")))
		return;
	if (getenv("FAKE_EXIT"))
		_exit(atoi(getenv("FAKE_EXIT")));
	for (int i = 2; i + 1 < argc && n < 4; i++)
		if (streq(argv[i], "--connection"))
			fds[n++] = atoi(argv[i + 1]);
	fake_serve_fds(fds, n);
}

#endif
