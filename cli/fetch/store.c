/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "elf_id.h"

#define TREE	  ".build-id"
#define WORKSPACE ".download"

struct fetch_store {
	int dir, lock; /* the directory, and the file that is locked while it is used */
	char path[PATH_MAX], workspace[PATH_MAX];
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int make_directories(const char *dir)
{
	char path[PATH_MAX];

	if (dir[0] != '/' || strlen(dir) >= sizeof(path))
		return -EINVAL;
	memcpy(path, dir, strlen(dir) + 1);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The daemon believes what it finds only where these hold; see daemon/symbol/debug_dirs.h. */
static int check_owner(int fd, const char *dir, struct error *e)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	r = error_set(e, EPERM, "PermissionDenied",
		      "%s %s: debug files that are put there would not be used", dir,
		      st.st_uid == geteuid() ? "can be written by others"
					     : "belongs to another user");
	if (st.st_uid == geteuid())
		error_fix(e, "chmod go-w %s", dir);
	else
		error_fix(e, "run it as its owner, or as root where the daemon runs: sudo "
			     "--preserve-env=DEBUGINFOD_URLS sonde debuginfo --fetch");
	return r;
}

static int cannot_write(const char *dir, int code, struct error *e)
{
	int r = error_set(e, code, code == EACCES ? "PermissionDenied" : "WriteFailed",
			  "cannot write to %s, where debug files are looked for: %s", dir,
			  strerror(code));

	if (code == EACCES)
		error_fix(e, "run it as root: sudo --preserve-env=DEBUGINFOD_URLS sonde debuginfo "
			     "--fetch");
	return r;
}

static int lock(struct fetch_store *s, bool wait, struct error *e)
{
	s->lock = openat(s->dir, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return cannot_write(s->path, errno, e);
	while (flock(s->lock, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR && wait)
			return error_set(e, EINTR, "Interrupted", "interrupted");
		if (errno != EINTR)
			return error_set(e, EBUSY, "TooMany",
					 "another sonde is fetching debug files to %s", s->path);
	}
	return 0;
}

int fetch_store_open(const char *dir, bool wait, struct fetch_store **ret, struct error *e)
{
	_cleanup_(fetch_store_freep) struct fetch_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dir = s->lock = -EBADF;
	r = make_directories(dir);
	if (r < 0)
		return cannot_write(dir, -r, e);
	snprintf(s->path, sizeof(s->path), "%s", dir);
	if (snprintf(s->workspace, sizeof(s->workspace), "%s/" WORKSPACE, dir) >=
	    (int)sizeof(s->workspace))
		return cannot_write(dir, ENAMETOOLONG, e);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0)
		return cannot_write(dir, errno, e);
	r = check_owner(s->dir, dir, e);
	if (r >= 0)
		r = lock(s, wait, e);
	if (r < 0)
		return r;
	if ((mkdirat(s->dir, WORKSPACE, 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(s->dir, TREE, 0700) < 0 && errno != EEXIST))
		return cannot_write(dir, errno, e);
	*ret = TAKE_PTR(s);
	return 0;
}

struct fetch_store *fetch_store_free(struct fetch_store *s)
{
	if (!s)
		return NULL;
	safe_close(s->lock);
	safe_close(s->dir);
	free(s);
	return NULL;
}

const char *fetch_store_workspace(const struct fetch_store *s)
{
	return s->workspace;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	if (at->level == 0)
		return 0;
	(void)(kind == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

void fetch_store_clear_workspace(struct fetch_store *s)
{
	(void)nftw(s->workspace, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_build_id(const char *text)
{
	size_t len = strlen(text);

	return len >= 4 && len % 2 == 0 && len < ELF_ID_HEX &&
	       strspn(text, "0123456789abcdef") == len;
}

bool fetch_store_has(const struct fetch_store *s, const char *build_id)
{
	char name[sizeof(TREE) + ELF_ID_HEX + 16];

	if (!is_build_id(build_id))
		return false;
	snprintf(name, sizeof(name), TREE "/%.2s/%s.debug", build_id, build_id + 2);
	return faccessat(s->dir, name, R_OK, 0) == 0;
}

/* On disk before it has its name: after a crash there is all of it or nothing. */
static int move_into_place(struct fetch_store *s, const char *build_id, int fd, const char *path)
{
	char folder[sizeof(TREE) + 4], name[ELF_ID_HEX + 8];
	int at _cleanup_(closep) = -EBADF;

	snprintf(folder, sizeof(folder), TREE "/%.2s", build_id);
	snprintf(name, sizeof(name), "%s.debug", build_id + 2);
	if (mkdirat(s->dir, folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	at = openat(s->dir, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Its age is how long it has been here, not how old the server's is. */
	if (at < 0 || fchmod(fd, 0644) < 0 || futimens(fd, NULL) < 0 || fsync(fd) < 0 ||
	    renameat(AT_FDCWD, path, at, name) < 0 || fsync(at) < 0)
		return -errno;
	return 0;
}

/* The folder that libdebuginfod has made for one file; it stays where there is another in it. */
static void remove_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || slash - path >= (ptrdiff_t)sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	(void)rmdir(folder);
}

/* Is it what was asked for? -EBADMSG with an error when not. */
static int check_file(const char *build_id, int fd, char supplement[static ELF_ID_HEX],
		      struct error *e)
{
	char found[ELF_ID_HEX];
	int r = is_build_id(build_id) ? elf_id_read(fd, found, supplement) : -EINVAL;

	if (r < 0)
		return error_set(e, EBADMSG, "BadFile", "the server sent %s: refused",
				 r == -ENODATA ? "a file without a build-id"
					       : "what is no ELF file");
	if (!streq(found, build_id))
		return error_set(e, EBADMSG, "BadFile",
				 "the server sent a file of another build-id, %s: refused", found);
	return 0;
}

int fetch_store_put(struct fetch_store *s, const char *build_id, int fd, const char *path,
		    char *ret_supplement, struct error *e)
{
	char supplement[ELF_ID_HEX];
	int r = check_file(build_id, fd, supplement, e);

	if (r >= 0) {
		r = move_into_place(s, build_id, fd, path);
		if (r < 0)
			error_set(e, -r, "WriteFailed", "cannot write to %s: %s", s->path,
				  strerror(-r));
	}
	if (r < 0)
		(void)unlink(path);
	else
		memcpy(ret_supplement, supplement, sizeof(supplement));
	remove_folder_of(path);
	return r;
}

struct entry {
	char name[ELF_ID_HEX + 16]; /* below TREE */
	uint64_t size;
	struct timespec time;
};

struct entries {
	struct entry *items;
	size_t n, cap;
	uint64_t bytes;
};

static void entries_release(struct entries *e)
{
	free(e->items);
}

static int list_folder(int tree, const char *folder, struct entries *ret)
{
	int fd _cleanup_(closep) =
		openat(tree, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d _cleanup_(closedirp) = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;

	if (!d)
		return 0;
	TAKE_FD(fd);
	while ((item = readdir(d))) {
		struct entry entry;
		struct stat st;

		if (fstatat(dirfd(d), item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) ||
		    snprintf(entry.name, sizeof(entry.name), "%s/%s", folder, item->d_name) >=
			    (int)sizeof(entry.name))
			continue;
		if (array_reserve(&ret->items, &ret->cap, ret->n + 1, sizeof(entry)) < 0)
			return -ENOMEM;
		entry.size = (uint64_t)st.st_size;
		entry.time = st.st_mtim;
		ret->items[ret->n++] = entry;
		ret->bytes += entry.size;
	}
	return 0;
}

static int by_age(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->time.tv_sec != b->time.tv_sec)
		return a->time.tv_sec < b->time.tv_sec ? -1 : 1;
	return (a->time.tv_nsec > b->time.tv_nsec) - (a->time.tv_nsec < b->time.tv_nsec);
}

int fetch_store_trim(struct fetch_store *s, uint64_t bytes, size_t *ret_removed)
{
	struct entries e _cleanup_(entries_release) = {};
	int fd _cleanup_(closep) =
		openat(s->dir, TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int tree _cleanup_(closep) = fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d _cleanup_(closedirp) = tree < 0 ? NULL : fdopendir(fd);
	struct dirent *item;
	size_t removed = 0;
	int r = 0;

	if (!d)
		return -errno;
	TAKE_FD(fd);
	while ((item = readdir(d)) && r >= 0)
		if (strlen(item->d_name) == 2 && item->d_name[0] != '.')
			r = list_folder(tree, item->d_name, &e);
	if (r < 0)
		return r;
	if (e.n > 0)
		qsort(e.items, e.n, sizeof(*e.items), by_age);
	for (size_t i = 0; i < e.n && e.bytes > bytes; i++) {
		if (unlinkat(tree, e.items[i].name, 0) < 0)
			continue;
		e.bytes -= e.items[i].size;
		removed++;
	}
	*ret_removed = removed;
	return 0;
}
