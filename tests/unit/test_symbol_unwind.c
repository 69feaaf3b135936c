/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind tables against libdw's reading of the same files, known code, and damage. */
#include "base_random.h"
#include "symbol_help.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include "symbol/unwind_table.h"

enum { SAMPLES = 3000 };

struct oracle {
	int fd;
	Elf *elf;
	Dwarf_CFI *cfi;
};

static struct oracle oracle_open(const char *path)
{
	struct oracle o = {.fd = open(path, O_RDONLY | O_CLOEXEC)};

	elf_version(EV_CURRENT);
	cr_assert_geq(o.fd, 0, "%s", path);
	o.elf = elf_begin(o.fd, ELF_C_READ, NULL);
	o.cfi = dwarf_getcfi_elf(o.elf);
	cr_assert_not_null(o.cfi, "%s", path);
	return o;
}

static void oracle_close(struct oracle *o)
{
	dwarf_cfi_end(o->cfi);
	elf_end(o->elf);
	close(o->fd);
}

static bool fits(int64_t offset, int64_t max)
{
	return offset % 8 == 0 && offset / 8 <= max && offset / 8 >= -max - 1;
}

static struct unwind_row row_of(enum unwind_cfa cfa, int64_t offset)
{
	return (struct unwind_row){.rule = (uint8_t)cfa, .cfa_offset = (int16_t)(offset / 8)};
}

static struct unwind_row cfa_row(Dwarf_Frame *f)
{
	static const uint8_t plt[] = {DW_OP_breg7, DW_OP_breg16, DW_OP_lit15,
				      DW_OP_and,   DW_OP_lit11,	 DW_OP_ge,
				      DW_OP_lit3,  DW_OP_shl,	 DW_OP_plus};
	struct unwind_row none = {};
	Dwarf_Op *ops;
	size_t n;

	cr_assert_eq(dwarf_frame_cfa(f, &ops, &n), 0);
	if (n == ARRAY_SIZE(plt)) {
		for (size_t i = 0; i < n; i++)
			if (i != 4 && ops[i].atom != plt[i])
				return none;
		return row_of(UNWIND_PLT, 8 * (ops[4].atom - DW_OP_lit0));
	}
	if (n == 1 && ops[0].atom == DW_OP_bregx && fits((int64_t)ops[0].number2, INT16_MAX) &&
	    (ops[0].number == 7 || ops[0].number == 6))
		return row_of(ops[0].number == 7 ? UNWIND_RSP : UNWIND_RBP,
			      (int64_t)ops[0].number2);
	/* The same as an expression. */
	if (n == 1 && (ops[0].atom == DW_OP_breg7 || ops[0].atom == DW_OP_breg6) &&
	    fits((int64_t)ops[0].number, INT16_MAX))
		return row_of(ops[0].atom == DW_OP_breg7 ? UNWIND_RSP : UNWIND_RBP,
			      (int64_t)ops[0].number);
	if (n == 2 && ops[1].atom == DW_OP_deref && fits((int64_t)ops[0].number, INT16_MAX) &&
	    (ops[0].atom == DW_OP_breg7 || ops[0].atom == DW_OP_breg6))
		return row_of(ops[0].atom == DW_OP_breg7 ? UNWIND_RSP_DEREF : UNWIND_RBP_DEREF,
			      (int64_t)ops[0].number);
	return none;
}

/* In words of the table's own; what is at the CFA itself has no second operation. */
static void rbp_of(Dwarf_Frame *f, struct unwind_row *row)
{
	enum unwind_rbp rbp = UNWIND_RBP_UNDEFINED;
	Dwarf_Op mem[3], *ops;
	int64_t offset = 0;
	size_t n;

	cr_assert_eq(dwarf_frame_register(f, 6, mem, &ops, &n), 0);
	if (n == 0 && !ops)
		rbp = UNWIND_RBP_SAME;
	if ((n == 1 || n == 2) && ops[0].atom == DW_OP_call_frame_cfa) {
		offset = n == 2 ? (int64_t)ops[1].number : 0;
		if (n == 1 || ops[1].atom == DW_OP_plus_uconst)
			rbp = UNWIND_RBP_AT_CFA;
		else if (ops[1].atom == DW_OP_breg6)
			rbp = UNWIND_RBP_AT_RBP;
		if (!fits(offset, INT8_MAX))
			rbp = UNWIND_RBP_UNDEFINED;
	}
	row->rule |= (uint8_t)(rbp << 4);
	if (rbp == UNWIND_RBP_AT_CFA || rbp == UNWIND_RBP_AT_RBP)
		row->rbp_offset = (int8_t)(offset / 8);
}

