/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPython: where fields are, what a process may publish of them, tables of lines. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "symbol/python_file.h"
#include "symbol/python_lines.h"
#include "symbol/python_offsets.h"

enum { V3_11 = 0x030b02f0, V3_12 = 0x030c01f0, V3_13 = 0x030d00f0, V3_14 = 0x030e00f0 };

/* What a CPython of that release publishes: words of _Py_DebugOffsets, as its header has them. */
struct published {
	uint64_t words[PYTHON_PUBLISHED_BYTES / 8];
};

static struct published made_up(uint32_t version, const uint8_t *at, size_t n)
{
	struct published p = {};

	memcpy(p.words, "xdebugpy", 8);
	p.words[1] = version;
	p.words[3] = 300000; /* the size of _PyRuntime */
	for (size_t i = 0; i < n; i++)
		p.words[at[i]] = 8 * (i + 1);
	return p;
}

/* In the order of the checks below. */
static const uint8_t in_3_13[] = {5,  8,  9,  21, 23, 25, 30, 29, 31, 33,
				  35, 37, 38, 39, 43, 69, 68, 70, 65, 66};
static const uint8_t in_3_14[] = {5,  8,  9,  24, 26, 28, 33, 32, 34, 36,
				  40, 42, 43, 44, 48, 79, 78, 80, 75, 76};

static void check_published(uint32_t version, const uint8_t *at)
{
	struct published p = made_up(version, at, ARRAY_SIZE(in_3_13));
	struct python_offsets o;
	uint32_t interpreters, says = 0;
	struct error e = {};

	cr_assert(python_offsets_published((uint8_t *)&p, sizeof(p), &says));
	cr_assert_eq(says, version);
	cr_assert_eq(python_offsets_find(version, (uint8_t *)&p, sizeof(p), &e, &o, &interpreters),
		     0, "%s", e.message);
	cr_expect_eq(interpreters, 8);
	cr_expect_eq(o.interpreter_next, 16);
	cr_expect_eq(o.interpreter_threads, 24);
	cr_expect_eq(o.thread_next, 32);
	cr_expect_eq(o.thread_frame, 40);
	cr_expect_eq(o.thread_native_id, 48);
	cr_expect_eq(o.frame_code, 56);
	cr_expect_eq(o.frame_previous, 64);
	cr_expect_eq(o.frame_instruction, 72);
	cr_expect_eq(o.code_file, 88);
	cr_expect_eq(o.code_name, 96);
	cr_expect_eq(o.code_lines, 104);
	cr_expect_eq(o.code_first_line, 112);
	cr_expect_eq(o.code_instructions, 120);
	cr_expect_eq(o.string_length, 128);
	cr_expect_eq(o.string_state, 136);
	cr_expect_eq(o.string_ascii, 144);
	cr_expect_eq(o.string_wide, 160);
	cr_expect_eq(o.bytes_length, 152);
	cr_expect_eq(o.bytes_data, 160);
	cr_expect_eq(o.cframe_frame, PYTHON_NONE);
	cr_expect_eq(o.frame_entry, PYTHON_NONE);
	cr_expect_eq(o.shim_owner, 3);
}

/* The owner's place would be the tenth: 80, which is behind the frame. */
static uint8_t *with_owner(uint8_t to[static ARRAY_SIZE(in_3_13)], const uint8_t *from)
{
	memcpy(to, from, ARRAY_SIZE(in_3_13));
	to[9] = 100; /* some word that nobody reads */
	return to;
}

Test(symbol_python, published_offsets)
{
	uint8_t at[ARRAY_SIZE(in_3_13)];

	check_published(V3_13, with_owner(at, in_3_13));
	check_published(V3_14, with_owner(at, in_3_14));
}

