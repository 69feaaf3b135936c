/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate debug files by .gnu_debuglink: found by the reader's users as in this process. */
#include <sys/stat.h>

#include "reader_help.h"
#include "symbol/debug_file.h"

TestSuite(symbol_debug_link, .init = setup, .fini = teardown, .timeout = 120);

/* A stripped program without a build-id, which says that its debug file is a.debug. */
static void make_linked(void)
{
	compile("a", "-g -Wl,--build-id=none");
	run("cd %s && objcopy --only-keep-debug a a.debug && strip -o s a && "
	    "objcopy --add-gnu-debuglink=a.debug s linked && mkdir .debug && mkdir -p debug%s",
	    dir, dir);
}

/* Whether the function that only the debug file has is found; the same by the reader as here. */
static bool is_found(struct reader *r, const char *name)
{
	const char *path = path_of(name);
	struct symtab *here _cleanup_(symtab_freep) = load_in(path, path_of("debug"));
	struct symtab *there _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = open_file(path);
	struct error error = {};
	struct reader_identity id;

	cr_assert_eq(reader_symbols(r, fd, path, path_of("debug"), &error, &id, &there), 0, "%s",
		     error.message);
	cr_assert_eq(symtab_len(here), symtab_len(there));
	cr_assert_eq(symtab_is_stripped(here), symtab_is_stripped(there));
	cr_assert_eq(find(here, "hidden_helper").count, find(there, "hidden_helper").count);
	return find(there, "hidden_helper").count == 1;
}

Test(symbol_debug_link, places)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();

	make_linked();
	cr_assert(is_found(r, "linked"));
	run("cd %s && mv a.debug .debug", dir);
	cr_assert(is_found(r, "linked"));
	run("cd %s && mv .debug/a.debug debug%s", dir, dir);
	cr_assert(is_found(r, "linked"));
	run("cd %s && cp debug%s/a.debug . && echo >> a.debug", dir, dir);
	cr_assert(is_found(r, "linked"), "a file that does not belong to it is passed over");
	run("cd %s && rm debug%s/a.debug", dir, dir);
	cr_assert(!is_found(r, "linked"), "the checksum is wrong");
}

Test(symbol_debug_link, build_id_is_worth_more)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();

	compile("a", "");
	compile("other", "-DX -O0");
	run("cd %s && objcopy --only-keep-debug a a.debug && objcopy --only-keep-debug other "
	    "o.debug "
	    "&& strip -o s a && objcopy --add-gnu-debuglink=a.debug s linked && "
	    "objcopy --add-gnu-debuglink=o.debug s wrong",
	    dir);
	cr_assert(is_found(r, "linked"));
	cr_assert(!is_found(r, "wrong"), "of another program, with a right checksum");
}

Test(symbol_debug_link, lines_of_it)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct line_image *lines _cleanup_(line_image_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct reader_identity id;
	struct error error = {};
	uint64_t at;

	make_linked();
	st = load(path_of("a"));
	at = find(st, "hidden_helper").found.file_offset;
	fd = open_file(path_of("linked"));
	cr_assert_eq(
		reader_lines(r, fd, path_of("linked"), "/nonexistent", &at, 1, &error, &id, &lines),
		0, "%s", error.message);
	cr_assert_eq(lines->addresses[0].count, 1);
	cr_assert_str_eq(lines->strings + lines->entries[0].function, "hidden_helper");
}

/* Where somebody else could put something in its place, nothing is opened for reading. */
Test(symbol_debug_link, places_of_others)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();

	make_linked();
	run("chmod 0777 %s", dir);
	cr_assert(!is_found(r, "linked"), "anybody can write to the directory");
	run("chmod 0700 %s && chmod 0666 %s/a.debug", dir, dir);
	cr_assert(!is_found(r, "linked"), "anybody can write to the file");
	run("chmod 0600 %s/a.debug && mv %s/a.debug %s/b && ln -s b %s/a.debug", dir, dir, dir,
	    dir);
	cr_assert(!is_found(r, "linked"), "it leads elsewhere");
	run("rm %s/a.debug && mkfifo -m 0600 %s/a.debug", dir, dir);
	cr_assert(!is_found(r, "linked"), "opening it would wait for ever");
	if (geteuid() != 0)
		return;
	run("rm %s/a.debug && mv %s/b %s/a.debug && chown 65534 %s/a.debug", dir, dir, dir, dir);
	cr_assert(!is_found(r, "linked"), "it is another user's");
	run("chown 0 %s/a.debug && chown 65534 %s", dir, dir);
	cr_assert(!is_found(r, "linked"), "the directory is another user's");
	run("chown 0 %s", dir);
	cr_assert(is_found(r, "linked"));
}

/* What the section says is hostile. */
Test(symbol_debug_link, names)
{
	static const struct {
		const char *name;
		size_t size; /* of the section, with the name, zeros and the checksum */
		bool is_good;
	} cases[] = {
		{"a.debug", 12, true},
		{"a.debug", 11, false},
		{"a.debug", 8, false},
		{"a.debug", 3, false},
		{"", 8, false},
		{".", 8, false},
		{"..", 8, false},
		{"../a.debug", 16, false},
		{"/etc/passwd", 16, false},
		{"d/a.debug", 16, false},
		{".a", 8, true},
	};
	char content[1024], name[256], long_name[300];
	uint32_t checksum;

	compile("a", "");
	for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		bool is_long = i == ARRAY_SIZE(cases);

		memset(long_name, 'n', sizeof(long_name));
		long_name[299] = '\0';
		memset(content, 0, sizeof(content));
		strcpy(content, is_long ? long_name : cases[i].name);
		write_file(path_of("section"), content, is_long ? 304 : cases[i].size);
		run("cd %s && objcopy --add-section .gnu_debuglink=section a with", dir);
		image = open_image(path_of("with"));
		cr_expect_eq(debug_file_link(image, name, sizeof(name), &checksum),
			     !is_long && cases[i].is_good ? 0 : -ENOENT, "%s", content);
	}
	cr_assert_eq(debug_file_open_link("../a", "/bin/true", NULL, 0), -ENOENT);
	cr_assert_eq(debug_file_open_link("true", "bin/true", NULL, 0), -ENOENT, "not absolute");
	cr_assert_eq(debug_file_open_link("true", NULL, NULL, 0), -ENOENT);
}
