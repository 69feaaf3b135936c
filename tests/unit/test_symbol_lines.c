/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions, inlined ones too, and lines of addresses: what is planted, and what addr2line says. */
#include <ctype.h>
#include <libgen.h>
#include <sys/stat.h>

#include "reader_help.h"
#include "sonde/base/format.h"
#include "symbol/debug_dirs.h"
#include "symbol/lines.h"
#include "symbol/symbolizer.h"

/* The limit of the others, as Criterion leaks where tests with different ones run side by side. */
TestSuite(symbol_lines, .init = setup, .fini = teardown, .timeout = 120);

static const char inlined[] = "volatile int sink;\n"
			      "#define INLINE __attribute__((always_inline)) static inline\n"
			      "__attribute__((noinline)) void leaf(void) { sink++; }\n"
			      "namespace deep {\n"
			      "struct S {\n"
			      "INLINE_MEMBER int three(int n) {\n"
			      "\tleaf();\n"
			      "\treturn n + 3; } };\n"
			      "INLINE int two(int n) {\n"
			      "\treturn S().three(n + 1) * n; }\n"
			      "}\n"
			      "INLINE int one(int n) {\n"
			      "\treturn deep::two(n + 1) * n; }\n"
			      "__attribute__((noinline)) int top(int n) {\n"
			      "\treturn one(n) * sink; }\n"
			      "int main() {\n"
			      "\treturn top(sink); }\n";

static char *compile_inlined(const char *name, const char *options)
{
	write_file(path_of("i.cpp"), inlined, strlen(inlined));
	run("g++ -O2 -g '-DINLINE_MEMBER=__attribute__((always_inline))' -o %s/%s %s/i.cpp "
	    "-Wl,--build-id=sha1 %s",
	    dir, name, dir, options);
	return path_of(name);
}

static struct line_image *lines_of(const char *path, const char *debug_dir, const uint64_t *offsets,
				   size_t n)
{
	struct elf_image *elf _cleanup_(elf_image_freep) = open_image(path);
	struct line_image *image = NULL;
	struct error error = {};

	cr_assert_eq(lines_new(elf, path, debug_dir, offsets, n, &error, &image), 0, "%s: %s", path,
		     error.message);
	cr_assert_eq(image->n_addresses, n);
	return image;
}

/* "three@i.cpp:7 two@i.cpp:10", innermost first. */
static const char *chain(const struct line_image *image, size_t i)
{
	static char text[16384];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t k = 0; k < image->addresses[i].count; k++) {
		const struct line_entry *e = &image->entries[image->addresses[i].first + k];
		const char *file = image->strings + e->file, *slash = strrchr(file, '/');
		const char *function = image->strings + e->function;

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s@%s:%u", k ? " " : "",
					*function ? function : "?", slash ? slash + 1 : file,
					e->line);
		cr_assert_lt(len, sizeof(text));
	}
	return text;
}

/* All offsets of the function, which is hot and small. */
static size_t offsets_of(const char *path, const char *function, uint64_t offsets[static 4096])
{
	struct symtab *st _cleanup_(symtab_freep) = load(path);
	struct wanted w = find(st, function);

	cr_assert_eq(w.count, 1, "%s", function);
	cr_assert_lt(w.found.size, 4096);
	for (size_t i = 0; i < w.found.size; i++)
		offsets[i] = w.found.file_offset + i;
	return w.found.size;
}

static void expect_planted(const struct line_image *image)
{
	/* g++ writes no mangled names of functions that no other file can call. */
	const char *wanted =
		"_ZN4deep1S5threeEi@i.cpp:7 two@i.cpp:10 one@i.cpp:13 _Z3topi@i.cpp:15";
	size_t n = 0;

	for (size_t i = 0; i < image->n_addresses; i++) {
		n += streq(chain(image, i), wanted);
		cr_expect_not_null(strstr(chain(image, i), "_Z3topi@i.cpp:1"), "%s",
				   chain(image, i));
	}
	cr_expect_gt(n, 0, "the call of the leaf, three deep, is not in %s",
		     chain(image, image->n_addresses / 2));
}

Test(symbol_lines, inlined_three_deep)
{
	static const char *const options[] = {"",
					      "-gdwarf-4",
					      "-gdwarf-5 -gz=zlib",
					      "-O1 -gdwarf-3",
					      "-fno-pie -no-pie",
					      "-flto -gdwarf-5"};
	uint64_t offsets[4096];

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char *path = compile_inlined("a", options[i]);
		size_t n = offsets_of(path, "_Z3topi", offsets);
		struct line_image *image _cleanup_(line_image_freep) =
			lines_of(path, "/nonexistent", offsets, n);

		expect_planted(image);
	}
}

