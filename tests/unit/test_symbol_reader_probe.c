/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What attaching asks the reader process: the same answers as reading in this process gives, for
 * real files, and errors where a file or a reader does harm.
 */
#include "reader_help.h"
#include "symbol/dwarf_file.h"
#include "symbol/landing_internal.h"
#include "symbol/reader_probe.h"
#include "symbol/usdt.h"

TestSuite(symbol_reader_probe, .init = setup, .fini = teardown, .timeout = 120);

static const char cpp_program[] = "#include <stdio.h>\n#include <stdexcept>\n#include <string>\n"
				  "__attribute__((noinline)) int half(int n) { if (n % 2) throw "
				  "std::runtime_error(\"odd\");\n"
				  "  return n / 2; }\n"
				  "int main(int c, char **) { std::string s(\"x\");\n"
				  "  try { return half(c); } catch (const std::exception &e) { "
				  "puts(e.what()); return 1; } }\n";

static const char *const real_files[] = {
	"/lib/x86_64-linux-gnu/libc.so.6",
	"/usr/bin/python3.11",
	"/usr/bin/redis-server",
	"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
};

static const char *cpp_file(void)
{
	write_file(path_of("c.cc"), cpp_program, strlen(cpp_program));
	run("g++ -O2 -w -o %s/cpp %s/c.cc", dir, dir);
	return path_of("cpp");
}

/* Calls `check` with each file that there is, three at least. */
static void each_file(void (*check)(struct reader *r, const char *path, int fd,
				    struct elf_image *image))
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	size_t read = 0;

	for (size_t i = 0; i <= ARRAY_SIZE(real_files); i++) {
		const char *path = i == 0 ? cpp_file() : real_files[i - 1];
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		int fd _cleanup_(closep) = -EBADF;

		if (access(path, R_OK) < 0)
			continue;
		image = open_image(path);
		fd = open_file(path);
		check(r, path, fd, image);
		read++;
	}
	cr_assert_geq(read, 3);
}

static const char *const names[] = {"malloc", "__libc_start_main", "no_such_symbol", "__cxa_throw"};

static void check_file(struct reader *r, const char *path, int fd, struct elf_image *image)
{
	struct file_image *there _cleanup_(file_image_freep) = NULL;
	const struct elf_segment *segments;
	const struct elf_section *sections;
	struct error e = {};
	size_t n;

	cr_assert_eq(reader_file(r, fd, path, names, ARRAY_SIZE(names), &e, &there), 0, "%s: %s",
		     path, e.message);
	cr_expect_eq(there->is_x86_64, elf_image_is_x86_64(image));
	cr_expect_eq(there->is_64bit, elf_image_is_64bit(image));
	segments = elf_image_segments(image, &n);
	cr_assert_eq(there->n_segments, n);
	for (size_t i = 0; i < n; i++)
		cr_expect(segments[i].vaddr == there->segments[i].vaddr &&
			  segments[i].offset == there->segments[i].offset &&
			  segments[i].file_size == there->segments[i].file_size &&
			  segments[i].memory_size == there->segments[i].memory_size &&
			  segments[i].executable == there->segments[i].executable);
	sections = elf_image_sections(image, &n);
	cr_assert_eq(there->n_sections, n);
	for (size_t i = 0; i < n; i++) {
		const struct file_section *s = &there->sections[i];

		cr_expect_str_eq(there->strings + s->name, sections[i].name);
		cr_expect(s->vaddr == sections[i].vaddr && s->size == sections[i].size);
	}
	cr_expect(file_image_section(there, ".text") && !file_image_section(there, ".tex"));
	/* Who defines them, and who uses them. */
	if (strstr(path, "libc.so")) {
		cr_expect_eq(there->symbols[0], FILE_SYMBOL_THERE | FILE_SYMBOL_DEFINED);
		cr_expect_eq(there->symbols[1], FILE_SYMBOL_THERE | FILE_SYMBOL_DEFINED);
	} else if (strstr(path, "cpp")) {
		cr_expect_eq(there->symbols[1], FILE_SYMBOL_THERE);
		cr_expect_eq(there->symbols[3], FILE_SYMBOL_THERE);
	} else if (strstr(path, "libstdc++")) {
		cr_expect_eq(there->symbols[3], FILE_SYMBOL_THERE | FILE_SYMBOL_DEFINED);
	}
	cr_expect_eq(there->symbols[2], 0);
}

