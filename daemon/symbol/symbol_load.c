/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbol_load.h"

#include <sys/stat.h>

#include "symbol/debug_dirs.h"
#include "symbol/lines.h"
#include "symbol/symbol_image.h"
#include "symbol/vdso.h"

bool symbol_is_unknown(const uint8_t *build_id)
{
	static const uint8_t unknown[BUILD_ID_SIZE];

	return memcmp(build_id, unknown, BUILD_ID_SIZE) == 0;
}

static int check_identity(const uint8_t *wanted, const uint8_t *found, struct error *error)
{
	if (symbol_is_unknown(wanted) || memcmp(wanted, found, BUILD_ID_SIZE) == 0)
		return 0;
	return error_set(error, ESTALE, "BadFile",
			 "The file was replaced: it has another build-id by now.");
}

static bool is_trusted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());
}

/* A table without full symbols is of no use any more when their file has been installed. */
static bool is_outdated(const struct symtab *st, const char *debug_dir)
{
	const struct symbol_image_header *h;
	int fd _cleanup_(closep) = -EBADF;
	size_t size;

	h = symbol_image_header(st, &size);
	return symtab_is_stripped(st) &&
	       debug_dirs_open(debug_dir, h->build_id, h->build_id_len, &fd) >= 0;
}

static int load_cached(const struct symbol_sources *from, const uint8_t *build_id,
		       struct symtab **ret)
{
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int r;

	if (!from->cache || symbol_is_unknown(build_id))
		return -ENOENT;
	r = symbol_cache_load(from->cache, build_id, &st);
	if (r < 0)
		return r;
	if (is_outdated(st, from->debug_dir))
		return -ENOENT;
	*ret = TAKE_PTR(st);
	return 0;
}

/* A file that is to be read: by its image in this process, or by its descriptor in another. */
struct source {
	struct elf_image *image; /* the kernel's own file; where there is no reader any file */
	int fd, opened;		 /* the second is to be closed */
};

static void source_donep(struct source *s)
{
	elf_image_free(s->image);
	safe_close(s->opened);
}

static int open_source(const struct symbol_sources *from, const uint8_t *build_id, const char *path,
		       int fd, struct error *error, struct source *ret)
{
	bool is_vdso = streq(path, "[vdso]");
	int r = 0;

	ret->fd = fd;
	if (is_vdso) {
		r = vdso_open(error, &ret->image);
	} else if (fd < 0) {
		if (path[0] != '/' || symbol_is_unknown(build_id))
			return error_set(error, ENOENT, "NoSuchFile",
					 "The file was not kept and cannot be identified.");
		r = elf_open_file(path, error, &ret->opened);
		ret->fd = ret->opened;
	}
	if (r >= 0 && !is_vdso && !from->reader)
		r = elf_image_open(ret->fd, error, &ret->image);
	if (r >= 0 && ret->image)
		r = check_identity(build_id, elf_image_build_id(ret->image), error);
	return r;
}

static int load(const struct symbol_sources *from, const uint8_t *build_id, const char *path,
		int fd, struct error *error, struct symtab **ret)
{
	struct source source _cleanup_(source_donep) = {.opened = -EBADF};
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct reader_identity id;
	int r;

	r = open_source(from, build_id, path, fd, error, &source);
	if (r < 0)
		return r;
	if (source.image)
		return symtab_load(source.image, path, from->debug_dir, error, ret);
	r = reader_symbols(from->reader, source.fd, path, from->debug_dir, error, &id, &st);
	if (r >= 0)
		r = check_identity(build_id, id.build_id, error);
	if (r < 0)
		return r;
	if (from->cache && id.build_id_len > 0 && is_trusted(source.fd))
		(void)symbol_cache_store(from->cache, st);
	*ret = TAKE_PTR(st);
	return 0;
}

static int unreadable(struct error *error, int r)
{
	return error_set(error, -r, "BadFile", "The file cannot be read: %s.", strerror(-r));
}

int symbol_load(const struct symbol_sources *from, const uint8_t build_id[static BUILD_ID_SIZE],
		const char *path, int fd, struct error *error, struct symtab **ret)
{
	int r;

	if (load_cached(from, build_id, ret) >= 0)
		return 0;
	r = load(from, build_id, path, fd, error, ret);
	return r < 0 ? unreadable(error, r) : 0;
}

int symbol_load_unwind(const struct symbol_sources *from,
		       const uint8_t build_id[static BUILD_ID_SIZE], const char *path, int fd,
		       struct error *error, struct unwind_image **ret)
{
	struct source source _cleanup_(source_donep) = {.opened = -EBADF};
	struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
	struct reader_identity id;
	int r;

	r = open_source(from, build_id, path, fd, error, &source);
	if (r < 0)
		return unreadable(error, r);
	if (source.image)
		return unwind_image_new(source.image, error, ret);
	r = reader_unwind(from->reader, source.fd, path, error, &id, &u);
	if (r >= 0)
		r = check_identity(build_id, id.build_id, error);
	if (r < 0)
		return unreadable(error, r);
	*ret = TAKE_PTR(u);
	return 0;
}

int symbol_load_lines(const struct symbol_sources *from,
		      const uint8_t build_id[static BUILD_ID_SIZE], const char *path, int fd,
		      const uint64_t *offsets, size_t n, struct error *error,
		      struct line_image **ret)
{
	struct source source _cleanup_(source_donep) = {.opened = -EBADF};
	struct line_image *image _cleanup_(line_image_freep) = NULL;
	struct reader_identity id;
	int r;

	if (path[0] != '/')
		return error_set(error, ENODATA, "NotSupported", "It has no debug information.");
	r = open_source(from, build_id, path, fd, error, &source);
	if (r < 0)
		return unreadable(error, r);
	if (source.image)
		return lines_new(source.image, path, from->debug_dir, offsets, n, error, ret);
	r = reader_lines(from->reader, source.fd, path, from->debug_dir, offsets, n, error, &id,
			 &image);
	if (r >= 0)
		r = check_identity(build_id, id.build_id, error);
	if (r < 0)
		return unreadable(error, r);
	*ret = TAKE_PTR(image);
	return 0;
}