Test(symbol_lines, separate_debug_file)
{
	char *path = compile_inlined("a", ""), hex[41] = "";
	struct elf_image *elf _cleanup_(elf_image_freep) = open_image(path);
	const uint8_t *id = elf_image_build_id(elf);
	struct reader *r _cleanup_(reader_freep) = new_reader();
	uint64_t offsets[4096];
	size_t n = offsets_of(path, "_Z3topi", offsets);

	for (size_t i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	run("mkdir -p %s/debug/.build-id/%.2s && objcopy --only-keep-debug %s "
	    "%s/debug/.build-id/%.2s/%s.debug && strip -g %s",
	    dir, hex, path, dir, hex, hex + 2, path);
	for (int by_reader = 0; by_reader < 2; by_reader++) {
		struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
		struct line_image *image _cleanup_(line_image_freep) = NULL, *none = NULL;
		struct error error = {};

		cr_assert_eq(symbolizer_new(&s), 0);
		cr_assert_eq(symbolizer_set_sources(s, NULL, path_of("debug")), 0);
		if (by_reader)
			symbolizer_set_reader(s, r);
		cr_assert_eq(symbolizer_lines(s, id, path, offsets, n, &error, &image), 0, "%s",
			     error.message);
		expect_planted(image);
		cr_assert_eq(reader_pid(r), 0, "another process reads symbols");
		cr_assert_eq(symbolizer_set_sources(s, NULL, path_of("nothing")), 0);
		cr_assert_eq(symbolizer_lines(s, id, path, offsets, n, NULL, &none), -ENODATA);
		cr_assert_eq(symbolizer_lines(s, id, "[vdso]", offsets, n, NULL, &none),
			     0 - ENODATA);
	}
}

/* dwz keeps what several files have in common in one more: the reader is handed it by its build-id.
 */
Test(symbol_lines, dwz_supplement)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	char *path = compile_inlined("a", "-include map");
	struct reader_identity id = {};
	uint64_t offsets[4096];

	if (access("/usr/bin/dwz", X_OK) < 0)
		cr_skip_test("dwz is not installed");
	(void)compile_inlined("b", "-include map -O1");
	run("cd %s && dwz -m common a b && readelf -SW a | grep -q debugaltlink", dir);
	run("cd %s && id=$(readelf -n common | sed -n 's/.*Build ID: //p') && "
	    "d=debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d && "
	    "mv common $d/$(echo $id | cut -c3-).debug",
	    dir);
	size_t n = offsets_of(path, "_Z3topi", offsets);
	int fd _cleanup_(closep) = open_file(path);

	for (int there = 0; there < 2; there++) {
		struct line_image *image _cleanup_(line_image_freep) = NULL;
		struct error error = {};
		int x = reader_lines(r, fd, path, path_of(there ? "debug" : "nothing"), offsets, n,
				     &error, &id, &image);

		cr_assert_eq(x, there ? 0 : -ENODATA, "%d: %s", x, error.message);
		if (image)
			expect_planted(image);
	}
}

/* What `addr2line -a -i -f` says of an address, as chain() has it; moves on to the next address. */
static const char *chain_of_addr2line(FILE *f)
{
	static char text[16384], line[4096], function[4096];
	size_t len = 0;

	text[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		char *colon, *slash;

		if (startswith(line, "0x"))
			break;
		line[strcspn(line, "\n")] = '\0';
		snprintf(function, sizeof(function), "%s", line);
		cr_assert_not_null(fgets(line, sizeof(line), f));
		line[strcspn(line, " \n")] = '\0'; /* (discriminator 3) */
		colon = strrchr(line, ':');
		cr_assert_not_null(colon);
		*colon = '\0';
		slash = strrchr(line, '/');
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s@%s:%d",
					len ? " " : "", streq(function, "??") ? "?" : function,
					slash ? slash + 1 : line, atoi(colon + 1));
	}
	return text;
}

/*
 * The functions and lines of both, without files: addr2line 2.40 takes the first file of DWARF 5
 * for the one that is compiled. Of assembler the outermost function may be any of its names.
 */
static bool is_same(const char *ours, const char *theirs)
{
	for (;;) {
		size_t a = strcspn(ours, "@"), b = strcspn(theirs, "@");
		bool outermost = !strchr(ours, ' '), assembler = strstr(ours, ".S:") != NULL;

		if ((a != b || memcmp(ours, theirs, a) != 0) && !(outermost && assembler))
			return false;
		ours = strchr(ours, ':');
		theirs = strchr(theirs, ':');
		a = strcspn(ours, " ");
		b = strcspn(theirs, " ");
		if (a != b || memcmp(ours, theirs, a) != 0 || ours[a] != theirs[a])
			return false;
		if (!ours[a])
			return true;
		ours += a + 1;
		theirs += a + 1;
	}
}

