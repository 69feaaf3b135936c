/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes of static probes: of this very program, of damaged copies of it, and argument strings. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "../workloads/usdt_note.h"
#include "symbol/usdt.h"

NOTE_SEMAPHORE(unit, two);

__attribute__((noinline, used)) static void pass_them(int n)
{
	NOTE_PROBE("unit", "one", "0", "-4@%0", "r"(n));
	NOTE_PROBE("unit", "one", "0", "4@%0 8@$-1", "r"(n));
	NOTE_PROBE("unit", "two", "unit_two_semaphore", "", "r"(n));
	NOTE_PROBE("another", "one", "0", "8@8(%%rsp)", "r"(n));
}

/* "rb" for %ebx, "m12+3*4-5" for -5(%r12,%rbx,4), "c-1" for a constant, "?" for unreadable. */
static const char *say(const struct usdt_arg *a, char *out, size_t size)
{
	char index[32] = "";

	switch (a->place) {
	case USDT_CONSTANT:
		snprintf(out, size, "c%lld", (long long)a->value);
		break;
	case USDT_REGISTER:
		snprintf(out, size, "r%u%s", a->base, a->shift ? "h" : "");
		break;
	case USDT_MEMORY:
		if (a->index != USDT_NO_REGISTER)
			snprintf(index, sizeof(index), "+%u*%u", a->index, a->scale);
		snprintf(out, size, "m%u%s%+lld", a->base, index, (long long)a->value);
		break;
	case USDT_UNREADABLE:
		snprintf(out, size, "?");
	}
	return out;
}

Test(usdt, arguments)
{
	static const struct {
		const char *text;
		int size; /* below 0: signed */
		const char *place;
	} cases[] = {
		{"8@%rax", 8, "r0"},
		{"-4@%edi", -4, "r7"},
		{"1@%dh", 1, "r2h"},
		{"-1@%sil", -1, "r6"},
		{"2@%bp", 2, "r5"},
		{"4@%r15d", 4, "r15"},
		{"2@%r8w", 2, "r8"},
		{"1@%r10b", 1, "r10"},
		{"8@%r9", 8, "r9"},
		{"%rsp", 8, "r4"},
		{"-8@$-42", -8, "c-42"},
		{"8@$0xffffffffffffffff", 8, "c-1"},
		{"4@$4294967295", 4, "c4294967295"},
		{"8@(%rbx)", 8, "m3+0"},
		{"-4@-1204(%rbp)", -4, "m5-1204"},
		{"8@0x10(%rsp)", 8, "m4+16"},
		{"4@8(%rax,%r12,4)", 4, "m0+12*4+8"},
		{"4@(%rax,%rcx)", 4, "m0+1*1+0"},
		{"8f@-8(%rbp)", 8, "m5-8"},
		{"4f@(%rdi)", 4, "m7+0"},
		{"8f@%xmm0", 8, "?"},
		{"8@%xmm11", 8, "?"},
		{"8@name(%rip)", 8, "?"},
		{"8@name", 8, "?"},
		{"8@$name", 8, "?"},
		{"8@name+4(%rax)", 8, "?"},
		{"16@%rax", 0, "?"},
		{"3@%rax", 0, "?"},
		{"0@%rax", 0, "?"},
		{"-9223372036854775808@%rax", 0, "?"},
		{"-256@%rax", 0, "?"},
		{"x@%rax", 0, "?"},
		{"8@", 8, "?"},
		{"8@%", 8, "?"},
		{"8@%r16", 8, "?"},
		{"8@%r7", 8, "?"},
		{"8@%rah", 8, "?"},
		{"4@%ah", 4, "?"},
		{"8@%raxx", 8, "?"},
		{"8@%fs:8(%rax)", 8, "?"},
		{"8@(%rax,%rsp,2)", 8, "?"},
		{"8@(%rax,%rcx,3)", 8, "?"},
		{"8@(%rax", 8, "?"},
		{"8@(,%rcx,8)", 8, "?"},
		{"8@9999999999(%rax)", 8, "?"},
		{"8@4(%rax)x", 8, "?"},
		{"8f@%rax", 8, "?"},
	};
	struct usdt_arg args[USDT_MAX_ARGS];
	char text[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = usdt_parse_args(cases[i].text, args);
		int size = args[0].is_signed ? -args[0].size : args[0].size;

		cr_assert_eq(n, 1, "%s: %zu", cases[i].text, n);
		cr_expect_str_eq(say(&args[0], text, sizeof(text)), cases[i].place, "%s: %s",
				 cases[i].text, text);
		if (cases[i].size)
			cr_expect_eq(size, cases[i].size, "%s: %d", cases[i].text, size);
		if (args[0].place == USDT_UNREADABLE)
			cr_expect(args[0].reason && args[0].reason[0], "%s", cases[i].text);
	}
}

