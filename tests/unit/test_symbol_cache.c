/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbol tables on disk: found again, within their bound, and only what is whole and trusted. */
#include "symbol/symbol_cache.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "symbol/reader.h" /* its process is this program: see reader_help.h */
#include "symbol/symbol_image.h"
#include "symbol/symbolizer.h"
#include "symbol_help.h"

TestSuite(symbol_cache, .init = setup, .fini = teardown, .timeout = 120);

static struct symbol_cache *open_cache(uint64_t bytes)
{
	struct symbol_cache *c = NULL;

	cr_assert_eq(symbol_cache_new(path_of("cache"), bytes, &c), 0);
	return c;
}

/* A table as the reader makes it. */
static struct symtab *mapped(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct symtab *here _cleanup_(symtab_freep) = load(path), *st = NULL;
	int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(symbol_image_write(here, image, fd), 0);
	cr_assert_eq(symbol_image_open(fd, NULL, &st), 0);
	return st;
}

static const uint8_t *id_of(const struct symtab *st)
{
	size_t size;

	return symbol_image_header(st, &size)->build_id;
}

static size_t size_of(const struct symtab *st)
{
	size_t size;

	symbol_image_header(st, &size);
	return size;
}

/* The file of a build-id in the cache. */
static char *file_of(const uint8_t *id)
{
	static char path[256];
	int n = snprintf(path, sizeof(path), "%s/cache/", dir);

	for (int i = 0; i < BUILD_ID_SIZE; i++)
		n += snprintf(path + n, sizeof(path) - n, "%02x", id[i]);
	return path;
}

Test(symbol_cache, keeps_tables)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = open_cache(1 << 20);
	char *a = compile("a", "");
	struct symtab *st _cleanup_(symtab_freep) = mapped(a);
	struct symtab *again _cleanup_(symtab_freep) = NULL;
	struct stat s;

	cr_assert_eq(stat(path_of("cache"), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0700);
	cr_assert_eq(symbol_cache_load(c, id_of(st), &again), -ENOENT);
	cr_assert_eq(symbol_cache_store(c, st), 0);
	cr_assert_eq(symbol_cache_store(c, st), 0, "stored by two");
	cr_assert_eq(stat(file_of(id_of(st)), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0600);
	run("test $(ls -A %s/cache | wc -l) = 1", dir);
	cr_assert_eq(symbol_cache_load(c, id_of(st), &again), 0);
	cr_assert_eq(find(again, "hidden_helper").found.vaddr,
		     find(st, "hidden_helper").found.vaddr);
	symbol_cache_remove(c, id_of(st));
	cr_assert_eq(symbol_cache_load(c, id_of(st), &again), -ENOENT);
	/* What is mapped stays. */
	cr_assert_eq(find(again, "visible").count, 1);
}

Test(symbol_cache, refuses_what_has_no_build_id)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = open_cache(1 << 20);
	struct symtab *none _cleanup_(symtab_freep) = mapped(compile("a", "-Wl,--build-id=none"));
	struct symtab *here _cleanup_(symtab_freep) = load(compile("b", ""));

	cr_assert_eq(symbol_cache_store(c, none), -EINVAL);
	cr_assert_eq(symbol_cache_store(c, here), -EINVAL);
	run("test $(ls -A %s/cache | wc -l) = 0", dir);
}

Test(symbol_cache, removes_what_is_not_valid)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = open_cache(1 << 20);
	struct symtab *st _cleanup_(symtab_freep) = mapped(compile("a", ""));
	struct symtab *again = NULL;
	uint8_t other[BUILD_ID_SIZE];
	char *data _cleanup_(freep) = NULL;
	size_t size;

	cr_assert_eq(symbol_cache_store(c, st), 0);
	cr_assert_eq(read_file(file_of(id_of(st)), 1 << 20, &data, &size), 0);
	/* Damaged, cut off, of another version, of another file. */
	for (int i = 0; i < 4; i++) {
		memcpy(other, id_of(st), BUILD_ID_SIZE);
		if (i == 0)
			data[size / 2] ^= 1;
		if (i == 2)
			((struct symbol_image_header *)data)->version++;
		if (i == 3)
			other[0] ^= 1;
		write_file(file_of(other), data, i == 1 ? size - 8 : size);
		cr_assert_eq(symbol_cache_load(c, other, &again), -EBADMSG);
		cr_assert_neq(access(file_of(other), F_OK), 0);
		if (i == 0)
			data[size / 2] ^= 1;
		if (i == 2)
			((struct symbol_image_header *)data)->version--;
	}
	write_file(file_of(id_of(st)), data, size);
	cr_assert_eq(symbol_cache_load(c, id_of(st), &again), 0);
	symtab_free(again);
	/* A link is not followed. */
	run("mv %s %s/elsewhere && ln -s %s/elsewhere %s", file_of(id_of(st)), dir, dir,
	    file_of(id_of(st)));
	cr_assert_eq(symbol_cache_load(c, id_of(st), &again), -ENOENT);
}

static void set_age(const uint8_t *id, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
				    {.tv_sec = time(NULL) - seconds}};

	cr_assert_eq(utimensat(AT_FDCWD, file_of(id), times, 0), 0);
}

