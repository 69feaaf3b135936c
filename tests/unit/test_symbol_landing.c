/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landing pads: of tables written by hand in every encoding, of compiled programs, of damage. */
#include "symbol_help.h"

#include "symbol/landing.h"

#if defined(__x86_64__)
#define SKIP_ELSEWHERE()
#else
#define SKIP_ELSEWHERE() cr_skip_test("the assembly is for x86-64")
#endif

/*
 * Functions of three call sites: two land, at NAME_one and at NAME_two, the third nowhere. by_base
 * has a landing base of its own and types, in_full an address without relocation; the last four
 * are unknown or damaged.
 */
static const char encodings[] =
	".macro function name, encoding\n"
	".section .text.\\name,\"ax\"\n"
	".globl \\name, \\name\\()_one, \\name\\()_two\n"
	".type \\name,@function\n"
	".type \\name\\()_one,@function\n"
	".type \\name\\()_two,@function\n"
	"\\name:\n"
	".cfi_startproc\n"
	".cfi_personality 0x9b,person\n"
	".cfi_lsda \\encoding,\\name\\()_table\n"
	"nop; nop; nop; ret\n"
	"\\name\\()_one: nop; ret\n"
	"\\name\\()_two: ret\n"
	".cfi_endproc\n"
	".size \\name,.-\\name\n"
	".section .gcc_except_table,\"a\"\n"
	"\\name\\()_table:\n"
	".endm\n"
	".macro header encoding\n"
	".byte 0xff, 0xff, \\encoding\n"
	".uleb128 4f-3f\n"
	"3:\n"
	".endm\n"
	".macro sites number, name, base\n"
	"\\number 0, 1, \\name\\()_one-\\base\n"
	".uleb128 0\n"
	"\\number 1, 1, \\name\\()_two-\\base\n"
	".uleb128 1\n"
	"\\number 2, 1, 0\n"
	".uleb128 0\n"
	"4:\n"
	".endm\n"
	".data\n"
	"person: .quad 0\n"
	"function by_leb 0x1b; header 1; sites .uleb128 by_leb by_leb\n"
	"function by_four 0x1b; header 3; sites .long by_four by_four\n"
	"function by_two 0x1b; header 0x0a; sites .short by_two by_two\n"
	"function by_eight 0x1c; header 4; sites .quad by_eight by_eight\n"
	"function in_full 0; header 1; sites .uleb128 in_full in_full\n"
	"function by_base 0x1b\n"
	".byte 0x1b; .long by_base_one-4-.\n"
	".byte 0x9b; .uleb128 100\n"
	".byte 1; .uleb128 4f-3f\n"
	"3: sites .uleb128 by_base (by_base_one-4)\n"
	"function relative 0x1b; header 0x13; sites .long relative relative\n"
	"function odd 0x1b; header 7; sites .long odd odd\n"
	"function too_long 0x1b\n"
	".byte 0xff, 0xff, 1\n"
	".uleb128 0x7fffffff, 0, 1, 4, 0\n"
	"function far_away 0x1b; header 1\n"
	".uleb128 0, 1, 0x7000000, 0\n"
	"4:\n"
	".text\n"
	".globl _start\n"
	".type _start,@function\n"
	"_start: ret\n"
	".section .note.GNU-stack,\"\"\n";

static struct landing_table *read_table(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct landing_table *t = NULL;

	cr_assert_eq(landing_table_new(image, &t), 0);
	return t;
}

static uint64_t address(const struct symtab *st, const char *name)
{
	struct wanted w = find(st, name);

	cr_assert_eq(w.count, 1, "%s", name);
	return w.found.vaddr;
}

static uint64_t address_of(const struct symtab *st, const char *name, const char *suffix)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	return address(st, full);
}