Test(usdt, several_arguments)
{
	struct usdt_arg args[USDT_MAX_ARGS];
	char text[64];

	cr_expect_eq(usdt_parse_args("", args), 0);
	cr_expect_eq(usdt_parse_args("   ", args), 0);
	cr_expect_eq(usdt_parse_args(" 8@%rax  -4@$1\t1@%bl ", args), 3);
	cr_expect_str_eq(say(&args[2], text, sizeof(text)), "r3");
	cr_expect_eq(usdt_parse_args("1@$0 1@$1 1@$2 1@$3 1@$4 1@$5 1@$6 1@$7 1@$8 1@$9 1@$10 "
				     "1@$11 1@$12 1@$13",
				     args),
		     USDT_MAX_ARGS);
	cr_expect_eq(args[11].value, 11);
	cr_expect_eq(usdt_parse_args("8@( %rax) 4@%ebx", args), 2, "blanks between parentheses");
	cr_expect_str_eq(say(&args[1], text, sizeof(text)), "r3");
}

static struct elf_image *open_self(void)
{
	struct elf_image *image = NULL;
	struct error e = {};

	cr_assert_eq(elf_image_open_path("/proc/self/exe", &e, &image), 0, "%s", e.message);
	return image;
}

Test(usdt, notes_of_this_program)
{
	_cleanup_(elf_image_freep) struct elf_image *image = open_self();
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	const struct usdt_note *all;
	const struct elf_segment *segments;
	uint64_t offset;
	struct usdt_type type;
	size_t n, n_segments;
	char byte = 0;

	cr_assert_eq(usdt_notes_read(image, &notes), 0);
	all = usdt_notes_all(notes, &n);
	cr_assert_eq(n, 4, "%zu notes", n);
	cr_expect_str_eq(all[0].provider, "another", "sorted");
	cr_expect_str_eq(all[1].name, "one");
	cr_expect_str_eq(all[2].name, "one");
	cr_expect_lt(all[1].vaddr, all[2].vaddr);
	cr_expect_str_eq(all[3].name, "two");
	cr_expect_neq(all[3].semaphore, 0);
	cr_expect_eq(all[1].semaphore, 0);
	segments = elf_image_segments(image, &n_segments);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(elf_segments_to_offset(segments, n_segments, all[i].vaddr, &offset),
			     0);
		cr_assert_eq(pread(elf_image_fd(image), &byte, 1, (off_t)offset), 1);
		cr_expect_eq((unsigned char)byte, 0x90, "a nop");
	}
	cr_expect_eq(elf_segments_to_offset(segments, n_segments, all[3].semaphore, &offset), 0);
	usdt_type_make(&all[1], &all[0], &type);
	cr_expect_eq(type.type.n_params, 1);
	cr_expect_str_eq(type.params[0].name, "arg0");
	cr_expect_str_eq(type.params[0].type->name, "int32_t");
	cr_expect_str_eq(type.type.ret->name, "uint64_t", "of the end");
	usdt_type_make(&all[1], &all[3], &type);
	cr_expect_eq(type.type.ret->kind, CTYPE_VOID, "an end without arguments");
}