/* False: no function is there. */
static bool oracle_row(const struct oracle *o, uint64_t vaddr, struct unwind_row *ret)
{
	Dwarf_Frame *f _cleanup_(freep) = NULL;
	Dwarf_Op mem[3], *ops;
	Dwarf_Addr start, end;
	bool is_signal;
	size_t n;

	if (dwarf_cfi_addrframe(o->cfi, vaddr, &f) != 0)
		return false;
	*ret = cfa_row(f);
	dwarf_frame_info(f, &start, &end, &is_signal);
	if (is_signal && ret->rule == UNWIND_RSP_DEREF && ret->cfa_offset == 160 / 8) {
		*ret = row_of(UNWIND_SIGNAL, 0);
		return true;
	}
	cr_assert_eq(dwarf_frame_register(f, 16, mem, &ops, &n), 0);
	if (n == 0 && ops == mem)
		*ret = row_of(UNWIND_END, 0);
	else if (n != 2 || ops[0].atom != DW_OP_call_frame_cfa ||
		 ops[1].atom != DW_OP_plus_uconst || (int64_t)ops[1].number != -8)
		*ret = row_of(UNWIND_NONE, 0);
	else if (ret->rule != UNWIND_NONE)
		rbp_of(f, ret);
	return true;
}

static struct unwind_table *read_unwind(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct unwind_table *t = NULL;
	struct error error = {};

	cr_assert_eq(unwind_table_new(image, &error, &t), 0, "%s: %s", path, error.message);
	return t;
}

/* True where a function is. */
static bool compare(const struct oracle *o, const struct unwind_table *t, uint64_t vaddr)
{
	const struct unwind_row *row = unwind_table_find(t, vaddr);
	struct unwind_row want = {};

	if (!oracle_row(o, vaddr, &want)) {
		cr_assert(!row || row->rule == UNWIND_NONE, "0x%lx: rule %x", vaddr, row->rule);
		return false;
	}
	cr_assert_not_null(row, "0x%lx", vaddr);
	cr_assert(row->rule == want.rule && row->cfa_offset == want.cfa_offset &&
			  row->rbp_offset == want.rbp_offset,
		  "0x%lx: rule %x, CFA %d, rbp %d instead of %x, %d, %d", vaddr, row->rule,
		  row->cfa_offset, row->rbp_offset, want.rule, want.cfa_offset, want.rbp_offset);
	return true;
}

static void check_order(const struct unwind_table *t)
{
	for (size_t i = 1; i < t->len; i++)
		cr_assert_lt(t->rows[i - 1].pc, t->rows[i].pc);
	cr_assert_eq(t->rows[t->len - 1].rule, UNWIND_NONE, "behind the last function");
	cr_assert_null(unwind_table_find(t, t->base + t->rows[t->len - 1].pc));
	cr_assert_null(unwind_table_find(t, UINT64_MAX));
}

#ifdef __x86_64__
Test(unwind, as_libdw_says)
{
	static const char *const paths[] = {"/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/python3",
					    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"};

	seed_rng();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
		struct oracle o;
		size_t inside = 0, n = 0;

		if (access(paths[i], R_OK) < 0)
			cr_skip_test("%s is not here", paths[i]);
		t = read_unwind(paths[i]);
		o = oracle_open(paths[i]);
		check_order(t);
		cr_expect_eq(t->bad, 0, "%s: %zu", paths[i], t->bad);
		while (inside < SAMPLES && n++ < 100 * SAMPLES)
			inside += compare(&o, t, t->base + next_random() % t->rows[t->len - 1].pc);
		cr_expect_eq(inside, SAMPLES, "%s: %zu", paths[i], inside);
		for (n = 0; n < SAMPLES; n++)
			compare(&o, t, t->base + t->rows[next_random() % (t->len - 1)].pc);
		oracle_close(&o);
	}
}

