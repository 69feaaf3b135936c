/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/python_file.h"

#include <elf.h>

#include "symbol/symtab_internal.h"

static const char eval_name[] = "_PyEval_EvalFrameDefault";

static void add_eval(const struct elf_image *image, const struct elf_symbol *s,
		     struct python_file *f)
{
	uint64_t start;
	size_t n;
	const struct elf_segment *segments = elf_image_segments(image, &n);

	if (elf_segments_to_offset(segments, n, s->value, &start) < 0 ||
	    s->size > UINT64_MAX - start)
		return;
	for (uint32_t i = 0; i < f->n_eval; i++)
		if (f->eval[i].start == start)
			return;
	if (f->n_eval == PYTHON_MAX_EVAL)
		return;
	f->eval[f->n_eval].start = start;
	f->eval[f->n_eval++].end = start + s->size;
}

/* Parts are called NAME.cold, NAME.part.0, NAME.lto_priv.0.cold and so on. */
static bool is_eval(const char *name)
{
	return startswith(name, eval_name) &&
	       (name[strlen(eval_name)] == 0 || name[strlen(eval_name)] == '.');
}

static void take_symbol(const struct elf_image *image, const struct elf_symbol *s, const char *name,
			struct python_file *f)
{
	if (s->section == SHN_UNDEF || s->value == 0)
		return;
	if (s->type == STT_FUNC && is_eval(name))
		add_eval(image, s, f);
	else if (s->type == STT_OBJECT && streq(name, "_PyRuntime"))
		f->runtime = s->value;
	else if (s->type == STT_OBJECT && streq(name, "Py_Version"))
		f->version = s->value;
}

static void read_table(struct elf_image *image, uint32_t type, struct python_file *f)
{
	size_t n_sections, size, strings_size, n;
	const struct elf_section *sections = elf_image_sections(image, &n_sections), *table = NULL;
	const uint8_t *data, *strings;

	for (size_t i = 0; i < n_sections && !table; i++)
		if (sections[i].type == type)
			table = &sections[i];
	if (!table || table->link >= n_sections ||
	    elf_image_section_data(image, table, &data, &size) < 0 ||
	    elf_image_section_data(image, &sections[table->link], &strings, &strings_size) < 0)
		return;
	n = size / elf_symbol_size(image);
	for (size_t i = 0; i < n; i++) {
		struct elf_symbol s;
		const char *name;

		elf_symbol_read(image, data, i, &s);
		if (s.name >= strings_size)
			continue;
		name = (const char *)strings + s.name;
		if (memchr(name, 0, strings_size - s.name))
			take_symbol(image, &s, name, f);
	}
}

void python_file_read(struct elf_image *image, struct python_file *ret)
{
	const struct elf_section *section = elf_image_find_section(image, ".PyRuntime");
	struct python_file f = {};

	/* All of 3.11 and later have it; its name is all that is needed of it, mostly. */
	if (section && elf_image_is_64bit(image)) {
		f.runtime = section->vaddr;
		read_table(image, SHT_DYNSYM, &f);
		read_table(image, SHT_SYMTAB, &f);
		f.found = f.n_eval > 0;
	}
	*ret = f;
}

bool python_file_valid(const struct python_file *f)
{
	return f->found <= 1 && f->n_eval <= PYTHON_MAX_EVAL && (!f->found || f->n_eval > 0);
}

bool python_file_evaluates(const struct python_file *f, uint64_t offset)
{
	for (uint32_t i = 0; i < f->n_eval; i++)
		if (offset >= f->eval[i].start && offset < f->eval[i].end)
			return true;
	return false;
}
