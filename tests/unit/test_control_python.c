/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Python frames between native ones, and what functions are called. */
#include <criterion/criterion.h>

#include "control/python_codes.h"
#include "control/python_stack.h"

/* A record is written as text: "x" is a frame, "E" one with the entry flag, "S" a shim, "B" the
 * beginning of an interpreter. Frame i of the record is called 'a' + the number of frames before.
 */
static uint64_t words[4 + 2 * RECORD_MAX_PYTHON];
static uint32_t names[RECORD_MAX_PYTHON];

static const struct record_python *record(const char *text, bool whole)
{
	struct record_python *r = (struct record_python *)words;
	uint32_t name = 'a';

	memset(words, 0, sizeof(words));
	r->h.flags = whole ? PYTHON_WHOLE : 0;
	for (const char *c = text; *c; c++) {
		struct record_python_frame *f = &r->frames[r->count];

		f->flags = *c == 'B'   ? PYTHON_BEGIN
			   : *c == 'S' ? PYTHON_SHIM
			   : *c == 'E' ? PYTHON_ENTRY
				       : 0;
		names[r->count] = *c == 'x' || *c == 'E' ? name++ : 0;
		r->count++;
	}
	return r;
}

/* native: leaf first, "*" evaluates, digits are others. The result in the same way. */
static const char *merge(const char *native, bool whole, const struct record_python *r)
{
	static char text[MERGED_MAX + 1];
	uint32_t frames[128], merged[MERGED_MAX];
	bool evaluates[128];
	struct native_stack n = {frames, evaluates, strlen(native), whole};
	size_t len;

	for (size_t i = 0; i < n.n; i++) {
		frames[i] = (uint8_t)native[i];
		evaluates[i] = native[i] == '*';
	}
	len = python_stack_merge(&n, r, names, merged);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)merged[i];
	text[len] = 0;
	return text;
}

#define EXPECT(native, native_whole, python, python_whole, wanted)                                 \
	do {                                                                                       \
		const char *_got = merge(native, native_whole, record(python, python_whole));      \
		cr_expect_str_eq(_got, wanted, "%s and %s: %s", native, python, _got);             \
	} while (0)

Test(control_python, groups_take_the_place_of_evaluations)
{
	EXPECT("1*2", true, "BE", true, "1a2");
	EXPECT("1*2", true, "BxxE", true, "1abc2");
	EXPECT("*1*2", true, "BxExE", true, "ab1cd2");
	/* 3.12 */
	EXPECT("1*2", true, "BxxS", true, "1ab2");
	EXPECT("*1*2", true, "BxSxxS", true, "a1bc2");
	EXPECT("12", true, "", true, "12");
}

/* A sample in the first instructions of an evaluation, or its last. */
Test(control_python, evaluations_without_frames)
{
	EXPECT("*1*2", true, "BxE", true, "*1ab2");
	EXPECT("*1*2", true, "BSxS", true, "*1a2");
	EXPECT("*1*2*3", true, "BE", true, "*1*2a3");
}

Test(control_python, stacks_that_are_cut_off)
{
	/* The native one: what Python knows of its callers is there. */
	EXPECT("1*2", false, "BxExE", true, "1ab2cd");
	EXPECT("1", false, "BxE", true, "1ab");
	EXPECT("", false, "BE", true, "a");
	/* Python's: the innermost are those that are known. */
	EXPECT("1*2*3", true, "BxEx", false, "1ab2c3");
	EXPECT("1*2*3", true, "BxxxS", false, "1abc2*3");
	/* It cannot be told which evaluation has no frames. */
	EXPECT("*1*2", false, "BE", true, "");
}

Test(control_python, what_does_not_fit_is_left_alone)
{
	EXPECT("1*2", true, "BExE", true, "");
	EXPECT("12", true, "BE", true, "");
}

/* Interpreters are ordered by where their frames are on the C stack. */
Test(control_python, two_interpreters)
{
	struct record_python *r = (struct record_python *)(uintptr_t)record("BEBE", true);

	r->frames[0].code = 2000;
	r->frames[2].code = 1000;
	cr_expect_str_eq(merge("1*2*3", true, r), "1b2a3");
	r = (struct record_python *)(uintptr_t)record("BxSBxS", true);
	r->frames[2].code = 2000;
	r->frames[5].code = 1000;
	cr_expect_str_eq(merge("1*2*3", true, r), "1b2a3");
	r->frames[5].code = 3000;
	cr_expect_str_eq(merge("1*2*3", true, r), "1a2b3");
}