Test(symbol_python, hostile_offsets)
{
	uint8_t at[ARRAY_SIZE(in_3_13)];
	struct published p, good = made_up(V3_13, with_owner(at, in_3_13), ARRAY_SIZE(at));
	struct python_offsets o;
	struct error e = {};
	uint32_t interpreters, says;

#define FIND(what, size)                                                                           \
	python_offsets_find(V3_13, (const uint8_t *)&(what), size, &e, &o, &interpreters)
	cr_assert_eq(FIND(good, sizeof(good)), 0);
	cr_expect_eq(FIND(good, 81 * 8 - 1), -EBADMSG, "cut short");
	for (size_t i = 0; i < ARRAY_SIZE(at) - 1; i++) {
		p = good;
		p.words[at[i]] = i == 0 ? UINT64_MAX : 0x10008;
		if (i != 9)
			cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u too large", at[i]);
	}
	for (uint8_t word = 29; word < 32; word++) { /* fields of the frame */
		p = good;
		p.words[word] = 76;
		cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u is not aligned", word);
		p.words[word] = 80;
		cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u is behind the frame", word);
	}
	for (uint8_t word = 37; word < 39; word++) { /* texts of a code object */
		p = good;
		p.words[word] = p.words[35] + 32;
		cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u is too far behind", word);
		p.words[word] = p.words[35] - 8;
		cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u is before", word);
		p.words[word] = p.words[35] + 4;
		cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "word %u is not aligned", word);
	}
	p = good;
	p.words[33] = 80;
	cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "owner");
	p = good;
	p.words[5] = 300000;
	cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "interpreters behind the runtime");
	p = good;
	p.words[1] = V3_14;
	cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "another release");
	p = good;
	p.words[0] ^= 1;
	cr_expect_not(python_offsets_published((uint8_t *)&p, sizeof(p), &says));
	cr_expect_eq(FIND(p, sizeof(p)), -EBADMSG, "no cookie");
	p = good;
	p.words[2] = 1;
	cr_expect_eq(FIND(p, sizeof(p)), -ENOTSUP, "without the lock");
#undef FIND
}

Test(symbol_python, releases)
{
	static const uint32_t unknown[] = {0, 0x02070fff, 0x030a00f0, 0x030f00f0, 0x040b00f0};
	struct published nothing = {};
	struct python_offsets o;
	struct error e = {};
	uint32_t interpreters;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		cr_expect_eq(python_offsets_find(unknown[i], (uint8_t *)&nothing, sizeof(nothing),
						 &e, &o, &interpreters),
			     -ENOTSUP, "%x", unknown[i]);
	cr_assert_eq(python_offsets_find(V3_11, NULL, 0, &e, &o, &interpreters), 0);
	cr_expect_eq(o.frame_entry, 68);
	cr_expect_eq(o.shim_owner, PYTHON_NONE);
	cr_expect_eq(interpreters, 40);
	cr_assert_eq(python_offsets_find(V3_12, NULL, 0, &e, &o, &interpreters), 0);
	cr_expect_eq(o.frame_entry, PYTHON_NONE);
	cr_expect_eq(o.shim_owner, 3);
}

/*
 * co_linetable of a function with a comprehension, a call on two lines and a `finally`, made by
 * 3.11.2, and what its co_lines() says: {from, to, line}; 0: none.
 */
static const uint8_t table[] = {
	0xf8, 0x80, 0x00, 0xf0, 0x02, 0x01, 0x09, 0x1c, 0xf0, 0x00, 0x01, 0x09, 0x1c, 0xf0, 0x00,
	0x01, 0x09, 0x1c, 0xf0, 0x00, 0x01, 0x09, 0x1c, 0xdd, 0x12, 0x17, 0x98, 0x01, 0x91, 0x28,
	0x94, 0x28, 0xf0, 0x03, 0x01, 0x09, 0x1c, 0xf1, 0x00, 0x01, 0x09, 0x1c, 0xf4, 0x00, 0x01,
	0x09, 0x1c, 0x80, 0x41, 0xe0, 0x07, 0x08, 0xf0, 0x00, 0x03, 0x05, 0x14, 0xe5, 0x0f, 0x10,
	0x90, 0x11, 0xd8, 0x11, 0x12, 0xf1, 0x03, 0x01, 0x10, 0x14, 0xf4, 0x00, 0x01, 0x10, 0x14,
	0xf0, 0x00, 0x01, 0x09, 0x14, 0xf0, 0x04, 0x03, 0x05, 0x11, 0xd8, 0x0f, 0x11, 0xe5, 0x08,
	0x0d, 0x88, 0x61, 0x89, 0x08, 0x8c, 0x08, 0x88, 0x08, 0x88, 0x08, 0x88, 0x08, 0xf8, 0x8d,
	0x05, 0x88, 0x61, 0x89, 0x08, 0x8c, 0x08, 0x88, 0x08, 0x88, 0x08, 0xf8, 0xf8, 0xf8};
