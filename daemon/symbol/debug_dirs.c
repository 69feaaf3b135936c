/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/debug_dirs.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "sonde/base/hex.h"
#include "symbol/elf_image.h"

enum { HEX_SIZE = 2 * DEBUG_ID_MAX + 1 };

int debug_dirs_first(const char *dirs, char *ret, size_t size)
{
	size_t len;

	if (!dirs)
		dirs = DEBUG_DIR;
	len = strcspn(dirs, ":");
	if (len == 0 || len >= size)
		return -ENOENT;
	memcpy(ret, dirs, len);
	ret[len] = '\0';
	return 0;
}

bool debug_dirs_is_ours(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Takes at, the directory before (AT_FDCWD: none). */
static int enter(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	safe_close(at);
	return fd < 0 || debug_dirs_is_ours(fd, S_IFDIR) ? fd : safe_close(fd);
}

static int open_checked(const char *dir, const char *hex, int *ret)
{
	char folder[3] = {hex[0], hex[1], '\0'}, name[HEX_SIZE + 8];
	int at _cleanup_(closep) = enter(AT_FDCWD, dir), fd _cleanup_(closep) = -EBADF;

	if (at >= 0)
		at = enter(at, ".build-id");
	if (at >= 0)
		at = enter(at, folder);
	if (at < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s.debug", hex + 2);
	/* Without O_NONBLOCK a FIFO would make the caller wait. */
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !debug_dirs_is_ours(fd, S_IFREG))
		return -ENOENT;
	*ret = TAKE_FD(fd);
	return 0;
}

int debug_dirs_open(const char *dirs, const uint8_t *build_id, size_t len, int *ret)
{
	char hex[HEX_SIZE], dir[PATH_MAX], path[PATH_MAX];

	if (len < 2 || len > DEBUG_ID_MAX)
		return -ENOENT;
	hex_encode(build_id, len, hex);
	for (bool first = true; dirs || first; first = false) {
		int found = debug_dirs_first(dirs, dir, sizeof(dir));

		if (first && found >= 0 &&
		    snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", dir, hex, hex + 2) <
			    (int)sizeof(path) &&
		    elf_open_file(path, NULL, ret) >= 0)
			return 0;
		if (!first && found >= 0 && open_checked(dir, hex, ret) >= 0)
			return 0;
		dirs = dirs ? strchr(dirs, ':') : NULL;
		if (dirs)
			dirs++;
	}
	return -ENOENT;
}