/* Every instruction in a function each; the assembler knows some by number alone. */
static const char repertoire[] =
	".macro function name\n.globl \\name\n.type \\name,@function\n\\name:\n.cfi_startproc\n"
	"nop\n.endm\n.macro done\nnop\nret\n.cfi_endproc\n.endm\n"
	".globl _start\n_start: ret\n"
	"function nested; .cfi_def_cfa_offset 16; .cfi_remember_state; nop; .cfi_def_cfa_offset "
	"24\n"
	".cfi_remember_state; nop; .cfi_def_cfa_offset 32; nop; .cfi_restore_state; nop\n"
	".cfi_restore_state; done\n"
	"function saved; .cfi_offset 6,-24; nop; .cfi_restore 6; nop; .cfi_offset 6,-2048; done\n"
	"function lost; .cfi_undefined 6; nop; .cfi_same_value 6; nop; .cfi_register 6,3; done\n"
	"function extended; .cfi_escape 0x05,6,2; nop; .cfi_escape 0x06,6; nop\n"
	".cfi_escape 0x11,6,3; nop; .cfi_escape 0x14,6,2; nop; .cfi_escape 0x15,6,2; done\n"
	"function signed_cfa; .cfi_escape 0x12,7,0x7c; nop; .cfi_escape 0x13,0x7a; done\n"
	"function by_rbp; .cfi_def_cfa 6,16; nop; .cfi_def_cfa_register 7; done\n"
	"function other; .cfi_def_cfa 10,8; nop; .cfi_def_cfa 7,12; nop; .cfi_def_cfa 7,262144\n"
	"nop; .cfi_def_cfa 7,262136; done\n"
	"function deref; .cfi_escape 0x0f,3,0x77,8,6; nop; .cfi_escape 0x0f,3,0x76,0x78,6; nop\n"
	".cfi_escape 0x0f,2,0x76,0x78; nop; .cfi_escape 0x0f,3,0x73,8,6; done\n"
	"function by_expression; .cfi_escape 0x10,6,2,0x76,0; nop; .cfi_escape 0x16,6,2,0x76,0\n"
	"nop; .cfi_escape 0x10,6,3,0x76,0,6; nop; .cfi_escape 0x10,6,2,0x77,0; done\n"
	"function far; .skip 63; .cfi_def_cfa_offset 16; .skip 1000; .cfi_def_cfa_offset 24\n"
	".skip 70000; .cfi_def_cfa_offset 32; .cfi_escape 0x2e,16; done\n"
	"function return; .cfi_offset 16,-16; nop; .cfi_register 16,3; nop; .cfi_undefined 16\n"
	"done\n.section .note.GNU-stack,\"\"\n";

Test(unwind, repertoire, .init = setup, .fini = teardown)
{
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	struct oracle o;
	size_t inside = 0;

	write_file(path_of("r.s"), repertoire, strlen(repertoire));
	run("gcc -nostdlib -no-pie -Wl,--eh-frame-hdr -o %s/r %s/r.s", dir, dir);
	t = read_unwind(path_of("r"));
	o = oracle_open(path_of("r"));
	check_order(t);
	cr_expect(t->functions == 11 && t->bad == 0, "%zu, %zu", t->functions, t->bad);
	cr_expect_eq(t->unsaid, 3, "%zu", t->unsaid);
	for (uint64_t pc = 0; pc < t->rows[t->len - 1].pc + 32; pc++)
		inside += compare(&o, t, t->base + pc);
	cr_expect_gt(inside, 71000);
	oracle_close(&o);
}