static void compare_with_addr2line(const char *path, const char *debug, size_t wanted)
{
	struct elf_image *elf _cleanup_(elf_image_freep) = open_image(path);
	struct symtab *st _cleanup_(symtab_freep) = load_in(path, NULL);
	struct line_image *image _cleanup_(line_image_freep) = NULL;
	const struct elf_section *text = elf_image_find_section(elf, ".text");
	uint64_t offsets[1000], state = 88172645463325252ULL, began;
	size_t n = 0, known = 0, same = 0, deep = 0, equal = 0;
	FILE *f _cleanup_(fclosep) = NULL;

	for (; n < ARRAY_SIZE(offsets); n++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		offsets[n] = text->offset + state % text->size;
	}
	f = fopen(path_of("addresses"), "we");
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%#llx\n",
			(unsigned long long)(offsets[i] - text->offset + text->vaddr));
	fclose(TAKE_PTR(f));
	began = now_monotonic_ns();
	image = lines_of(path, NULL, offsets, n);
	printf("%s: %llu us for %zu addresses\n", path,
	       (unsigned long long)(now_monotonic_ns() - began) / 1000, n);
	run("addr2line -a -i -f -e %s <%s >%s", debug, path_of("addresses"), path_of("said"));
	f = fopen(path_of("said"), "re");
	(void)chain_of_addr2line(f);
	for (size_t i = 0; i < n; i++) {
		const char *said = chain_of_addr2line(f);

		/* Between functions addr2line says the one before. */
		if (startswith(said, "?@") || !image->addresses[i].count ||
		    startswith(chain(image, i), "?@"))
			continue;
		known++;
		equal += streq(said, chain(image, i));
		deep += image->addresses[i].count > 1;
		if (is_same(chain(image, i), said))
			same++;
		else if (known - same < 10)
			printf("%s+%#llx: %s, addr2line: %s\n", path,
			       (unsigned long long)offsets[i], chain(image, i), said);
	}
	printf("%s: %zu known, %zu of them inlined, %zu same\n", path, known, deep, same);
	cr_expect_gt(known, wanted);
	cr_expect_gt(deep, known / 50);
	cr_expect_gt(equal, known * 85 / 100, "%s: %zu of %zu with files", path, equal, known);
	cr_expect_gt(same, known * 99 / 100, "%s: %zu of %zu", path, same, known);
}

Test(symbol_lines, as_addr2line_says)
{
	static char self[256];

	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	compare_with_addr2line(self, self, 500);
}

Test(symbol_lines, libc_as_addr2line_says)
{
	static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";
	struct elf_image *elf _cleanup_(elf_image_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF;
	char debug[64];

	if (elf_image_open_path(libc, NULL, &elf) < 0 ||
	    debug_dirs_open(NULL, elf_image_build_id(elf), BUILD_ID_SIZE, &fd) < 0)
		cr_skip("no debug information of the C library");
	snprintf(debug, sizeof(debug), "/proc/%d/fd/%d", getpid(), fd);
	compare_with_addr2line(libc, debug, 500);
}

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(write_fully(fd, data, size), 0);
	return fd;
}

/* 0 or the error of opening an image that one byte or number was changed in. */
static int open_changed(const struct flat *good, size_t at, uint64_t value, size_t width)
{
	uint8_t *copy _cleanup_(freep) = malloc(good->size);
	struct line_image *image _cleanup_(line_image_freep) = NULL;
	struct error error = {};
	int fd _cleanup_(closep) = -EBADF, r;

	memcpy(copy, good->data, good->size);
	memcpy(copy + at, &value, width);
	fd = memory_file(copy, good->size);
	r = line_image_open(fd, &error, &image);
	cr_expect(r >= 0 || error.message[0]);
	return r;
}