Test(symbol_reader_probe, files_are_those_read_here)
{
	each_file(check_file);
}

static void check_functions(struct reader *r, const char *path, int fd, struct elf_image *image)
{
	struct symtab *here _cleanup_(symtab_freep) = NULL, *there _cleanup_(symtab_freep) = NULL;

	cr_assert_eq(symtab_load(image, path, NULL, NULL, &here), 0);
	cr_assert_eq(reader_functions(r, fd, path, NULL, NULL, &there), 0);
	cr_expect_eq(symtab_len(here), symtab_len(there));
	cr_expect_eq(symtab_is_stripped(here), symtab_is_stripped(there));
}

Test(symbol_reader_probe, functions_are_those_read_here)
{
	each_file(check_functions);
}

static size_t landings_seen;

static void check_landings(struct reader *r, const char *path, int fd, struct elf_image *image)
{
	struct landing_table *here _cleanup_(landing_table_freep) = NULL;
	struct landing_table *there _cleanup_(landing_table_freep) = NULL;
	struct error e = {};

	cr_assert_eq(landing_table_new(image, &here), 0);
	cr_assert_eq(reader_landings(r, fd, path, &e, &there), 0, "%s: %s", path, e.message);
	cr_assert_eq(here->n, there->n);
	cr_assert_eq(here->n_landings, there->n_landings);
	if (here->n == 0)
		return;
	cr_expect_eq(memcmp(here->parts, there->parts, here->n * sizeof(*here->parts)), 0);
	cr_expect_eq(
		memcmp(here->landings, there->landings, here->n_landings * sizeof(*here->landings)),
		0);
	landings_seen += there->n_landings;
}

Test(symbol_reader_probe, landings_are_those_read_here)
{
	landings_seen = 0;
	each_file(check_landings);
	cr_expect_gt(landings_seen, 100);
}

static size_t notes_seen;

static void check_notes(struct reader *r, const char *path, int fd, struct elf_image *image)
{
	_cleanup_(usdt_notes_freep) struct usdt_notes *here = NULL, *there = NULL;
	const struct usdt_note *a, *b;
	int expected = usdt_notes_read(image, &here);
	size_t n, same;

	cr_assert_eq(reader_notes(r, fd, path, NULL, &there), expected);
	if (expected < 0)
		return;
	a = usdt_notes_all(here, &n);
	b = usdt_notes_all(there, &same);
	cr_assert_eq(n, same);
	for (size_t i = 0; i < n; i++) {
		cr_expect_str_eq(a[i].provider, b[i].provider);
		cr_expect_str_eq(a[i].name, b[i].name);
		cr_expect_str_eq(a[i].args, b[i].args);
		cr_expect(a[i].vaddr == b[i].vaddr && a[i].semaphore == b[i].semaphore);
	}
	notes_seen += n;
}

Test(symbol_reader_probe, notes_are_those_read_here)
{
	notes_seen = 0;
	each_file(check_notes);
	cr_expect_gt(notes_seen, 10, "libc has some");
}

/* What it is asked for is chosen by `kind`; its result and message. */
static int ask(struct reader *r, enum reader_kind kind, int fd, struct error *e)
{
	struct file_image *file _cleanup_(file_image_freep) = NULL;
	struct landing_table *landings _cleanup_(landing_table_freep) = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;

	switch (kind) {
	case READ_FILE:
		return reader_file(r, fd, "FILE", names, ARRAY_SIZE(names), e, &file);
	case READ_LANDINGS:
		return reader_landings(r, fd, "FILE", e, &landings);
	default:
		return reader_notes(r, fd, "FILE", e, &notes);
	}
}