Test(control_python, text)
{
	static const uint16_t ucs2[] = {'f', 0x444, 0x4e2d, 0xd800, 0};
	static const uint32_t ucs4[] = {'g', 0x1f40d, 0x110000};
	static const uint8_t latin1[] = {'a', 0xe9, 0xff};
	char text[32];

	python_text(latin1, sizeof(latin1), 1, text, sizeof(text));
	cr_expect_str_eq(text, "aéÿ");
	python_text((const uint8_t *)ucs2, sizeof(ucs2), 2, text, sizeof(text));
	cr_expect_str_eq(text, "fф中\xef\xbf\xbd\xef\xbf\xbd");
	python_text((const uint8_t *)ucs4, sizeof(ucs4), 4, text, sizeof(text));
	cr_expect_str_eq(text, "g🐍\xef\xbf\xbd");
	python_text((const uint8_t *)ucs4, 8, 4, text, 5);
	cr_expect_str_eq(text, "g", "a character that does not fit is left out");
	python_text(latin1, 0, 0, text, sizeof(text));
	cr_expect_str_eq(text, "");
}

static void announce(struct python_codes *c, uint64_t code, const char *name, uint32_t line)
{
	struct record_python_code r = {.code = code,
				       .first_line = line,
				       .name_kind = 1,
				       .file_kind = 1,
				       .name_len = (uint16_t)strlen(name),
				       .file_len = 7,
				       .lines_len = 2,
				       .lines_size = 2};

	memcpy(r.name, name, r.name_len);
	memcpy(r.file, "/a/b.py", 7);
	memcpy(r.lines, "\x81", 2); /* four bytes of code, on the first line */
	cr_assert_eq(python_codes_add(c, &r), 0);
}

static void expect_frame(struct model *m, uint32_t id, const char *name, uint64_t line)
{
	const struct model_frame *f = model_frame_peek(m, id);

	cr_assert(f);
	cr_expect_str_eq(model_string_get(m, f->function), name);
	cr_expect_eq(f->offset, line, "%s: line %llu", name, (unsigned long long)f->offset);
	cr_expect(model_file_get(m, f->file)->flags & FILE_PYTHON);
}

Test(control_python, frames_of_functions)
{
	_cleanup_(model_freep) struct model *m = NULL;
	_cleanup_(python_codes_freep) struct python_codes *c = NULL;
	uint32_t f, g;

	cr_assert_eq(model_new(&m), 0);
	c = python_codes_new(m);
	cr_assert(c);
	announce(c, 0x1000, "f", 5);
	announce(c, 0x2000, "g", 5);
	f = python_codes_frame(c, 0x1000, 0);
	g = python_codes_frame(c, 0x2000, 0);
	expect_frame(m, f, "f", 5);
	expect_frame(m, g, "g", 5);
	cr_expect_neq(f, g, "two functions on one line");
	cr_expect_eq(python_codes_frame(c, 0x1000, 2), f, "on the same line");
	expect_frame(m, python_codes_frame(c, 0x1000, 4), "f", 0); /* behind what was sent */
	expect_frame(m, python_codes_frame(c, 0x3000, 0), "[python]", 0);
	announce(c, 0x1000, "h", 9);
	expect_frame(m, python_codes_frame(c, 0x1000, 0), "h", 9);
	expect_frame(m, f, "f", 5);
}

/* The .py file and a mapped file of that name are two files. */
Test(control_python, source_files_are_their_own)
{
	_cleanup_(model_freep) struct model *m = NULL;
	uint32_t mapped, source;

	cr_assert_eq(model_new(&m), 0);
	mapped = model_file(m, NULL, "/a/b.py", 0);
	source = model_file(m, NULL, "/a/b.py", FILE_PYTHON);
	cr_expect_neq(mapped, source);
	cr_expect_eq(model_file(m, NULL, "/a/b.py", 0), mapped);
	cr_expect_eq(model_file(m, NULL, "/a/b.py", FILE_PYTHON), source);
}
