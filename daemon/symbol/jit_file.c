/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jit_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <time.h>

/* When a process began: field 22 of its stat, in clock ticks since the system was started. */
static int read_start(uint32_t pid, int64_t *ret_s)
{
	_cleanup_(freep) char *text = NULL;
	struct timespec up, now;
	char path[64], *at;
	long long ticks;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (read_file(path, 4096, &text, NULL) < 0)
		return -ESRCH;
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1,
			  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %lld",
			  &ticks) != 1)
		return -EBADMSG;
	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	*ret_s = now.tv_sec - up.tv_sec + ticks / sysconf(_SC_CLK_TCK) - 1;
	return 0;
}

void jit_owner_close(struct jit_owner *o)
{
	o->root = safe_close(o->root);
}

int jit_owner_open(uint32_t pid, struct jit_owner *ret)
{
	_cleanup_(freep) char *text = NULL;
	struct jit_owner owner = {.pid = pid, .inner_pid = pid};
	char path[64], *uids, *pids;
	int r = read_start(pid, &owner.started_s);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (read_file(path, 65536, &text, NULL) < 0)
		return -ESRCH;
	/* A process can give itself a name, but no line break in this file. */
	uids = strstr(text, "\nUid:");
	pids = strstr(text, "\nNSpid:");
	if (!uids || sscanf(uids, "\nUid: %*u %u", &owner.uid) != 1)
		return -EBADMSG;
	if (pids) {
		const char *end = pids + 1 + strcspn(pids + 1, "\n");

		while (end[-1] >= '0' && end[-1] <= '9')
			end--;
		owner.inner_pid = (uint32_t)strtoul(end, NULL, 10);
	}
	snprintf(path, sizeof(path), "/proc/%u/root", pid);
	owner.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (owner.root < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret = owner;
	return 0;
}

/* fd is an O_PATH descriptor: opening other things than files for reading may block or act. */
static int check(const struct jit_owner *owner, int fd, const char **ret_reason)
{
	struct stat st;
	char self[64];
	int readable;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		*ret_reason = "it is a symbolic link";
		return -ELOOP;
	}
	if (!S_ISREG(st.st_mode)) {
		*ret_reason = "it is no regular file";
		return -EINVAL;
	}
	if (st.st_uid != 0 && st.st_uid != owner->uid) {
		*ret_reason = "it belongs to another user than the process";
		return -EPERM;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	readable = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (readable < 0)
		*ret_reason = "it cannot be read";
	return readable < 0 ? -errno : readable;
}

int jit_file_open(const struct jit_owner *owner, const char *path, const char **ret_reason)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	_cleanup_(closep) int fd = -EBADF;
	struct stat st;

	fd = (int)syscall(SYS_openat2, owner->root, path, &how, sizeof(how));
	if (fd < 0) {
		if (errno != ENOENT)
			*ret_reason = "it cannot be opened";
		return -errno;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtim.tv_sec < owner->started_s) {
		*ret_reason = "it is older than the process";
		return -ESTALE;
	}
	return check(owner, fd, ret_reason);
}

int jit_file_open_mapped(const struct jit_owner *owner, uint64_t start, uint64_t end,
			 const char **ret_reason)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", owner->pid,
		 (unsigned long long)start, (unsigned long long)end);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : check(owner, fd, ret_reason);
}

void jit_file_path(int fd, char *ret, size_t size)
{
	char self[64];
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, ret, size - 1);
	ret[MAX(n, 0)] = '\0';
}

bool jit_stream_is_unchanged(int fd, const struct jit_cursor *c)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mtim.tv_sec == c->time_s &&
	       st.st_mtim.tv_nsec == c->time_ns && (uint64_t)st.st_size == c->size;
}

static bool is_same(int fd, const struct jit_cursor *c, const struct stat *st)
{
	uint8_t now[sizeof(c->last)];

	/* What was skipped may not have been there yet. */
	if (c->last_len == 0)
		return true;
	return (uint64_t)st->st_size >= c->offset &&
	       pread(fd, now, c->last_len, (off_t)(c->offset - c->last_len)) ==
		       (ssize_t)c->last_len &&
	       memcmp(now, c->last, c->last_len) == 0;
}

/* Remembers the end of what was taken of the bytes at the cursor's offset, and goes there. */
static void advance(struct jit_cursor *c, const uint8_t *data, size_t size, size_t taken)
{
	c->last_len = taken <= size ? (uint32_t)MIN(taken, sizeof(c->last)) : 0;
	if (c->last_len)
		memcpy(c->last, data + taken - c->last_len, c->last_len);
	c->offset += taken;
}

int jit_stream_read(int fd, struct jit_cursor *c, size_t max, jit_take_t take, void *arg)
{
	_cleanup_(freep) uint8_t *block = NULL;
	struct stat st;
	bool stop = false;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!is_same(fd, c, &st))
		return -ESTALE;
	block = malloc(JIT_STREAM_BLOCK);
	if (!block)
		return -ENOMEM;
	c->time_s = st.st_mtim.tv_sec;
	c->time_ns = st.st_mtim.tv_nsec;
	c->size = (uint64_t)st.st_size;
	for (size_t done = 0; done < max;) {
		ssize_t n = pread(fd, block, JIT_STREAM_BLOCK, (off_t)c->offset);
		size_t taken;

		if (n < 0)
			return -errno;
		taken = n > 0 ? take(arg, block, (size_t)n, &stop) : 0;
		if (taken)
			advance(c, block, (size_t)n, taken);
		if (!taken || stop)
			return 0;
		done += MIN(taken, (size_t)n);
	}
	return 1;
}