Test(symbol_reader_probe, hostile_readers)
{
	static const struct {
		const char *content;
		int result;
		const char *reason;
	} cases[] = {
		{"segv", -EPIPE, "killed by a bad memory access while reading FILE."},
		{"exit", -EPIPE, "ended by itself (status 7) while reading FILE."},
		{"junk", -EBADMSG, "nonsense and was killed while reading FILE."},
		{"empty", -EBADMSG, "nonsense and was killed while reading FILE."},
		{"keep", -EUCLEAN, "writable and was killed while reading FILE."},
	};
	static const enum reader_kind kinds[] = {READ_FILE, READ_LANDINGS, READ_NOTES};
	struct reader *r _cleanup_(reader_freep) = new_hostile();

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(kinds); i++) {
		size_t c = i / ARRAY_SIZE(kinds);
		char *path = path_of(cases[c].content);
		struct error e = {}, again = {};
		struct reader_failure failure;
		int fd _cleanup_(closep) = -EBADF;

		write_file(path, cases[c].content, strlen(cases[c].content));
		fd = open_file(path);
		cr_expect_eq(ask(r, kinds[i % ARRAY_SIZE(kinds)], fd, &e), cases[c].result, "%s",
			     cases[c].content);
		cr_expect(reader_gave_up(cases[c].result));
		cr_expect(strstr(e.message, cases[c].reason), "%s: %s", cases[c].content,
			  e.message);
		/* It is kept for the doctor, and not tried again. */
		cr_assert_eq(reader_failures(r, &failure, 1), 1);
		cr_expect_str_eq(failure.reason, e.message);
		cr_expect_eq(ask(r, kinds[i % ARRAY_SIZE(kinds)], fd, &again), cases[c].result);
		cr_expect_str_eq(again.message, e.message);
		cr_assert_eq(unlink(path), 0);
	}
}

/* The answer of a reader about another question is none. */
Test(symbol_reader_probe, the_number_of_symbols_is_checked)
{
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	int fd _cleanup_(closep) = -EBADF;
	struct error e = {};

	write_file(path_of("f"), "@", 1);
	fd = open_file(path_of("f"));
	cr_expect_eq(ask(r, READ_FILE, fd, &e), -EBADMSG, "it was asked about four names");
}

Test(symbol_reader_probe, no_program)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	static const char script[] = "#!/bin/sh\necho this is longer than an ELF header, by far\n";
	static const enum reader_kind kinds[] = {READ_FILE, READ_LANDINGS, READ_NOTES};
	struct reader_failure failure;
	int fd _cleanup_(closep) = -EBADF;

	write_file(path_of("script"), script, sizeof(script) - 1);
	fd = open_file(path_of("script"));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct error here = {}, there = {};

		cr_expect_eq(ask(r, kinds[i], fd, &there), -ENOEXEC);
		cr_expect_eq(ask(NULL, kinds[i], fd, &here), -ENOEXEC);
		cr_expect_str_eq(here.message, there.message);
	}
	cr_expect_eq(reader_failures(r, &failure, 1), 0);
}

/* A name beside the file, of .gnu_debuglink, is followed if it is of the same build. */
Test(symbol_reader_probe, debug_link)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct symtab *st = NULL;
	int fd _cleanup_(closep) = -EBADF;

	compile("a", "");
	run("cd %s && objcopy --only-keep-debug a a.debug && strip -o s a && "
	    "objcopy --add-gnu-debuglink=a.debug s linked",
	    dir);
	fd = open_file(path_of("linked"));
	cr_assert_eq(reader_functions(r, fd, path_of("linked"), "/nonexistent", NULL, &st), 0);
	cr_expect_eq(find(st, "hidden_helper").count, 1);
	symtab_free(st);
	compile("a", "-O0 -DX");
	run("cd %s && objcopy --only-keep-debug a a.debug", dir);
	cr_assert_eq(reader_functions(r, fd, path_of("linked"), "/nonexistent", NULL, &st), 0);
	cr_expect_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);
}
