/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stubs of the procedure linkage table have no symbols. Each jumps through a slot of the global
 * offset table, and the relocation of that slot names the function. So the jumps are decoded
 * rather than the n-th stub being taken for the n-th relocation: that holds for lazy, eager and
 * branch-protected tables and for .plt.got alike.
 */
#include "symbol/symtab_internal.h"

#include <elf.h>

enum { SLOTS_MAX = 1 << 20 };

struct slot {
	uint64_t vaddr;
	const char *name;
	uint32_t name_len;
};

struct slots {
	struct slot *items;
	size_t len, cap;
};

static void slots_release(struct slots *slots)
{
	free(slots->items);
}

static int compare_slot(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return (a->vaddr > b->vaddr) - (a->vaddr < b->vaddr);
}

struct dynamic_symbols {
	const uint8_t *data, *strings;
	size_t size, strings_size;
};

static int add_slot(struct symtab_builder *b, const struct dynamic_symbols *dynamic,
		    const Elf64_Rela *rela, struct slots *slots)
{
	struct slot slot = {.vaddr = rela->r_offset};
	uint32_t type = ELF64_R_TYPE(rela->r_info), index = ELF64_R_SYM(rela->r_info);
	int r;

	if (type == R_X86_64_IRELATIVE) {
		const struct raw_symbol *resolver = symtab_builder_at(b, rela->r_addend);

		if (!resolver)
			return 0;
		slot.name = resolver->name;
		slot.name_len = resolver->name_len;
	} else if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) {
		struct elf_symbol s;

		if (index >= dynamic->size / elf_symbol_size(b->image))
			return 0;
		elf_symbol_read(b->image, dynamic->data, index, &s);
		r = symtab_builder_name(b, dynamic->strings, dynamic->strings_size, s.name,
					&slot.name, &slot.name_len);
		if (r < 0)
			return r;
	} else {
		return 0;
	}
	if (slots->len >= SLOTS_MAX)
		return -EFBIG;
	r = array_reserve(&slots->items, &slots->cap, slots->len + 1, sizeof(*slots->items));
	if (r < 0)
		return r;
	slots->items[slots->len++] = slot;
	return 0;
}

static int add_slots(struct symtab_builder *b, const char *section_name, struct slots *slots)
{
	const struct elf_section *section = elf_image_find_section(b->image, section_name);
	struct dynamic_symbols dynamic = {};
	const struct elf_section *sections, *symbols;
	size_t n_sections, size;
	const uint8_t *data;
	int r;

	sections = elf_image_sections(b->image, &n_sections);
	if (!section || section->type != SHT_RELA ||
	    elf_image_section_data(b->image, section, &data, &size) < 0)
		return 0;
	/* A static program has only IRELATIVE relocations and no symbols to refer to. */
	if (section->link < n_sections) {
		symbols = &sections[section->link];
		if (symbols->type == SHT_DYNSYM && symbols->link < n_sections &&
		    elf_image_section_data(b->image, symbols, &dynamic.data, &dynamic.size) == 0 &&
		    elf_image_section_data(b->image, &sections[symbols->link], &dynamic.strings,
					   &dynamic.strings_size) < 0)
			dynamic.size = 0;
	}
	for (size_t at = 0; size - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;

		memcpy(&rela, data + at, sizeof(rela));
		r = add_slot(b, &dynamic, &rela, slots);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Finds `jmp *disp32(%rip)` in a stub, behind endbr64 and a bnd prefix where they are there. */
static bool decode_stub(const uint8_t *code, size_t size, uint64_t vaddr, uint64_t *ret_slot)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	size_t at = 0;
	int32_t displacement;

	if (size >= sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at = sizeof(endbr64);
	if (at < size && code[at] == 0xf2)
		at++;
	if (size - at < 6 || code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	memcpy(&displacement, code + at + 2, sizeof(displacement));
	*ret_slot = vaddr + at + 6 + (uint64_t)(int64_t)displacement;
	return true;
}

static int add_stubs(struct symtab_builder *b, const char *section_name, const struct slots *slots)
{
	const struct elf_section *section = elf_image_find_section(b->image, section_name);
	const uint8_t *code;
	size_t size, step;
	int r;

	if (!section || elf_image_section_data(b->image, section, &code, &size) < 0)
		return 0;
	for (size_t at = 0; at + 8 <= size; at += step) {
		struct slot key, *slot;
		struct raw_symbol symbol;

		step = 8;
		if (!decode_stub(code + at, MIN(size - at, 16), section->vaddr + at, &key.vaddr))
			continue;
		slot = bsearch(&key, slots->items, slots->len, sizeof(key), compare_slot);
		if (!slot)
			continue;
		/* Only a plain jump of .plt.got fits in 8 bytes. */
		if (code[at] == 0xf3 || !streq(section_name, ".plt.got"))
			step = 16;
		symbol = (struct raw_symbol){
			.vaddr = section->vaddr + at,
			.name = slot->name,
			.name_len = slot->name_len,
			.size = step,
			.flags = SYMBOL_GLOBAL | SYMBOL_PLT,
		};
		r = symtab_builder_add(b, &symbol);
		if (r < 0)
			return r;
	}
	return 0;
}

int symtab_add_plt(struct symtab_builder *b)
{
	static const char *const relocations[] = {".rela.plt", ".rela.dyn"};
	static const char *const stubs[] = {".plt", ".plt.sec", ".plt.got", ".iplt"};
	struct slots slots _cleanup_(slots_release) = {};
	size_t before = b->len;
	int r;

	if (!elf_image_is_x86_64(b->image))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(relocations); i++) {
		r = add_slots(b, relocations[i], &slots);
		if (r < 0)
			return r;
	}
	if (slots.len == 0)
		return 0;
	qsort(slots.items, slots.len, sizeof(*slots.items), compare_slot);
	for (size_t i = 0; i < ARRAY_SIZE(stubs); i++) {
		r = add_stubs(b, stubs[i], &slots);
		if (r < 0)
			return r;
	}
	if (b->len != before)
		symtab_builder_sort(b);
	return 0;
}
