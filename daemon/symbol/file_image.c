/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/file_image.h"

#include <assert.h>
#include <elf.h>

#include "sonde/base/strbuf.h"

static_assert(sizeof(struct file_image_header) == 40, "no holes");
static_assert(sizeof(struct file_section) == 24, "no holes");

enum { NAME_LEN_MAX = 256 };

/* Looks for the names among the dynamic symbols; those of a damaged table are not there. */
static void find_symbols(struct elf_image *image, const char *const *names, size_t n, uint8_t *ret)
{
	const struct elf_section *dynsym = elf_image_find_section(image, ".dynsym");
	const struct elf_section *dynstr = elf_image_find_section(image, ".dynstr");
	const uint8_t *data, *strings;
	size_t size, strings_size;

	if (n == 0 || !dynsym || !dynstr || !elf_image_is_64bit(image) ||
	    elf_image_section_data(image, dynsym, &data, &size) < 0 ||
	    elf_image_section_data(image, dynstr, &strings, &strings_size) < 0)
		return;
	for (size_t at = 0; at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
		const char *name;
		Elf64_Sym sym;
		size_t room;

		memcpy(&sym, data + at, sizeof(sym));
		if (sym.st_name >= strings_size)
			continue;
		name = (const char *)strings + sym.st_name;
		room = strings_size - sym.st_name;
		for (size_t i = 0; i < n; i++) {
			size_t len = strlen(names[i]) + 1;

			if (len <= room && memcmp(name, names[i], len) == 0)
				ret[i] |= FILE_SYMBOL_THERE |
					  (sym.st_shndx != SHN_UNDEF ? FILE_SYMBOL_DEFINED : 0);
		}
	}
}

static int put_sections(const struct elf_image *image, struct file_section *ret,
			struct strbuf *names)
{
	size_t n;
	const struct elf_section *sections = elf_image_sections(image, &n);

	for (size_t i = 0; i < MIN(n, FILE_IMAGE_SECTIONS_MAX); i++) {
		ret[i] = (struct file_section){sections[i].vaddr, sections[i].size, names->len};
		strbuf_append(names, sections[i].name, strlen(sections[i].name) + 1);
	}
	return strbuf_error(names);
}

int file_image_write(struct elf_image *image, const char *const *names, size_t n, int fd)
{
	size_t n_segments, n_sections;
	const struct elf_segment *segments = elf_image_segments(image, &n_segments);
	struct file_section *sections _cleanup_(freep) = NULL;
	struct strbuf strings _cleanup_(strbuf_release) = {};
	struct flat_segment flat[FLAT_SEGMENTS_MAX];
	uint8_t symbols[FILE_IMAGE_SYMBOLS_MAX] = {};
	struct file_image_header h = {
		.magic = FILE_IMAGE_MAGIC,
		.version = FILE_IMAGE_VERSION,
		.flags = (elf_image_is_x86_64(image) ? FILE_IMAGE_X86_64 : 0) |
			 (elf_image_is_64bit(image) ? FILE_IMAGE_64BIT : 0),
		.n_symbols = (uint32_t)n,
	};
	int r;

	if (n > FILE_IMAGE_SYMBOLS_MAX)
		return -EINVAL;
	(void)elf_image_sections(image, &n_sections);
	h.n_segments = (uint32_t)MIN(n_segments, FLAT_SEGMENTS_MAX);
	h.n_sections = (uint32_t)MIN(n_sections, FILE_IMAGE_SECTIONS_MAX);
	for (size_t i = 0; i < h.n_segments; i++)
		flat_segment_from(&segments[i], &flat[i]);
	sections = calloc(h.n_sections + 1, sizeof(*sections));
	if (!sections)
		return -ENOMEM;
	r = put_sections(image, sections, &strings);
	if (r < 0)
		return r;
	find_symbols(image, names, n, symbols);
	h.strings_size = strings.len;
	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, flat, h.n_segments * sizeof(*flat));
	if (r >= 0)
		r = write_fully(fd, sections, h.n_sections * sizeof(*sections));
	if (r >= 0)
		r = write_fully(fd, symbols, n);
	if (r >= 0)
		r = write_fully(fd, strings.data, strings.len);
	return r;
}

static int check(const struct file_image *f, struct error *error)
{
	uint64_t at = 0;

	/* Each name lies right behind the one before. */
	for (size_t i = 0; i < f->n_sections; i++) {
		const char *end;

		if (f->sections[i].name != at || at >= f->strings_size)
			return flat_bad(error, "a section's name is not where it should be");
		end = memchr(f->strings + at, '\0', f->strings_size - at);
		if (!end || end - f->strings - at > NAME_LEN_MAX)
			return flat_bad(error, "a section's name has no end");
		at = (uint64_t)(end - f->strings) + 1;
	}
	if (at != f->strings_size)
		return flat_bad(error, "there are names of nothing");
	for (size_t i = 0; i < f->n_symbols; i++)
		if (f->symbols[i] & ~(FILE_SYMBOL_THERE | FILE_SYMBOL_DEFINED))
			return flat_bad(error, "a symbol has an unknown flag");
	return 0;
}

static int use(struct file_image *f, struct error *error)
{
	const struct file_image_header *h = (const void *)f->flat.data;
	const struct flat_segment *segments = (const void *)(h + 1);
	int r;

	if (memcmp(h->magic, FILE_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != FILE_IMAGE_VERSION || h->zero != 0 ||
	    h->flags & ~(uint32_t)(FILE_IMAGE_X86_64 | FILE_IMAGE_64BIT))
		return flat_bad(error, "it has another format");
	if (h->n_segments > FLAT_SEGMENTS_MAX || h->n_sections > FILE_IMAGE_SECTIONS_MAX ||
	    h->n_symbols > FILE_IMAGE_SYMBOLS_MAX || h->strings_size > FLAT_SIZE_MAX ||
	    f->flat.size != sizeof(*h) + h->n_segments * sizeof(*segments) +
				    h->n_sections * sizeof(*f->sections) + h->n_symbols +
				    h->strings_size)
		return flat_bad(error, "it has another size than it says");
	r = flat_segments_load(segments, h->n_segments, error, &f->segments);
	if (r < 0)
		return r;
	f->n_segments = h->n_segments;
	f->sections = (const void *)(segments + h->n_segments);
	f->n_sections = h->n_sections;
	f->symbols = (const void *)(f->sections + h->n_sections);
	f->n_symbols = h->n_symbols;
	f->strings = (const char *)f->symbols + h->n_symbols;
	f->strings_size = h->strings_size;
	f->is_x86_64 = h->flags & FILE_IMAGE_X86_64;
	f->is_64bit = h->flags & FILE_IMAGE_64BIT;
	return check(f, error);
}

int file_image_open(int fd, struct error *error, struct file_image **ret)
{
	struct file_image *f _cleanup_(file_image_freep) = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct file_image_header), error, &f->flat);
	if (r >= 0)
		r = use(f, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

struct file_image *file_image_free(struct file_image *f)
{
	if (!f)
		return NULL;
	flat_unmap(&f->flat);
	free(f->segments);
	free(f);
	return NULL;
}

const struct file_section *file_image_section(const struct file_image *f, const char *name)
{
	for (size_t i = 0; i < f->n_sections; i++)
		if (streq(f->strings + f->sections[i].name, name))
			return &f->sections[i];
	return NULL;
}
