/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sonde/base/format.h"

void spawn_reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int spawn_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int spawn_wait(pid_t pid, int timeout_ms, int *ret_status)
{
	uint64_t deadline = now_monotonic_ns() + (uint64_t)MAX(timeout_ms, 0) * NSEC_PER_MSEC;
	_cleanup_(closep) int fd = spawn_pidfd(pid);

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t now = now_monotonic_ns();
		pid_t ended = waitpid(pid, ret_status, timeout_ms < 0 ? 0 : WNOHANG);

		if (ended == pid)
			return 1;
		if (ended < 0 && errno != EINTR)
			return -errno;
		if (ended < 0)
			continue;
		if (now >= deadline)
			return 0;
		/* Without a pidfd (refused by a sandbox) this is a sleep of at most 10 ms. */
		poll(&p, 1, fd < 0 ? 10 : (int)((deadline - now) / NSEC_PER_MSEC) + 1);
	}
}

int spawn_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