/* A copy of this program in memory, with the bytes of its notes at *ret_notes. */
static int copy_self(struct elf_image *image, uint64_t *ret_offset, size_t *ret_size)
{
	const struct elf_section *s = elf_image_find_section(image, ".note.stapsdt");
	int fd = memfd_create("copy", MFD_CLOEXEC);
	uint64_t size = elf_image_file_size(image);
	char *bytes = malloc(size);

	cr_assert(s && fd >= 0 && bytes);
	cr_assert_eq(pread(elf_image_fd(image), bytes, size, 0), (ssize_t)size);
	cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
	free(bytes);
	*ret_offset = s->offset;
	*ret_size = s->size;
	return fd;
}

static size_t count_notes(int fd)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	size_t n = 0;

	if (elf_image_open(fd, NULL, &image) < 0 || usdt_notes_read(image, &notes) < 0)
		return 0;
	(void)usdt_notes_all(notes, &n);
	return n;
}

Test(usdt, damaged_notes)
{
	_cleanup_(elf_image_freep) struct elf_image *image = open_self();
	uint64_t offset;
	size_t size;
	_cleanup_(closep) int fd = copy_self(image, &offset, &size);

	cr_assert_eq(count_notes(fd), 4);
	/* Each byte in turn is something else: never more notes than before, and no harm done. */
	for (size_t i = 0; i < size; i++) {
		static const unsigned char values[] = {0, 0x7f, 0xff};
		unsigned char was;

		cr_assert_eq(pread(fd, &was, 1, (off_t)(offset + i)), 1);
		for (size_t v = 0; v < sizeof(values); v++) {
			cr_assert_eq(pwrite(fd, &values[v], 1, (off_t)(offset + i)), 1);
			cr_expect_leq(count_notes(fd), 4, "byte %zu", i);
		}
		cr_assert_eq(pwrite(fd, &was, 1, (off_t)(offset + i)), 1);
	}
	cr_expect_eq(count_notes(fd), 4, "as it was");
	/* Another type, another owner: not ours. */
	cr_assert_eq(pwrite(fd, "\4", 1, (off_t)offset + 8), 1);
	cr_expect_eq(count_notes(fd), 3);
	cr_assert_eq(pwrite(fd, "\3\0\0\0X", 5, (off_t)offset + 8), 5);
	cr_expect_eq(count_notes(fd), 3);
}

/* What prelink does: sections have moved, and notes do not know. */
Test(usdt, moved_notes)
{
	_cleanup_(elf_image_freep) struct elf_image *image = open_self();
	_cleanup_(elf_image_freep) struct elf_image *moved = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *before = NULL, *after = NULL;
	uint64_t offset, base, there;
	size_t size, n, m;
	_cleanup_(closep) int fd = copy_self(image, &offset, &size);
	const struct elf_section *s = elf_image_find_section(image, ".stapsdt.base");

	cr_assert_eq(usdt_notes_read(image, &before), 0);
	cr_assert_not_null(s);
	/* The base of the first note is behind its head, its owner and its first word. */
	cr_assert_eq(pread(fd, &base, sizeof(base), (off_t)offset + 28), sizeof(base));
	cr_assert_eq(base, s->vaddr, "this test knows where the base is");
	there = base - 0x1000;
	cr_assert_eq(pwrite(fd, &there, sizeof(there), (off_t)offset + 28), sizeof(there));
	cr_assert_eq(elf_image_open(fd, NULL, &moved), 0);
	cr_assert_eq(usdt_notes_read(moved, &after), 0);
	const struct usdt_note *a = usdt_notes_all(before, &n), *b = usdt_notes_all(after, &m);

	cr_assert_eq(n, m);
	size = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			size += b[k].vaddr == a[i].vaddr + 0x1000;
	cr_expect_eq(size, 1, "the first note has moved by as much");
}

Test(usdt, none)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	struct usdt_notes *notes = NULL;

	cr_assert_eq(elf_image_open_path("/lib/x86_64-linux-gnu/libc.so.6", NULL, &image), 0);
	cr_expect_eq(usdt_notes_read(image, &notes), -ENODATA);
}