/* The start of the first function whose common entry has an 'S'; relative addresses of 4 bytes. */
static uint64_t signal_function(const char *path)
{
	struct oracle o = oracle_open(path);
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	const struct elf_section *s = elf_image_find_section(image, ".eh_frame");
	Elf_Data *data = elf_rawdata(gelf_offscn(o.elf, s->offset), NULL);
	Elf_Scn *scn = NULL;
	Dwarf_Off at = 0, next, cie = (Dwarf_Off)-1;
	Dwarf_CFI_Entry entry;
	uint64_t found = 0;

	while (!data && (scn = elf_nextscn(o.elf, scn)))
		if (elf_ndxscn(scn) == s->index)
			data = elf_rawdata(scn, NULL);
	for (; !found && dwarf_next_cfi((const unsigned char *)elf_getident(o.elf, NULL), data,
					true, at, &next, &entry) == 0;
	     at = next) {
		int32_t delta;

		if (dwarf_cfi_cie_p(&entry)) {
			if (strchr(entry.cie.augmentation, 'S'))
				cie = at;
			continue;
		}
		if (entry.fde.CIE_pointer != cie)
			continue;
		memcpy(&delta, entry.fde.start, sizeof(delta));
		found = s->vaddr + (uint64_t)(entry.fde.start - (uint8_t *)data->d_buf) +
			(uint64_t)(int64_t)delta;
	}
	oracle_close(&o);
	return found;
}

static enum unwind_cfa cfa_at(const struct unwind_table *t, uint64_t vaddr)
{
	const struct unwind_row *row = unwind_table_find(t, vaddr);

	return row ? row->rule & 15 : UNWIND_NONE;
}

/* The stubs of a file, which all push at that byte; its table is handed out. */
static struct unwind_table *check_stubs(const char *path, int16_t pushed)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	const struct elf_section *plt = elf_image_find_section(image, ".plt");
	struct unwind_table *t = read_unwind(path);
	struct oracle o = oracle_open(path);

	for (uint64_t i = 0; i < plt->size; i++)
		cr_expect(compare(&o, t, plt->vaddr + i));
	for (uint64_t i = 16; i < plt->size; i++)
		cr_expect_eq(unwind_table_find(t, plt->vaddr + i)->rule, UNWIND_PLT);
	cr_expect_eq(cfa_at(t, plt->vaddr), UNWIND_RSP);
	cr_expect_eq(unwind_table_find(t, plt->vaddr + 16)->cfa_offset, pushed);
	oracle_close(&o);
	return t;
}

Test(unwind, stubs_with_endbr, .init = setup, .fini = teardown)
{
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;

	compile("p", "-no-pie -fcf-protection=full -Wl,-z,lazy -Wl,-z,ibtplt");
	t = check_stubs(path_of("p"), 9);
}

