/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbol_files.h"

#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { DEFAULT_FILES = 32768, DEFAULT_FDS = 1024, CLOSE_TRIES = 32 };
#define DEFAULT_BYTES (64ULL << 20)

void symbol_files_init(struct symbol_files *files)
{
	*files = (struct symbol_files){
		.max_files = DEFAULT_FILES, .max_fds = DEFAULT_FDS, .max_bytes = DEFAULT_BYTES};
	/* Build-ids are chosen by users, who must not be able to make them collide. */
	if (getrandom(&files->seed, sizeof(files->seed), GRND_NONBLOCK) != sizeof(files->seed))
		files->seed = (uintptr_t)files;
}

static void drop_table(struct symbol_files *files, struct symbol_file *file)
{
	if (!file->symtab)
		return;
	files->bytes -= symtab_memory(file->symtab);
	files->n_tables--;
	file->symtab = symtab_free(file->symtab);
}

static void drop_fd(struct symbol_files *files, struct symbol_file *file)
{
	if (file->fd < 0)
		return;
	file->fd = safe_close(file->fd);
	files->n_fds--;
}

static void drop_file(struct symbol_files *files, struct symbol_file *file)
{
	drop_table(files, file);
	drop_fd(files, file);
	free(file->path);
	free(file->failure);
}

void symbol_files_clear(struct symbol_files *files)
{
	for (size_t i = 0; i < files->len; i++)
		drop_file(files, &files->items[i]);
	files->len = 0;
	table_clear(&files->index);
}

void symbol_files_release(struct symbol_files *files)
{
	symbol_files_clear(files);
	free(files->items);
	table_release(&files->index);
	*files = (struct symbol_files){};
}

static uint64_t file_hash(const struct symbol_files *files, const uint8_t *build_id,
			  const char *path)
{
	return symbol_is_unknown(build_id) ? hash_bytes(path, strlen(path), files->seed)
					   : hash_bytes(build_id, BUILD_ID_SIZE, files->seed);
}

struct symbol_file *symbol_files_find(struct symbol_files *files,
				      const uint8_t build_id[static BUILD_ID_SIZE],
				      const char *path)
{
	uint32_t *first = table_get(&files->index, file_hash(files, build_id, path));

	for (uint32_t i = first ? *first : 0; i > 0; i = files->items[i - 1].next) {
		struct symbol_file *file = &files->items[i - 1];

		if (memcmp(file->build_id, build_id, BUILD_ID_SIZE) == 0 &&
		    (!symbol_is_unknown(build_id) || streq(file->path, path)))
			return file;
	}
	return NULL;
}

static int index_file(struct symbol_files *files, size_t at)
{
	struct symbol_file *file = &files->items[at];
	uint32_t *first =
		table_put(&files->index, file_hash(files, file->build_id, file->path), NULL);

	if (!first)
		return -ENOMEM;
	file->next = *first;
	*first = at + 1;
	return 0;
}

