/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbol_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "sonde/base/hex.h"
#include "symbol/symbol_image.h"

enum { NAME_SIZE = 2 * BUILD_ID_SIZE + 1 };
/* A file that is being written, or that a daemon left which was killed at that. */
#define UNFINISHED	   ".new-"
#define UNFINISHED_SECONDS 3600

struct symbol_cache {
	int dir;
	uint64_t max_bytes;
	pthread_mutex_t mutex; /* guards what is below */
	uint64_t bytes;	       /* at least what the files have */
	uint64_t stores;
};

struct entry {
	char name[NAME_SIZE];
	uint64_t size;
	struct timespec used;
};

struct entries {
	struct entry *items;
	size_t len, cap;
	uint64_t bytes;
};

static void entries_donep(struct entries *e)
{
	free(e->items);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void name_of(const uint8_t *build_id, char ret[static NAME_SIZE])
{
	hex_encode(build_id, BUILD_ID_SIZE, ret);
}

static bool is_name(const char *name)
{
	return strlen(name) == NAME_SIZE - 1 && strspn(name, "0123456789abcdef") == NAME_SIZE - 1;
}

/* Adds up what there is, and removes what was never finished. */
static int list(const struct symbol_cache *c, struct entries *ret)
{
	int fd _cleanup_(closep) = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d _cleanup_(closedirp) = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;
	int r;

	if (!d)
		return -errno;
	TAKE_FD(fd);
	while ((item = readdir(d))) {
		struct stat st;

		if (fstatat(c->dir, item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (startswith(item->d_name, UNFINISHED) &&
		    time(NULL) - st.st_mtime > UNFINISHED_SECONDS)
			(void)unlinkat(c->dir, item->d_name, 0);
		if (!is_name(item->d_name))
			continue;
		r = array_reserve(&ret->items, &ret->cap, ret->len + 1, sizeof(*ret->items));
		if (r < 0)
			return r;
		ret->items[ret->len].size = (uint64_t)st.st_size;
		ret->items[ret->len].used = st.st_mtim;
		memcpy(ret->items[ret->len++].name, item->d_name, NAME_SIZE);
		ret->bytes += (uint64_t)st.st_size;
	}
	return 0;
}

static int by_use(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
	return (a->used.tv_nsec > b->used.tv_nsec) - (a->used.tv_nsec < b->used.tv_nsec);
}

/* Removes the oldest until the bound holds; of what others removed meanwhile it takes note. */
static void trim(struct symbol_cache *c, const char *keep)
{
	struct entries e _cleanup_(entries_donep) = {};

	if (c->bytes <= c->max_bytes || list(c, &e) < 0)
		return;
	if (e.len > 0)
		qsort(e.items, e.len, sizeof(*e.items), by_use);
	for (size_t i = 0; i < e.len && e.bytes > c->max_bytes; i++) {
		if (keep && streq(e.items[i].name, keep))
			continue;
		(void)unlinkat(c->dir, e.items[i].name, 0);
		e.bytes -= e.items[i].size;
	}
	c->bytes = e.bytes;
}

int symbol_cache_new(const char *dir, uint64_t bytes, struct symbol_cache **ret)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = calloc(1, sizeof(*c));
	struct entries e _cleanup_(entries_donep) = {};
	struct stat st;
	int r;

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->mutex, NULL);
	c->max_bytes = bytes;
	(void)mkdir(dir, 0700);
	c->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir < 0 || fstat(c->dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	r = list(c, &e);
	if (r < 0)
		return r;
	c->bytes = e.bytes;
	trim(c, NULL);
	*ret = TAKE_PTR(c);
	return 0;
}

struct symbol_cache *symbol_cache_free(struct symbol_cache *c)
{
	if (!c)
		return NULL;
	safe_close(c->dir);
	pthread_mutex_destroy(&c->mutex);
	free(c);
	return NULL;
}

void symbol_cache_remove(struct symbol_cache *c, const uint8_t build_id[static BUILD_ID_SIZE])
{
	char name[NAME_SIZE];

	name_of(build_id, name);
	(void)unlinkat(c->dir, name, 0);
}

int symbol_cache_load(struct symbol_cache *c, const uint8_t build_id[static BUILD_ID_SIZE],
		      struct symtab **ret)
{
	static const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF, r;
	char name[NAME_SIZE];
	size_t size;

	name_of(build_id, name);
	fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	r = symbol_image_open(fd, NULL, &st);
	if (r >= 0 && memcmp(symbol_image_header(st, &size)->build_id, build_id, BUILD_ID_SIZE))
		r = -EBADMSG;
	if (r == -EBADMSG)
		symbol_cache_remove(c, build_id);
	if (r < 0)
		return r;
	/* Access times may be switched off, and the content never changes. */
	(void)futimens(fd, now);
	*ret = TAKE_PTR(st);
	return 0;
}

/* To be called with the mutex held, which makes the name of the unfinished file its own. */
static int write_file(struct symbol_cache *c, const char *name, const void *data, size_t size)
{
	char unfinished[64];
	int fd _cleanup_(closep) = -EBADF, r;

	snprintf(unfinished, sizeof(unfinished), UNFINISHED "%d-%llu", getpid(),
		 (unsigned long long)c->stores++);
	fd = openat(c->dir, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_fully(fd, data, size);
	if (r >= 0 && renameat(c->dir, unfinished, c->dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(c->dir, unfinished, 0);
	return r;
}

int symbol_cache_store(struct symbol_cache *c, const struct symtab *st)
{
	const struct symbol_image_header *h;
	char name[NAME_SIZE];
	size_t size;
	int r;

	h = symbol_image_header(st, &size);
	if (!h || h->build_id_len == 0)
		return -EINVAL;
	name_of(h->build_id, name);
	pthread_mutex_lock(&c->mutex);
	r = write_file(c, name, h, size);
	if (r >= 0) {
		c->bytes += size;
		trim(c, name);
	}
	pthread_mutex_unlock(&c->mutex);
	return r;
}
