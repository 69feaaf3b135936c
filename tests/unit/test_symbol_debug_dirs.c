/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where separate debug files are looked for, and whom they must belong to. */
#include <sys/stat.h>

#include "symbol/debug_dirs.h"
#include "symbol/debug_file.h"
#include "symbol/symbolizer.h"
#include "symbol_help.h"

TestSuite(symbol_debug_dirs, .init = setup, .fini = teardown, .timeout = 120);

static const uint8_t id[] = {0xab, 0xcd, 0xef};

/* What is found of the build-id abcdef, or "". */
static const char *found(const char *dirs)
{
	static char text[64];
	int fd _cleanup_(closep) = -EBADF;
	ssize_t n;

	if (debug_dirs_open(dirs, id, sizeof(id), &fd) < 0)
		return "";
	n = read(fd, text, sizeof(text) - 1);
	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

static const char *dirs_of(const char *first, const char *second)
{
	static char text[300];

	snprintf(text, sizeof(text), "%s/%s:%s/%s", dir, first, dir, second);
	return text;
}

static void make(const char *name)
{
	run("umask 022; mkdir -p %s/%s/.build-id/ab && printf %s >%s/%s/.build-id/ab/cdef.debug",
	    dir, name, name, dir, name);
}

Test(symbol_debug_dirs, the_first_that_has_it)
{
	char three[512];

	make("b");
	cr_expect_str_eq(found(dirs_of("a", "b")), "b");
	make("a");
	cr_expect_str_eq(found(dirs_of("a", "b")), "a");
	cr_expect_str_eq(found(path_of("a")), "a");
	cr_expect_str_eq(found(path_of("c")), "");
	snprintf(three, sizeof(three), "%s/x::%s/y:%s/b", dir, dir, dir);
	cr_expect_str_eq(found(three), "b");
	cr_expect_str_eq(found(""), "");
	cr_expect_str_eq(found(NULL), "", "nobody has that build-id");
}

Test(symbol_debug_dirs, build_ids_of_any_length)
{
	uint8_t long_id[DEBUG_ID_MAX + 1] = {0};
	int fd = -EBADF;

	make("a");
	cr_expect_eq(debug_dirs_open(path_of("a"), id, 1, &fd), -ENOENT);
	cr_expect_eq(debug_dirs_open(path_of("a"), id, 0, &fd), -ENOENT);
	cr_expect_eq(debug_dirs_open(path_of("a"), long_id, DEBUG_ID_MAX, &fd), -ENOENT);
	cr_expect_eq(debug_dirs_open(path_of("a"), long_id, sizeof(long_id), &fd), -ENOENT);
	cr_expect_eq(fd, -EBADF);
}

Test(symbol_debug_dirs, others_must_not_be_able_to_write)
{
	static const char *const parts[] = {"", "/.build-id", "/.build-id/ab",
					    "/.build-id/ab/cdef.debug"};
	const mode_t modes[] = {0775, 0757, 0777};

	make("b");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/b%s", dir, parts[i]);
		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			cr_assert_eq(chmod(path, modes[m]), 0);
			cr_expect_str_eq(found(dirs_of("a", "b")), "", "%s with mode %o", path,
					 modes[m]);
			cr_expect_str_eq(found(path_of("b")), "b", "the system's is as it is");
		}
		cr_assert_eq(chmod(path, 0755), 0);
		cr_expect_str_eq(found(dirs_of("a", "b")), "b");
		if (geteuid() != 0)
			continue;
		cr_assert_eq(chown(path, 65534, 65534), 0);
		cr_expect_str_eq(found(dirs_of("a", "b")), "", "%s of somebody else", path);
		cr_assert_eq(chown(path, 0, 0), 0);
	}
}