Test(symbol_cache, the_oldest_go)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = NULL;
	struct symtab *tables[4], *again = NULL;

	for (int i = 0; i < 4; i++) {
		char option[64];

		snprintf(option, sizeof(option), "-Wl,--build-id=0x%040d", i + 1);
		tables[i] = mapped(compile("a", option));
	}
	c = open_cache(3 * size_of(tables[0]) + 64);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(symbol_cache_store(c, tables[i]), 0);
		set_age(id_of(tables[i]), 1000 - i);
	}
	/* The first one is used: the second is the oldest then. */
	cr_assert_eq(symbol_cache_load(c, id_of(tables[0]), &again), 0);
	symtab_free(again);
	cr_assert_eq(symbol_cache_store(c, tables[3]), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(access(file_of(id_of(tables[i])), F_OK) == 0, i != 1, "%d", i);

	/* A smaller bound holds from the start; files that are not its own do not count. */
	c = symbol_cache_free(c);
	run("echo x > %s/cache/README", dir);
	set_age(id_of(tables[3]), 2000);
	c = open_cache(2 * size_of(tables[0]) + 64);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(access(file_of(id_of(tables[i])), F_OK) == 0, i == 0 || i == 2, "%d",
			     i);
	run("test -f %s/cache/README", dir);

	/* The latest stays though it alone is too large. */
	c = symbol_cache_free(c);
	c = open_cache(16);
	cr_assert_eq(symbol_cache_store(c, tables[1]), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(access(file_of(id_of(tables[i])), F_OK) == 0, i == 1);
	for (int i = 0; i < 4; i++)
		symtab_free(tables[i]);
}

Test(symbol_cache, unfinished_files_are_removed)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = NULL;

	run("mkdir -m 700 %s/cache && touch -d '1 day ago' %s/cache/.new-1-1 && "
	    "touch %s/cache/.new-2-2",
	    dir, dir, dir);
	c = open_cache(1 << 20);
	run("cd %s/cache && test ! -e .new-1-1 && test -e .new-2-2", dir);
}

Test(symbol_cache, directories_of_others)
{
	struct symbol_cache *c = NULL;

	run("mkdir -m 777 %s/open && mkdir -m 700 %s/mine && ln -s mine %s/link && touch %s/file",
	    dir, dir, dir, dir);
	cr_assert_eq(symbol_cache_new(path_of("open"), 1, &c), -EPERM);
	cr_assert_eq(symbol_cache_new(path_of("link"), 1, &c), -ENOTDIR);
	cr_assert_eq(symbol_cache_new(path_of("file"), 1, &c), -ENOTDIR);
	cr_assert_eq(symbol_cache_new(path_of("no/where"), 1, &c), -ENOENT);
	if (geteuid() == 0) {
		run("chown nobody %s/mine", dir);
		cr_assert_eq(symbol_cache_new(path_of("mine"), 1, &c), -EPERM);
	}
}

struct source {
	struct reader *reader;
	struct symbol_cache *cache;
	const char *debug_dir;
};

/* The name at an offset, from a symbolizer that has just been started. */
static const char *name_by(const struct source *from, const uint8_t *id, const char *path,
			   uint64_t at)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	static char name[256];
	uint64_t offset;
	int r;

	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(symbolizer_set_sources(s, NULL, from->debug_dir), 0);
	symbolizer_set_reader(s, from->reader);
	symbolizer_set_cache(s, from->cache);
	cr_assert_eq(symbolizer_add_file(s, id, path, -1), 0);
	r = symbolizer_resolve(s, id, path, at, name, sizeof(name), &offset);
	return r < 0 ? "" : name;
}

/* The second daemon needs neither the reader nor the file. */
Test(symbol_cache, names_without_reader_or_file)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = open_cache(1 << 20);
	struct reader *good _cleanup_(reader_freep) = NULL, *none _cleanup_(reader_freep) = NULL;
	char *a = compile("a", "");
	struct symtab *st _cleanup_(symtab_freep) = mapped(a);
	uint64_t at = find(st, "hidden_helper").found.file_offset;
	struct source source = {.cache = c, .debug_dir = "/nonexistent"};

	cr_assert_eq(reader_new(NULL, &good), 0);
	cr_assert_eq(reader_new("/nonexistent", &none), 0);
	source.reader = none;
	cr_assert_str_eq(name_by(&source, id_of(st), a, at), "");
	source.reader = good;
	cr_assert_str_eq(name_by(&source, id_of(st), a, at), "hidden_helper");
	source.reader = none;
	cr_assert_str_eq(name_by(&source, id_of(st), "/gone", at), "hidden_helper");

	if (geteuid() != 0)
		return;
	symbol_cache_remove(c, id_of(st));
	run("chown nobody %s", a);
	source.reader = good;
	cr_assert_str_eq(name_by(&source, id_of(st), a, at), "hidden_helper");
	cr_assert_neq(access(file_of(id_of(st)), F_OK), 0, "a file of somebody else is kept");
}

Test(symbol_cache, debug_file_that_comes_later)
{
	struct symbol_cache *c _cleanup_(symbol_cache_freep) = open_cache(1 << 20);
	struct reader *r _cleanup_(reader_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = mapped(compile("a", ""));
	uint64_t at = find(st, "hidden_helper").found.file_offset;
	struct source source = {.cache = c, .debug_dir = path_of("debug")};
	char hex[64] = "";

	cr_assert_eq(reader_new(NULL, &r), 0);
	source.reader = r;
	for (int i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", id_of(st)[i]);
	run("cd %s && objcopy --only-keep-debug a a.debug && strip a", dir);
	cr_assert_str_eq(name_by(&source, id_of(st), path_of("a"), at), "");
	cr_assert_eq(access(file_of(id_of(st)), F_OK), 0);
	run("cd %s && mkdir -p debug/.build-id/%.2s && mv a.debug debug/.build-id/%.2s/%s.debug",
	    dir, hex, hex, hex + 2);
	cr_assert_str_eq(name_by(&source, id_of(st), path_of("a"), at), "hidden_helper");
	run("rm -r %s/debug", dir);
	cr_assert_str_eq(name_by(&source, id_of(st), path_of("a"), at), "hidden_helper");
}
