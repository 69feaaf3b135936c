/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "sonde/base/format.h"
#include "spawn.h"

enum { FIXED = 2 }; /* the caller's descriptor and the signals come first in the poll set */

struct watch {
	sigset_t saved;
	struct pollfd *fds; /* FIXED, then a pidfd each */
	size_t n_fds, running;
	uint64_t deadline_ns; /* 0: none */
	bool said;	      /* OVER was said */
};

static int watch_process(struct watch *w, pid_t pid)
{
	int fd = spawn_pidfd(pid);

	/* Gone already: there is nothing to wait for. A thread's ID cannot be watched this way. */
	if (fd == -ESRCH)
		return 0;
	if (fd < 0)
		return fd;
	w->fds[w->n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
	w->running++;
	return 0;
}

int watch_new(const struct options *o, bool processes, const struct command *command,
	      struct watch **ret, struct error *e)
{
	_cleanup_(watch_freep) struct watch *w = calloc(1, sizeof(*w));
	size_t wanted = command ? 1 : processes ? o->n_pids : 0;
	sigset_t mask;
	bool unknown = false;

	if (!w)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	sigprocmask(SIG_BLOCK, NULL, &w->saved);
	w->fds = calloc(FIXED + wanted, sizeof(*w->fds));
	if (!w->fds)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	w->n_fds = FIXED;
	w->fds[0].fd = w->fds[1].fd = -EBADF;
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	/* A shell ignores SIGINT for what it runs in the background: kill -INT must end it still.
	 */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	w->fds[1] = (struct pollfd){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK),
				    .events = POLLIN};
	if (w->fds[1].fd < 0)
		return error_set(e, errno, "Internal", "cannot take signals: %m");
	for (size_t i = 0; i < wanted; i++)
		if (watch_process(w, command ? command_pid(command) : (pid_t)o->pids[i]) < 0)
			unknown = true;
	/* What cannot be watched may run for ever. */
	if (!wanted || unknown)
		w->running = SIZE_MAX;
	if (o->duration.set)
		w->deadline_ns = now_monotonic_ns() + o->duration.value;
	*ret = TAKE_PTR(w);
	return 0;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	for (size_t i = 1; i < w->n_fds; i++)
		safe_close(w->fds[i].fd);
	free(w->fds);
	sigprocmask(SIG_SETMASK, &w->saved, NULL);
	free(w);
	return NULL;
}

static int poll_time(const struct watch *w, int timeout_ms)
{
	uint64_t now = now_monotonic_ns(), left;

	if (!w->running && !w->said)
		return 0;
	if (!w->deadline_ns || w->said)
		return timeout_ms;
	left = w->deadline_ns > now ? (w->deadline_ns - now) / NSEC_PER_MSEC + 1 : 0;
	left = MIN(left, (uint64_t)INT32_MAX);
	return timeout_ms < 0 ? (int)left : MIN((int)left, timeout_ms);
}

int watch_wait(struct watch *w, int fd, int timeout_ms)
{
	struct signalfd_siginfo info;
	int events = 0, r;

	w->fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	r = poll(w->fds, w->n_fds, poll_time(w, timeout_ms));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (w->fds[0].revents)
		events |= WATCH_DATA;
	while (read(w->fds[1].fd, &info, sizeof(info)) == sizeof(info))
		events |= WATCH_SIGNAL;
	for (size_t i = FIXED; i < w->n_fds; i++)
		if (w->fds[i].revents && w->fds[i].fd >= 0) {
			w->fds[i].fd = safe_close(w->fds[i].fd);
			w->running -= w->running != SIZE_MAX;
		}
	if (!w->said && (!w->running || (w->deadline_ns && now_monotonic_ns() >= w->deadline_ns))) {
		w->said = true;
		events |= WATCH_OVER;
	}
	return events;
}
