/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/mapped_files.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

void mapped_files_release(struct mapped_files *f)
{
	table_release(&f->hashed);
	table_release(&f->known);
}

static bool is_special(const char *path)
{
	return path[0] != '/' || startswith(path, "//") || startswith(path, "/memfd:") ||
	       startswith(path, "/dev/") || startswith(path, "/SYSV");
}

/* Only regular files are opened to be read: opening others may block or act. */
static int open_place(const char *path, uint64_t inode, struct stat *ret)
{
	_cleanup_(closep) int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (inode && st.st_ino != inode)
		return -ESTALE;
	*ret = st;
	return TAKE_FD(fd);
}

/*
 * The very file that a process has mapped, as an O_PATH descriptor; -errno. By its path, as that
 * process or, when it is gone, this one sees it; by the mapping when another file has that path.
 */
static int find_place(uint32_t pid, const char *path, const struct mapped *m, struct stat *ret)
{
	char rooted[PATH_MAX + 32], through[80];
	int fd;

	snprintf(rooted, sizeof(rooted), "/proc/%u/root%s", pid, path);
	fd = open_place(rooted, m->inode, ret);
	if (fd < 0)
		fd = open_place(path, m->inode, ret);
	if (fd >= 0)
		return fd;
	snprintf(through, sizeof(through), "/proc/%u/map_files/%llx-%llx", pid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	return open_place(through, 0, ret);
}

/* The same file, open for reading. */
static int open_at(int place)
{
	char self[64];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* The model's file, by build-id or the content's hash, remembered by what stat says of it. */
static uint32_t identify(struct mapped_files *f, int place, const struct stat *st, const char *path)
{
	_cleanup_(closep) int fd = -EBADF;
	struct reader_identity file;
	uint64_t key;
	uint32_t *id;
	bool is_new;

	key = hash_bytes(path, strlen(path), (uint64_t)st->st_ino);
	key = hash_mix(hash_mix(key, (uint64_t)st->st_size),
		       (uint64_t)st->st_mtim.tv_nsec + (uint64_t)st->st_mtim.tv_sec * NSEC_PER_SEC);
	id = table_put(&f->hashed, key, &is_new);
	if (!id)
		return 0;
	if (!is_new)
		return *id;
	fd = open_at(place);
	if (fd < 0 || symbolizer_identify(f->symbolizer, fd, path, NULL, &file) < 0)
		*id = model_file(f->model, NULL, path, 0);
	else
		*id = model_file(f->model, file.build_id, path,
				 file.build_id_len > 0 ? 0 : FILE_CONTENT_HASH);
	return *id;
}

uint32_t mapped_files_find(struct mapped_files *f, uint32_t pid, const char *path,
			   const struct mapped *m)
{
	_cleanup_(closep) int place = -EBADF;
	const struct model_file *file;
	struct stat st;
	uint32_t id, *seen;
	bool is_new;

	if (is_special(path))
		return model_file(f->model, NULL, path, FILE_SPECIAL);
	place = find_place(pid, path, m, &st);
	id = place >= 0 ? identify(f, place, &st, path) : model_file(f->model, NULL, path, 0);
	if (!id)
		return 0;
	seen = table_put(&f->known, id, &is_new);
	file = model_file_get(f->model, id);
	if (seen && is_new && file)
		(void)symbolizer_add_file(f->symbolizer, file->build_id, path,
					  place >= 0 ? open_at(place) : -1);
	return id;
}
