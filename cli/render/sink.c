/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "pager.h"

struct sink {
	const char *path;   /* NULL: standard output */
	char *target, *tmp; /* tmp: to be renamed to target */
	int fd;		    /* -EBADF: not open yet, or standard output */
	pid_t pager;	    /* 0: none */
	bool terminal, started;
};

struct sink *sink_new(const char *path)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -EBADF;
	s->path = path && !streq(path, "-") ? path : NULL;
	s->terminal = !s->path && isatty(STDOUT_FILENO);
	return s;
}

struct sink *sink_free(struct sink *s)
{
	if (!s)
		return NULL;
	safe_close(s->fd);
	if (s->pager)
		pager_wait(s->pager);
	if (s->tmp)
		unlink(s->tmp);
	free(s->tmp);
	free(s->target);
	free(s);
	return NULL;
}

bool sink_is_terminal(const struct sink *s)
{
	return s->terminal;
}

static int write_failed(const struct sink *s, int r, struct error *e)
{
	if (r == -EPIPE)
		return r;
	error_set(e, -r, "WriteFailed", "cannot write %s: %s",
		  s->path ? s->path : "standard output", strerror(-r));
	if (r == -ENOSPC || r == -EDQUOT)
		error_fix(e, "make room, or write to another file system");
	else if (s->path)
		error_fix(e, "name a file in a directory you may write to");
	return r;
}

/* A device or pipe is written as it is; a link keeps pointing where it does. */
static int open_file(struct sink *s)
{
	struct stat st;
	bool exists = stat(s->path, &st) == 0;

	if (exists && !S_ISREG(st.st_mode)) {
		s->fd = open(s->path, O_WRONLY | O_CLOEXEC);
		return s->fd < 0 ? -errno : 0;
	}
	s->target = exists ? realpath(s->path, NULL) : strdup(s->path);
	if (!s->target)
		return -errno;
	if (asprintf(&s->tmp, "%s.tmp", s->target) < 0) {
		s->tmp = NULL;
		return -ENOMEM;
	}
	/* What an earlier run left behind goes first; O_EXCL never follows a planted link. */
	unlink(s->tmp);
	s->fd = open(s->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (s->fd < 0) {
		int r = -errno;

		free(TAKE_PTR(s->tmp));
		return r;
	}
	return 0;
}

static int start(struct sink *s, bool pager)
{
	s->started = true;
	if (s->path)
		return open_file(s);
	if (pager && s->terminal)
		/* Without a pager the answer is still there. */
		pager_start(&s->fd, &s->pager);
	return 0;
}

int sink_write(struct sink *s, const void *data, size_t len, bool pager, struct error *e)
{
	const char *p = data;
	int r;

	if (!s->started && (len || s->path)) {
		r = start(s, pager);
		if (r < 0)
			return write_failed(s, r, e);
	}
	while (len) {
		ssize_t n = write(s->fd >= 0 ? s->fd : STDOUT_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return write_failed(s, -errno, e);
		p += n;
		len -= n;
	}
	return 0;
}

int sink_finish(struct sink *s, struct error *e)
{
	/* Only here does a full disk or a quota show on some file systems. */
	if (s->tmp && fsync(s->fd) < 0 && errno != EINVAL && errno != EROFS)
		return write_failed(s, -errno, e);
	if (s->fd >= 0 && close(TAKE_FD(s->fd)) < 0 && errno != EINTR)
		return write_failed(s, -errno, e);
	if (s->pager) {
		pager_wait(s->pager);
		s->pager = 0;
	}
	if (s->tmp && rename(s->tmp, s->target) < 0)
		return write_failed(s, -errno, e);
	free(TAKE_PTR(s->tmp));
	return 0;
}