static int compare_tick(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Forgets the quarter of the files that was unused for longest, and indexes the others anew. */
static int forget_old_files(struct symbol_files *files)
{
	uint64_t *ticks _cleanup_(freep) = calloc(files->len, sizeof(*ticks));
	uint64_t limit;
	size_t n = 0;
	int r = 0;

	if (!ticks)
		return -ENOMEM;
	for (size_t i = 0; i < files->len; i++)
		ticks[i] = files->items[i].used;
	qsort(ticks, files->len, sizeof(*ticks), compare_tick);
	limit = ticks[files->len / 4];
	for (size_t i = 0; i < files->len; i++) {
		if (files->items[i].used <= limit)
			drop_file(files, &files->items[i]);
		else
			files->items[n++] = files->items[i];
	}
	files->len = n;
	table_clear(&files->index);
	for (size_t i = 0; i < n; i++)
		r = MIN(r, index_file(files, i));
	return r;
}

/* True when the path still leads to the file that the descriptor refers to. */
static bool can_reopen(const struct symbol_file *file)
{
	struct stat a, b;

	return fstat(file->fd, &a) == 0 && stat(file->path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static struct symbol_file *oldest_fd(struct symbol_files *files)
{
	struct symbol_file *oldest = NULL;

	for (size_t i = 0; i < files->len; i++)
		if (files->items[i].fd >= 0 &&
		    (!oldest || files->items[i].fd_used < oldest->fd_used))
			oldest = &files->items[i];
	return oldest;
}

/*
 * Closes the oldest descriptor that can be had again. One that cannot gets another round; when
 * there are only such, the oldest goes all the same, as the bound is a bound.
 */
static void close_one_fd(struct symbol_files *files)
{
	struct symbol_file *first = oldest_fd(files), *file = first;

	for (int i = 0; i < CLOSE_TRIES && file; i++) {
		if (can_reopen(file)) {
			drop_fd(files, file);
			return;
		}
		file->fd_used = ++files->tick;
		file = oldest_fd(files);
		if (file == first)
			break;
	}
	if (first)
		drop_fd(files, first);
}

static void keep_fd(struct symbol_files *files, struct symbol_file *file, int fd)
{
	if (fd < 0)
		return;
	if (file->fd >= 0) {
		safe_close(fd);
		file->fd_used = ++files->tick;
		return;
	}
	while (files->n_fds >= files->max_fds)
		close_one_fd(files);
	file->fd = fd;
	file->fd_used = ++files->tick;
	files->n_fds++;
	/* What failed without this descriptor may work with it. */
	free(TAKE_PTR(file->failure));
}

int symbol_files_add(struct symbol_files *files, const uint8_t build_id[static BUILD_ID_SIZE],
		     const char *path, int fd, struct symbol_file **ret)
{
	int own_fd _cleanup_(closep) = fd;
	struct symbol_file *file = symbol_files_find(files, build_id, path);
	char *copy _cleanup_(freep) = NULL;
	int r;

	if (strlen(path) >= PATH_MAX)
		return -EINVAL;
	if (!file) {
		if (files->len >= files->max_files) {
			r = forget_old_files(files);
			if (r < 0)
				return r;
		}
		r = array_reserve(&files->items, &files->cap, files->len + 1,
				  sizeof(*files->items));
		if (r < 0)
			return r;
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
		file = &files->items[files->len];
		*file = (struct symbol_file){.fd = -EBADF, .path = copy};
		memcpy(file->build_id, build_id, BUILD_ID_SIZE);
		r = index_file(files, files->len);
		if (r < 0)
			return r;
		TAKE_PTR(copy);
		files->len++;
	}
	file->used = ++files->tick;
	/* Where the first path leads to nothing good, the same file may be found by another. */
	if (file->failure && file->fd < 0 && !streq(file->path, path)) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
		free(file->path);
		file->path = TAKE_PTR(copy);
		free(TAKE_PTR(file->failure));
	}
	keep_fd(files, file, TAKE_FD(own_fd));
	*ret = file;
	return 0;
}

/* Makes room, but never drops the table that was just loaded. */
static void evict(struct symbol_files *files, const struct symbol_file *keep)
{
	while (files->bytes > files->max_bytes && files->n_tables > 1) {
		struct symbol_file *oldest = NULL;

		for (size_t i = 0; i < files->len; i++) {
			struct symbol_file *file = &files->items[i];

			if (file->symtab && file != keep && (!oldest || file->used < oldest->used))
				oldest = file;
		}
		if (!oldest)
			return;
		drop_table(files, oldest);
		files->evictions++;
	}
}

void symbol_files_keep(struct symbol_files *files, struct symbol_file *file, struct symtab *st,
		       const char *failure)
{
	drop_table(files, file);
	free(TAKE_PTR(file->failure));
	if (!st) {
		file->failure = strdup(failure);
		return;
	}
	file->symtab = st;
	file->used = ++files->tick;
	files->n_tables++;
	files->loads++;
	files->bytes += symtab_memory(st);
	evict(files, file);
}

void symbol_files_drop(struct symbol_files *files, struct symbol_file *file)
{
	drop_table(files, file);
	free(TAKE_PTR(file->failure));
}