Test(unwind, stubs_and_outermost, .init = setup, .fini = teardown)
{
	static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	struct unwind_table *of_libc _cleanup_(unwind_table_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	uint64_t restorer;

	compile("p", "-no-pie -fcf-protection=none -Wl,-z,lazy");
	t = check_stubs(path_of("p"), 11);
	st = load(path_of("p"));
	cr_expect_eq(cfa_at(t, find(st, "_start").found.vaddr + 4), UNWIND_END);
	cr_expect_eq(cfa_at(t, find(st, "visible").found.vaddr), UNWIND_RSP);
	if (access(libc, R_OK) < 0)
		cr_skip_test("%s is not here", libc);
	restorer = signal_function(libc);
	cr_assert_neq(restorer, 0);
	of_libc = read_unwind(libc);
	cr_expect_eq(cfa_at(of_libc, restorer), UNWIND_SIGNAL);
	cr_expect_eq(cfa_at(of_libc, restorer + 1), UNWIND_SIGNAL);
}

Test(unwind, aligned_stack, .init = setup, .fini = teardown)
{
	static const char source[] =
		"#include <alloca.h>\nvoid use(void *, void *);\n"
		"void use(void *a, void *b) { __asm__ volatile(\"\" :: \"r\"(a), \"r\"(b)); }\n"
		"int aligned(int n);\n"
		"int aligned(int n) { _Alignas(64) char a[64]; use(a, alloca(n)); return n; }\n"
		"int main(int c, char **v) { (void)v; return aligned(c); }\n";
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct wanted w;
	size_t n = 0;

	write_file(path_of("a.c"), source, strlen(source));
	run("gcc -O1 -fno-inline -o %s/a %s/a.c", dir, dir);
	t = read_unwind(path_of("a"));
	st = load(path_of("a"));
	w = find(st, "aligned");
	for (uint64_t i = 0; i < w.found.size; i++)
		n += unwind_table_find(t, w.found.vaddr + i)->rule ==
		     unwind_rule(UNWIND_RBP_DEREF, UNWIND_RBP_AT_RBP);
	cr_expect_gt(n, 20, "%zu of %lu bytes", n, (unsigned long)w.found.size);
}

/* One function inside of another, and an entry behind it whose length lies. */
static const char nested[] =
	".globl _start, outer\n_start: outer: .skip 16,0x90\n"
	".section .eh_frame,\"a\",@progbits\n"
	"cie: .long 2f-1f\n1: .long 0\n.byte 1\n.asciz \"zR\"\n.uleb128 1\n.sleb128 -8\n.byte 16\n"
	".uleb128 1\n.byte 0x1b, 0x0c, 7, 8, 0x90, 1\n.balign 8\n2:\n"
	".long 4f-3f\n3: .long 3b-cie\n.long outer-.\n.long 16\n"
	".byte 0, 0x44, 0x0e, 16, 0x46, 0x0e, 32, 0\n4:\n"
	".long 6f-5f\n5: .long 5b-cie\n.long outer+6-.\n.long 6\n.byte 0, 0x0e, 24, 0, 0, 0, 0, 0\n"
	"6:\n";

Test(unwind, overlap_and_lies, .init = setup, .fini = teardown)
{
	static const int16_t want[16] = {1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4};
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	FILE *f;

	write_file(path_of("n.s"), nested, strlen(nested));
	f = fopen(path_of("n.s"), "ae");
	fputs(".long 0x7ffffff0\n.long 8\n.section .note.GNU-stack,\"\"\n", f);
	fclose(f);
	run("as -o %s/n.o %s/n.s && ld --no-ld-generated-unwind-info -o %s/n %s/n.o 2>/dev/null",
	    dir, dir, dir, dir);
	t = read_unwind(path_of("n"));
	cr_expect(t->functions == 2 && t->bad == 1, "%zu, %zu", t->functions, t->bad);
	check_order(t);
	for (uint64_t i = 0; i < ARRAY_SIZE(want); i++)
		cr_expect_eq(unwind_table_find(t, t->base + t->rows[0].pc + i)->cfa_offset, want[i],
			     "%lu", (unsigned long)i);
}

static int try_unwind(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	int r = elf_image_open_path(path, NULL, &image);

	if (r >= 0)
		r = unwind_table_new(image, NULL, &t);
	if (r >= 0)
		check_order(t);
	return r;
}

Test(unwind, damaged, .init = setup, .fini = teardown)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	const struct elf_section *s;
	int fd _cleanup_(closep) = -1;

	seed_rng();
	compile("good", "");
	image = open_image(path_of("good"));
	s = elf_image_find_section(image, ".eh_frame");
	run("cp %s/good %s/bad", dir, dir);
	fd = open(path_of("bad"), O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 2000; i++) {
		uint8_t old[64], byte;
		uint64_t at = s->offset + next_random() % (s->size - sizeof(old));

		cr_assert_eq(pread(fd, old, sizeof(old), (off_t)at), sizeof(old));
		for (int k = 0; k < 6; k++) {
			byte = k < 2 ? 0xff : (uint8_t)next_random();
			cr_assert_eq(
				pwrite(fd, &byte, 1, (off_t)(at + next_random() % sizeof(old))), 1);
		}
		try_unwind(path_of("bad"));
		if (i % 4)
			cr_assert_eq(pwrite(fd, old, sizeof(old), (off_t)at), sizeof(old));
	}
	cr_assert_eq(ftruncate(fd, (off_t)(s->offset + s->size / 2)), 0);
	cr_expect_lt(try_unwind(path_of("bad")), 0, "the section is cut off");
	run("objcopy --remove-section .eh_frame %s/good %s/none", dir, dir);
	cr_expect_eq(try_unwind(path_of("none")), -ENODATA);
	cr_expect_null(unwind_table_free(NULL));
}
#endif