static const struct {
	int32_t from, to;
	uint32_t line;
} lines[] = {{0, 2, 0},	  {2, 4, 1},	 {4, 12, 2},	{12, 40, 3},	{40, 58, 2},
	     {58, 62, 4}, {62, 76, 6},	 {76, 78, 7},	{78, 94, 6},	{94, 96, 8},
	     {96, 98, 9}, {98, 132, 11}, {132, 134, 0}, {134, 166, 11}, {166, 172, 0}};

Test(symbol_python, lines_of_a_function)
{
	uint32_t line, before = 1;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		for (int32_t at = lines[i].from; at < lines[i].to; at += 2) {
			line = 0;
			cr_assert_eq(python_lines_find(table, sizeof(table), 1, at, &line), 0);
			cr_expect_eq(line, lines[i].line ? lines[i].line : before, "%d: %u", at,
				     line);
			cr_assert_eq(python_lines_find(table, sizeof(table), 501, at, &line), 0);
			cr_expect_eq(line, 500 + (lines[i].line ? lines[i].line : before));
		}
		before = lines[i].line ? lines[i].line : before;
	}
	cr_expect_eq(python_lines_find(table, sizeof(table), 1, 172, &line), -ENOENT);
	cr_expect_eq(python_lines_find(table, sizeof(table), 1, INT32_MAX, &line), -ENOENT);
	/* A function that has not begun. */
	cr_expect_eq(python_lines_find(table, sizeof(table), 7, -2, &line), 0);
	cr_expect_eq(line, 7);
	/* Cut short in an entry, and between two. */
	cr_expect_eq(python_lines_find(table, 25, 1, 40, &line), -EBADMSG);
	cr_expect_eq(python_lines_find(table, 23, 1, 40, &line), -ENOENT);
}

Test(symbol_python, damaged_lines)
{
	static const uint8_t no_head[] = {0x05, 0, 0},
			     endless[] = {0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f,
					  0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f},
			     below[] = {0xe8, 0x29}; /* 20 lines up */
	uint32_t line = 0;

	cr_expect_eq(python_lines_find(no_head, sizeof(no_head), 1, 0, &line), -EBADMSG);
	cr_expect_eq(python_lines_find(endless, sizeof(endless), 1, 0, &line), -EBADMSG);
	cr_expect_eq(python_lines_find(below, sizeof(below), 1, 0, &line), -EBADMSG);
	cr_expect_eq(python_lines_find(below, sizeof(below), 21, 0, &line), 0);
	cr_expect_eq(line, 1);
	cr_expect_eq(python_lines_find(below, sizeof(below), UINT32_MAX, 0, &line), -EBADMSG);
	seed_rng();
	for (int round = 0; round < 100000; round++) {
		uint8_t bytes[64];
		size_t n = next_random() % sizeof(bytes);

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)next_random() | (round & 1 ? 0x80 : 0);
		(void)python_lines_find(bytes, n, 1, (int32_t)(next_random() % 200), &line);
	}
}

/* Debian's interpreter, and this program, which is none. */
Test(symbol_python, files)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL, *own = NULL;
	struct python_file f;

	cr_assert_eq(elf_image_open_path("/proc/self/exe", NULL, &own), 0);
	python_file_read(own, &f);
	cr_expect_not(f.found);
	if (elf_image_open_path("/usr/bin/python3.11", NULL, &image) < 0)
		cr_skip_test("there is no python3.11");
	python_file_read(image, &f);
	cr_assert(f.found);
	cr_expect_gt(f.runtime, 0);
	cr_expect_gt(f.version, 0);
	cr_assert_geq(f.n_eval, 1);
	cr_expect(python_file_evaluates(&f, f.eval[0].start));
	cr_expect(python_file_evaluates(&f, f.eval[0].end - 1));
	cr_expect_not(python_file_evaluates(&f, f.eval[0].end));
	cr_expect_not(python_file_evaluates(&f, f.eval[0].start - 1));
}
