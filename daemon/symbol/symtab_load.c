/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symtab_internal.h"

#include <elf.h>

#include "symbol/debug_file.h"

size_t elf_symbol_size(const struct elf_image *image)
{
	return elf_image_is_64bit(image) ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
}

void elf_symbol_read(const struct elf_image *image, const uint8_t *data, size_t index,
		     struct elf_symbol *ret)
{
	data += index * elf_symbol_size(image);
	if (elf_image_is_64bit(image)) {
		Elf64_Sym s;

		memcpy(&s, data, sizeof(s));
		*ret = (struct elf_symbol){s.st_value,
					   s.st_size,
					   s.st_name,
					   s.st_shndx,
					   ELF64_ST_TYPE(s.st_info),
					   ELF64_ST_BIND(s.st_info)};
	} else {
		Elf32_Sym s;

		memcpy(&s, data, sizeof(s));
		*ret = (struct elf_symbol){s.st_value,
					   s.st_size,
					   s.st_name,
					   s.st_shndx,
					   ELF32_ST_TYPE(s.st_info),
					   ELF32_ST_BIND(s.st_info)};
	}
}

static uint8_t binding_flag(uint8_t binding)
{
	switch (binding) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return SYMBOL_GLOBAL;
	case STB_WEAK:
		return SYMBOL_WEAK;
	default:
		return SYMBOL_LOCAL;
	}
}

/* Adds the functions of the first table of that type; a missing or damaged one adds none. */
static int add_table(struct symtab_builder *b, struct elf_image *image, uint32_t type)
{
	size_t n_sections, size, strings_size, n;
	const struct elf_section *sections = elf_image_sections(image, &n_sections), *table = NULL;
	const uint8_t *data, *strings;
	int r;

	for (size_t i = 0; i < n_sections && !table; i++)
		if (sections[i].type == type)
			table = &sections[i];
	if (!table || table->link >= n_sections)
		return 0;
	if (elf_image_section_data(image, table, &data, &size) < 0 ||
	    elf_image_section_data(image, &sections[table->link], &strings, &strings_size) < 0)
		return 0;
	n = size / elf_symbol_size(image);
	for (size_t i = 0; i < n; i++) {
		struct elf_symbol s;
		struct raw_symbol raw;

		elf_symbol_read(image, data, i, &s);
		if ((s.type != STT_FUNC && s.type != STT_GNU_IFUNC) || s.section == SHN_UNDEF)
			continue;
		raw = (struct raw_symbol){
			.vaddr = s.value,
			.size = MIN(s.size, UINT32_MAX),
			.flags = binding_flag(s.binding) |
				 (s.type == STT_GNU_IFUNC ? SYMBOL_IFUNC : 0),
		};
		r = symtab_builder_name(b, strings, strings_size, s.name, &raw.name, &raw.name_len);
		if (r < 0)
			return r;
		r = symtab_builder_add(b, &raw);
		if (r < 0)
			return r;
	}
	return 0;
}

int symtab_load_with(struct elf_image *image, struct elf_image *debug, struct error *error,
		     struct symtab **ret)
{
	struct symtab_builder b _cleanup_(symtab_builder_release) = {.image = image};
	struct elf_image *mini _cleanup_(elf_image_freep) = NULL;
	bool stripped = elf_image_is_stripped(image);
	struct symtab *st = NULL;
	int r;

	/* Names point into the images until the table is finished, so mini lives as long as b. */
	r = add_table(&b, image, SHT_DYNSYM);
	if (r >= 0 && !stripped)
		r = add_table(&b, image, SHT_SYMTAB);
	if (stripped && !debug && debug_file_open_mini(image, &mini) == 0)
		debug = mini;
	if (r >= 0 && stripped && debug) {
		r = add_table(&b, debug, SHT_SYMTAB);
		stripped = elf_image_is_stripped(debug);
	}
	if (r >= 0) {
		symtab_builder_sort(&b);
		r = symtab_add_plt(&b);
	}
	if (r >= 0)
		r = symtab_builder_finish(&b, error, &st);
	if (r < 0)
		return error_set(error, -r, "BadFile", "Cannot read the file's functions: %s.",
				 r == -EFBIG ? "they are too many, or their names too long"
					     : strerror(-r));
	st->stripped = stripped;
	*ret = st;
	return 0;
}

int symtab_load(struct elf_image *image, const char *path, const char *debug_dir,
		struct error *error, struct symtab **ret)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;

	if (elf_image_is_stripped(image))
		(void)debug_file_open(image, path, debug_dir, &debug);
	return symtab_load_with(image, debug, error, ret);
}