Test(landing, encodings, .init = setup, .fini = teardown)
{
	static const char *const good[] = {"by_leb",   "by_four", "by_two",
					   "by_eight", "by_base", "in_full"};
	static const char *const bad[] = {"relative", "odd", "too_long", "far_away"};
	struct landing_table *t _cleanup_(landing_table_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct landing_part part;
	size_t n;

	SKIP_ELSEWHERE();
	write_file(path_of("e.s"), encodings, strlen(encodings));
	run("gcc -nostdlib -no-pie -o %s/e %s/e.s", dir, dir);
	st = load(path_of("e"));
	t = read_table(path_of("e"));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t start = address(st, good[i]);
		const uint64_t *l = landing_table_find(t, start, 7, &n);

		cr_assert_eq(n, 2, "%s: %zu", good[i], n);
		cr_expect_eq(l[0], address_of(st, good[i], "_one"), "%s", good[i]);
		cr_expect_eq(l[1], address_of(st, good[i], "_two"), "%s", good[i]);
		for (uint64_t at = start; at < start + 7; at++) {
			cr_assert(landing_table_part(t, at, &part), "%s", good[i]);
			cr_expect(part.vaddr == start && part.size == 7 && part.n == 2);
			cr_expect_eq(part.landings, l);
		}
		landing_table_find(t, start + 1, 6, &n);
		cr_expect_eq(n, 0, "it begins before");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_null(landing_table_find(t, address(st, bad[i]), 7, &n));
		cr_expect_eq(n, 0, "%s", bad[i]);
		cr_expect(landing_table_part(t, address(st, bad[i]), &part), "%s", bad[i]);
		cr_expect_eq(part.n, 0);
	}
	cr_expect_not(landing_table_part(t, address(st, "_start"), &part));
	cr_expect_not(landing_table_part(t, 0, &part));
	cr_expect_not(landing_table_part(t, UINT64_MAX, &part));
	landing_table_find(t, 0, UINT64_MAX, &n);
	cr_expect_eq(n, 2 * ARRAY_SIZE(good), "all of the file");
}

static const char cc_program[] =
	"#include <stdexcept>\n#define N __attribute__((noinline, noclone, used))\n"
	"N int thrower(int a) { if (a > 2) throw a; return a; }\n"
	"N int catcher(int a) { try { return thrower(a); } catch (int x) { return x * 3; } }\n"
	"N int calm(int a) { return a * 7; }\n"
	"int main(int c, char **) { return catcher(c) + calm(c); }\n";

/* 1 byte in 8 of a section becomes any. */
static void damage(const char *path, const struct elf_section *s, unsigned int *seed)
{
	int fd _cleanup_(closep) = open(path, O_RDWR | O_CLOEXEC);

	for (uint64_t i = 0; i < s->size / 8 + 1; i++) {
		uint8_t byte = (uint8_t)rand_r(seed);

		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(s->offset + rand_r(seed) % s->size)), 1);
	}
}

Test(landing, compiled_and_damaged, .init = setup, .fini = teardown)
{
	static const char *const options[] = {
		"-O0",	      "-O2", "-O3", "-O2 -no-pie -fno-pic", "-O2 -ffunction-sections",
		"-O2 -static"};
	unsigned int seed = 7;

	SKIP_ELSEWHERE();
	write_file(path_of("p.cc"), cc_program, strlen(cc_program));
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct landing_table *t _cleanup_(landing_table_freep) = NULL;
		struct symtab *st _cleanup_(symtab_freep) = NULL;
		struct wanted w;
		size_t n;

		run("g++ -w %s -o %s/p %s/p.cc", options[i], dir, dir);
		st = load(path_of("p"));
		t = read_table(path_of("p"));
		w = find(st, "_Z7catcheri");
		landing_table_find(t, w.found.vaddr, w.found.size, &n);
		cr_expect_eq(n, 1, "%s: %zu", options[i], n);
		w = find(st, "_Z4calmi");
		landing_table_find(t, w.found.vaddr, w.found.size, &n);
		cr_expect_eq(n, 0, "%s", options[i]);
	}
	run("g++ -w -O2 -o %s/good %s/p.cc", dir, dir);
	for (int i = 0; i < 300; i++) {
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		struct landing_table *t _cleanup_(landing_table_freep) = NULL;
		const uint64_t *l;
		size_t n;

		run("cp %s/good %s/bad", dir, dir);
		image = open_image(path_of("bad"));
		if (i % 3 != 1)
			damage(path_of("bad"), elf_image_find_section(image, ".eh_frame"), &seed);
		if (i % 3 != 0)
			damage(path_of("bad"), elf_image_find_section(image, ".gcc_except_table"),
			       &seed);
		cr_assert_eq(landing_table_new(image, &t), 0);
		l = landing_table_find(t, 0, UINT64_MAX, &n);
		for (size_t k = 0; k < n; k++)
			cr_assert_lt(l[k], 1 << 20, "a landing is code");
	}
}

/* Nothing here throws, so nothing is read. */
Test(landing, of_no_use, .init = setup, .fini = teardown)
{
	struct landing_table *t _cleanup_(landing_table_freep) = NULL;
	struct landing_part part;
	size_t n;

	t = read_table(compile("plain", ""));
	cr_expect_null(landing_table_find(t, 0, UINT64_MAX, &n));
	cr_expect_eq(n, 0);
	cr_expect_not(landing_table_part(t, 0x1000, &part));
	cr_expect_null(landing_table_free(NULL));
}