Test(symbol_debug_dirs, links_and_what_is_no_file)
{
	static const char *const parts[] = {"", "/.build-id", "/.build-id/ab",
					    "/.build-id/ab/cdef.debug"};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		make("b");
		run("cd %s && mv b%s real && ln -s ../../../../../../../../..%s/real b%s", dir,
		    parts[i], dir, parts[i]);
		cr_expect_str_eq(found(dirs_of("a", "b")), "", "%s is a link", parts[i]);
		cr_expect_str_eq(found(path_of("b")), "b", "the system has links");
		run("rm -r %s/b %s/real", dir, dir);
	}
	make("b");
	run("cd %s/b/.build-id/ab && rm cdef.debug && mkfifo cdef.debug", dir);
	cr_expect_str_eq(found(dirs_of("a", "b")), "");
	cr_expect_str_eq(found(dirs_of("b", "a")), "");
}

/* A stripped program, and the tree that has its debug file. */
static void make_stripped(uint8_t ret_id[static BUILD_ID_SIZE], uint64_t *ret_offset)
{
	struct symtab *st _cleanup_(symtab_freep) = load(compile("p", ""));
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path_of("p"));
	char hex[2 * BUILD_ID_SIZE + 1];

	*ret_offset = find(st, "hidden_helper").found.file_offset;
	memcpy(ret_id, elf_image_build_id(image), BUILD_ID_SIZE);
	for (size_t i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", ret_id[i]);
	run("umask 022; cd %s && mkdir -p later/.build-id/%.2s && "
	    "objcopy --only-keep-debug p later/.build-id/%.2s/%s.debug && strip p",
	    dir, hex, hex, hex + 2);
	run("mv %s/later %s/away", dir, dir);
}

static const char *name_at(struct symbolizer *s, const uint8_t *build_id, uint64_t offset)
{
	static char name[256];
	uint64_t at;

	if (symbolizer_resolve(s, build_id, path_of("p"), offset, DEMANGLE_SHORT, name,
			       sizeof(name), &at) < 0)
		return "";
	return name;
}

Test(symbol_debug_dirs, what_comes_later_is_read_when_told_to)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	uint8_t build_id[BUILD_ID_SIZE], other[BUILD_ID_SIZE] = {1}, unknown[BUILD_ID_SIZE] = {0};
	uint64_t offset;

	make_stripped(build_id, &offset);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(symbolizer_set_sources(s, NULL, dirs_of("none", "later")), 0);
	cr_expect_str_eq(name_at(s, build_id, offset), "");
	run("mv %s/away %s/later", dir, dir);
	cr_expect_str_eq(name_at(s, build_id, offset), "", "it was read, and is not again");
	symbolizer_reread(s, other);
	symbolizer_reread(s, unknown);
	cr_expect_str_eq(name_at(s, build_id, offset), "");
	symbolizer_reread(s, build_id);
	cr_expect_str_eq(name_at(s, build_id, offset), "hidden_helper");
}

Test(symbol_debug_dirs, a_failure_is_forgotten_too)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	uint8_t build_id[BUILD_ID_SIZE];
	uint64_t offset;
	char text[256];

	make_stripped(build_id, &offset);
	run("cd %s && mv away later && mv p q", dir);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(symbolizer_set_sources(s, NULL, dirs_of("none", "later")), 0);
	cr_expect_str_eq(name_at(s, build_id, offset), "");
	cr_expect_eq(symbolizer_failure(s, build_id, path_of("p"), text, sizeof(text)), 0);
	run("cd %s && mv q p", dir);
	symbolizer_reread(s, build_id);
	cr_expect_str_eq(name_at(s, build_id, offset), "hidden_helper");
}

Test(symbol_debug_dirs, of_another_build_id_is_not_used)
{
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	uint8_t build_id[BUILD_ID_SIZE];
	uint64_t offset;

	make_stripped(build_id, &offset);
	/* The right name, but it is that of another program. */
	run("cd %s && mv away later && echo 'int main(void) { return 3; }' >o.c && "
	    "gcc -g -o o o.c -Wl,--build-id=sha1 && for f in later/.build-id/*/*; do "
	    "objcopy --only-keep-debug o $f; done",
	    dir);
	st = load_in(path_of("p"), dirs_of("none", "later"));
	cr_expect(symtab_is_stripped(st));
	cr_expect_eq(find(st, "hidden_helper").count, 0);
}
