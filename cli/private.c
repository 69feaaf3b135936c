/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "private.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>

#include "spawn.h"

/* Detaching thousands of probes takes its time: a daemon in the middle of it is not disturbed. */
enum { PATIENCE_MS = 30000, TERM_PATIENCE_MS = 5000 };

/* Beside the command in a build tree, then where packages put it. */
static int find_sonded(char path[static PATH_MAX], struct error *e)
{
	static const char *const beside[] = {"../daemon/sonded", "../sbin/sonded",
					     "../libexec/sonde/sonded"};
	const char *env = getenv("SONDE_SONDED");
	char self[PATH_MAX];
	ssize_t n;

	if (env && *env) {
		snprintf(path, PATH_MAX, "%s", env);
		if (access(path, X_OK) == 0)
			return 0;
		error_set(e, ENOENT, "NoDaemon", "cannot run %s ($SONDE_SONDED): %m", env);
		error_fix(e, "unset SONDE_SONDED, or set it to the path of sonded");
		return -ENOENT;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[MAX(n, 0)] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(beside); i++)
		if (snprintf(path, PATH_MAX, "%s/%s", self, beside[i]) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return 0;
	snprintf(path, PATH_MAX, "/usr/sbin/sonded");
	if (access(path, X_OK) == 0)
		return 0;
	error_set(e, ENOENT, "NoDaemon", "no daemon is running and sonded is not installed");
	error_fix(e, "install sonded, or set SONDE_SONDED to its path");
	return -ENOENT;
}

/* The arguments, each of which is the caller's or static but for the array; NULL: out of memory. */
static const char **arguments(const char *path, enum private_kind kind,
			      const struct private_files *f, const char *const numbers[2])
{
	const char **argv = calloc(2 * f->n + 9, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	argv[n++] = path;
	if (kind != PRIVATE_REPLAY)
		argv[n++] = kind == PRIVATE_IMPORT ? "--import" : "--private";
	for (size_t i = 0; i < f->n; i++) {
		argv[n++] = "--replay";
		argv[n++] = f->files[i];
	}
	if (f->compared) {
		argv[n++] = "--compare";
		argv[n++] = f->compared;
	}
	for (int i = 0; i < 2; i++) {
		argv[n++] = "--connection";
		argv[n++] = numbers[i];
	}
	return argv;
}

/* Standard output carries the command's data only; Ctrl-C must not end the daemon first. */
static void run_sonded(const char *path, enum private_kind kind, const struct private_files *files,
		       const int fds[2])
{
	int null = open("/dev/null", O_RDONLY);
	char number[2][16];
	const char **argv;

	setpgid(0, 0);
	spawn_reset_signals();
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFD, 0);
		snprintf(number[i], sizeof(number[i]), "%d", fds[i]);
	}
	argv = arguments(path, kind, files, (const char *const[]){number[0], number[1]});
	if (argv)
		execv(path, (char *const *)argv);
	fprintf(stderr, "sonde: cannot run %s: %s\n", path, strerror(errno));
	_exit(127);
}

int private_start(enum private_kind kind, const struct private_files *files, int ret_fds[static 2],
		  pid_t *ret_pid, struct error *e)
{
	char path[PATH_MAX];
	int a[2], b[2], r;
	pid_t pid;

	r = find_sonded(path, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a) < 0)
		return error_set(e, errno, "Internal", "cannot make a socket: %m");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b) < 0) {
		r = error_set(e, errno, "Internal", "cannot make a socket: %m");
		safe_close(a[0]);
		safe_close(a[1]);
		return r;
	}
	pid = fork();
	if (pid == 0)
		run_sonded(path, kind, files, (int[2]){a[1], b[1]});
	r = pid < 0 ? -errno : 0;
	safe_close(a[1]);
	safe_close(b[1]);
	if (r < 0) {
		safe_close(a[0]);
		safe_close(b[0]);
		return error_set(e, -r, "Internal", "cannot start sonded: %s", strerror(-r));
	}
	ret_fds[0] = a[0];
	ret_fds[1] = b[0];
	*ret_pid = pid;
	return 0;
}

int private_end(pid_t pid)
{
	int status = 0, r = spawn_wait(pid, PATIENCE_MS, &status);

	if (r == 0) {
		kill(pid, SIGTERM);
		r = spawn_wait(pid, TERM_PATIENCE_MS, &status);
	}
	if (r == 0) {
		kill(pid, SIGKILL);
		r = spawn_wait(pid, -1, &status);
	}
	return r < 0 ? r : status;
}
