/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source lines of frames are read once a file and place, and kept. */
#include <criterion/criterion.h>

#include "control/frame_lines.h"

static const char program[] =
	"int sink;\n"
	"namespace ns { struct S {\n"
	"\t__attribute__((always_inline)) int in(int n) { return sink += n; }\n"
	"}; }\n"
	"__attribute__((noinline)) int top(int n) { return ns::S().in(n); }\n"
	"int main() { return top(1); }\n";

static char dir[64], path[128];

static void setup(void)
{
	char command[512];
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/sonde-lines-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p.cpp", dir);
	f = fopen(path, "we");
	cr_assert(f && fputs(program, f) >= 0 && fclose(f) == 0);
	snprintf(command, sizeof(command), "g++ -O2 -g -o %s/p %s -Wl,--build-id=sha1", dir, path);
	cr_assert_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/p", dir);
}

static void teardown(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(control_lines, .init = setup, .fini = teardown, .timeout = 60);

static uint64_t offset_of_top(struct elf_image *image)
{
	_cleanup_(symtab_freep) struct symtab *st = NULL;
	const struct elf_section *text = elf_image_find_section(image, ".text");
	const char *name;
	uint64_t at;

	cr_assert_eq(symtab_load(image, path, "/nonexistent", NULL, &st), 0);
	for (uint64_t i = 0; i < text->size; i++)
		if (symtab_lookup_offset(st, text->offset + i, &name, &at) == 0 &&
		    streq(name, "_Z3topi"))
			return text->offset + i;
	cr_assert_fail("no top");
	return 0;
}

/* "function:line", or "" where there is none. */
static const char *get(const struct source_lines *l, const struct model_file *file, uint64_t offset,
		       size_t depth)
{
	static char text[256];
	struct source_line line = {};

	text[0] = '\0';
	if (l->get(l->arg, file, offset, depth, &line) > 0)
		snprintf(text, sizeof(text), "%s:%u", line.function, line.line);
	cr_expect(!text[0] || strstr(line.file, "p.cpp"));
	free(line.function);
	free(line.file);
	return text;
}

static bool is_deep(const struct source_lines *l, const struct model_file *file, uint64_t top,
		    const char *wanted, uint64_t *ret)
{
	for (*ret = top; *ret < top + 64; ++*ret)
		if (streq(get(l, file, *ret, 0), wanted))
			return true;
	return false;
}

Test(control_lines, are_read_once)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	_cleanup_(frame_lines_freep) struct frame_lines *lines = NULL;
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	struct model_file file = {}, other = {.build_id = {9}};
	struct source_lines l;
	uint64_t offsets[65], top, at;

	cr_assert_eq(elf_image_open_path(path, NULL, &image), 0);
	memcpy(file.build_id, elf_image_build_id(image), BUILD_ID_LEN);
	top = offset_of_top(image);
	for (size_t i = 0; i < 64; i++)
		offsets[i] = top + i;
	offsets[64] = offsets[63];
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(frame_lines_new(s, &lines), 0);
	l = frame_lines_begin(lines, DEMANGLE_SHORT);
	cr_assert_str_eq(get(&l, &file, top, 0), "", "nothing was read");
	cr_assert_eq(l.prepare(l.arg, &file, path, offsets, 65), 0);
	cr_assert(is_deep(&l, &file, top, "ns::S::in:3", &at));
	cr_assert_str_eq(get(&l, &file, at, 1), "top:5");
	cr_assert_str_eq(get(&l, &file, at, 2), "");
	cr_assert_eq(l.prepare(l.arg, &other, path, offsets, 1), 0, "of another build-id");
	cr_assert_str_eq(get(&l, &other, top, 0), "");

	/* The file is not needed any more; only how names are shown is another matter. */
	cr_assert_eq(unlink(path), 0);
	l = frame_lines_begin(lines, DEMANGLE_FULL);
	cr_assert_eq(l.prepare(l.arg, &file, path, offsets, 65), 0);
	cr_assert_str_eq(get(&l, &file, at, 0), "ns::S::in(int):3");
	l = frame_lines_begin(lines, DEMANGLE_NONE);
	cr_assert_str_eq(get(&l, &file, at, 1), "_Z3topi:5");
}

/* A file that has none is not asked again, until there is reason to. */
Test(control_lines, what_is_known_of_files)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	_cleanup_(frame_lines_freep) struct frame_lines *lines = NULL;
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	struct model_file file = {}, other = {.build_id = {9}};
	struct source_lines l;
	char command[512];
	uint64_t top;

	cr_assert_eq(elf_image_open_path(path, NULL, &image), 0);
	memcpy(file.build_id, elf_image_build_id(image), BUILD_ID_LEN);
	top = offset_of_top(image);
	snprintf(command, sizeof(command), "cd %s && cp p whole && strip -g p", dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(frame_lines_new(s, &lines), 0);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_UNKNOWN);
	l = frame_lines_begin(lines, DEMANGLE_SHORT);
	cr_assert_eq(l.prepare(l.arg, &file, path, &top, 1), 0);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_NONE);
	cr_assert_eq(l.prepare(l.arg, &other, "/nonexistent", &top, 1), 0);
	cr_expect_eq(frame_lines_state(lines, other.build_id), LINES_NO_FILE);

	snprintf(command, sizeof(command), "cd %s && cp whole p", dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(l.prepare(l.arg, &file, path, &top, 1), 0);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_NONE);
	frame_lines_forget(lines);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_UNKNOWN);
	cr_assert_eq(l.prepare(l.arg, &file, path, &top, 1), 0);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_READ);
	cr_expect(get(&l, &file, top, 0)[0], "it was read again");
	/* Of what is known nothing has to be read to know that there is some. */
	cr_assert_eq(l.prepare(l.arg, &file, path, &top, 1), 0);
	cr_expect_eq(frame_lines_state(lines, file.build_id), LINES_READ);
}

/* What a recording has, too, is demangled by the reader, and by nobody else. */
Test(control_lines, names_are_shown_by_the_reader)
{
	_cleanup_(reader_freep) struct reader *none = NULL;
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	_cleanup_(frame_lines_freep) struct frame_lines *lines = NULL;
	_cleanup_(freep) char *here = NULL, *there = NULL;
	struct source_lines l;

	cr_assert_eq(reader_new("/nonexistent", &none), 0);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(frame_lines_new(s, &lines), 0);
	l = frame_lines_begin(lines, DEMANGLE_FULL);
	here = l.show(l.arg, "_Z3topi");
	cr_assert_str_eq(here, "top(int)", "tests may do without");
	symbolizer_set_reader(s, none);
	there = l.show(l.arg, "_Z3topi");
	cr_assert_str_eq(there, "_Z3topi");
}