Test(symbol_lines, images_that_lie)
{
	char *path = compile_inlined("a", "");
	uint64_t offsets[4096];
	size_t n = offsets_of(path, "_Z3topi", offsets);
	struct line_image *image _cleanup_(line_image_freep) =
		lines_of(path, "/nonexistent", offsets, n);
	const struct flat *f = &image->flat;
	size_t addresses = sizeof(struct line_image_header), entries = addresses + 8 * n;

	cr_assert_gt(image->n_entries, 3);
	cr_expect_eq(open_changed(f, 0, 'X', 1), -EBADMSG, "magic");
	cr_expect_eq(open_changed(f, 8, 2, 4), -EBADMSG, "version");
	cr_expect_eq(open_changed(f, 12, n + 1, 4), -EBADMSG, "addresses");
	cr_expect_eq(open_changed(f, 12, UINT32_MAX, 4), -EBADMSG, "addresses");
	cr_expect_eq(open_changed(f, 16, image->n_entries - 1, 8), -EBADMSG, "entries");
	cr_expect_eq(open_changed(f, 16, UINT64_MAX / 12, 8), -EBADMSG, "entries");
	cr_expect_eq(open_changed(f, 24, 0, 8), -EBADMSG, "strings");
	cr_expect_eq(open_changed(f, 24, UINT64_MAX, 8), -EBADMSG, "strings");
	cr_expect_eq(open_changed(f, addresses, image->n_entries, 4), -EBADMSG, "first");
	cr_expect_eq(open_changed(f, addresses, UINT32_MAX, 4), -EBADMSG, "first");
	cr_expect_eq(open_changed(f, addresses + 4, LINE_DEPTH_MAX + 1, 4), -EBADMSG, "count");
	cr_expect_eq(open_changed(f, entries, image->strings_size, 4), -EBADMSG, "function");
	cr_expect_eq(open_changed(f, entries + 4, image->strings_size, 4), -EBADMSG, "file");
	cr_expect_eq(open_changed(f, entries + 8, UINT32_MAX, 4), -EBADMSG, "line");
	cr_expect_eq(open_changed(f, f->size - 1, 'x', 1), -EBADMSG, "the end of the strings");
	cr_expect_eq(open_changed(f, f->size - image->strings_size, 'x', 1), -EBADMSG, "\"\"");
	cr_expect_eq(open_changed(f, entries, 0, 4), 0);
	cr_expect_eq(open_changed(f, entries, image->strings_size - 1, 4), 0);
}

/* The reader says the same as this process, and of a file without debug information nothing. */
Test(symbol_lines, by_the_reader)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	char *path = compile_inlined("a", "-gz=zlib");
	struct reader_identity id = {};
	uint64_t offsets[4096];
	size_t n = offsets_of(path, "_Z3topi", offsets);
	int fd _cleanup_(closep) = open_file(path), bin _cleanup_(closep) = -EBADF;
	struct line_image *here _cleanup_(line_image_freep) =
		lines_of(path, "/nonexistent", offsets, n);

	for (int i = 0; i < 2; i++) {
		struct line_image *there _cleanup_(line_image_freep) = NULL, *none = NULL;
		struct error error = {};

		cr_assert_eq(
			reader_lines(r, fd, path, NULL, offsets, i ? n : 0, &error, &id, &there), 0,
			"%s", error.message);
		cr_assert_eq(there->n_addresses, i ? n : 0);
		if (i)
			cr_assert(there->flat.size == here->flat.size &&
				  memcmp(there->flat.data, here->flat.data, here->flat.size) == 0);
		cr_assert_eq(reader_lines(r, fd, path, NULL, offsets, LINE_ADDRESSES_MAX + 1, NULL,
					  &id, &none),
			     -EINVAL);
	}
	write_file(path_of("empty.c"), "int main(void) { return 0; }", 28);
	run("gcc -O2 -o %s/bare %s/empty.c -Wl,--build-id=sha1", dir, dir);
	bin = open_file(path_of("bare"));
	for (int i = 0; i < 2; i++) {
		struct line_image *none = NULL;

		cr_assert_eq(
			reader_lines(r, bin, "bare", "/nonexistent", offsets, 1, NULL, &id, &none),
			-ENODATA);
	}
	cr_assert_eq(reader_failures(r, &(struct reader_failure){}, 1), 0);
}

Test(symbol_lines, a_reader_that_lies)
{
	static const char *const what[] = {"junk", "empty", "segv", "keep"};
	static const int results[] = {-EBADMSG, -EBADMSG, -EPIPE, -EUCLEAN};
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	const uint64_t offset = 0x1000;

	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		char *path = path_of(what[i]);
		struct line_image *none = NULL;
		struct reader_identity id;
		struct error error = {};
		int fd _cleanup_(closep) = -EBADF, x;

		write_file(path, what[i], strlen(what[i]));
		fd = open_file(path);
		x = reader_lines(r, fd, path, dir, &offset, 1, &error, &id, &none);
		cr_expect_eq(x, results[i], "%s: %d %s", what[i], x, error.message);
	}
}
