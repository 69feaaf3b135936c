/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pager.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sonde/base/util.h"

/* Whether there is a program of that name to be found. */
static bool is_installed(const char *name)
{
	const char *at = getenv("PATH");
	size_t len;

	for (; at && *at; at += len + (at[len] == ':')) {
		_cleanup_(freep) char *path = NULL;

		len = strcspn(at, ":");
		if (asprintf(&path, "%.*s/%s", (int)len, at, name) < 0) {
			path = NULL;
			return false;
		}
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static const char *pager_command(void)
{
	const char *command = getenv("SONDE_PAGER");

	if (!command)
		command = getenv("PAGER");
	if (!command)
		return is_installed("less") ? "less -FRSX" : NULL;
	return *command && !streq(command, "cat") ? command : NULL;
}

static void run_pager(const char *command, int in)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, STDIN_FILENO);
	/* A pager that is less by another name must still show colours and go away by itself. */
	setenv("LESS", "FRSX", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

bool pager_is_wanted(void)
{
	return pager_command();
}

int pager_start(int *ret_fd, pid_t *ret_pid)
{
	const char *command = pager_command();
	int fds[2];
	pid_t pid;

	if (!command)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		safe_close(fds[0]);
		safe_close(fds[1]);
		return r;
	}
	if (pid == 0)
		run_pager(command, fds[0]);
	safe_close(fds[0]);
	*ret_fd = fds[1];
	*ret_pid = pid;
	return 1;
}

void pager_wait(pid_t pid)
{
	/* Ctrl-C is for the pager (it stops a search) and must not take it away from the terminal.
	 */
	void (*saved)(int) = signal(SIGINT, SIG_IGN);

	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	signal(SIGINT, saved);
}
