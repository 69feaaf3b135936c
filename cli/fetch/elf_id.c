/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf_id.h"

#include <elf.h>

#include "sonde/base/hex.h"

enum { NOTES_MAX = 65536, LINK_MAX = 4096 + ELF_ID_MAX, SECTIONS_MAX = 1 << 20 };
#define ALT_LINK ".gnu_debugaltlink"

struct section {
	uint32_t name, type, link;
	uint64_t offset, size;
};

struct file {
	int fd;
	bool is_64bit;
	uint64_t sections_offset, n_sections;
	struct section names;
};

static int read_at(int fd, void *ret, size_t size, uint64_t offset)
{
	if (offset > INT64_MAX - size || pread(fd, ret, size, (off_t)offset) != (ssize_t)size)
		return -ENOEXEC;
	return 0;
}

static int read_section(const struct file *f, uint64_t i, struct section *ret)
{
	size_t size = f->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	Elf64_Shdr wide;
	Elf32_Shdr narrow;

	if (i >= SECTIONS_MAX || f->sections_offset > INT64_MAX / 2)
		return -ENOEXEC;
	if (read_at(f->fd, f->is_64bit ? (void *)&wide : &narrow, size,
		    f->sections_offset + i * size) < 0)
		return -ENOEXEC;
	*ret = f->is_64bit ? (struct section){wide.sh_name, wide.sh_type, wide.sh_link,
					      wide.sh_offset, wide.sh_size}
			   : (struct section){narrow.sh_name, narrow.sh_type, narrow.sh_link,
					      narrow.sh_offset, narrow.sh_size};
	return 0;
}

static int read_header(struct file *f)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} h = {};
	const uint16_t one = 1;
	unsigned char order = *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
	struct section first;
	uint32_t names;
	int r;

	if (read_at(f->fd, &h, sizeof(h.narrow), 0) < 0 || memcmp(h.ident, ELFMAG, SELFMAG) != 0 ||
	    h.ident[EI_DATA] != order ||
	    (h.ident[EI_CLASS] != ELFCLASS64 && h.ident[EI_CLASS] != ELFCLASS32))
		return -ENOEXEC;
	f->is_64bit = h.ident[EI_CLASS] == ELFCLASS64;
	if (f->is_64bit && read_at(f->fd, &h, sizeof(h.wide), 0) < 0)
		return -ENOEXEC;
	f->sections_offset = f->is_64bit ? h.wide.e_shoff : h.narrow.e_shoff;
	f->n_sections = f->is_64bit ? h.wide.e_shnum : h.narrow.e_shnum;
	names = f->is_64bit ? h.wide.e_shstrndx : h.narrow.e_shstrndx;
	if (f->sections_offset == 0)
		return -ENODATA;
	/* Numbers that do not fit into the header stand in the first section. */
	r = read_section(f, 0, &first);
	if (r < 0)
		return r;
	if (f->n_sections == 0)
		f->n_sections = first.size;
	if (names == SHN_XINDEX)
		names = first.link;
	if (f->n_sections > SECTIONS_MAX || names >= f->n_sections)
		return -ENOEXEC;
	return read_section(f, names, &f->names);
}

static bool has_name(const struct file *f, const struct section *s, const char *name)
{
	char found[sizeof(ALT_LINK)];
	size_t size = strlen(name) + 1;

	return size <= sizeof(found) && f->names.offset <= INT64_MAX && s->name < f->names.size &&
	       size <= f->names.size - s->name &&
	       read_at(f->fd, found, size, f->names.offset + s->name) == 0 &&
	       memcmp(found, name, size) == 0;
}

static void write_hex(const uint8_t *id, size_t len, char ret[static ELF_ID_HEX])
{
	hex_encode(id, MIN(len, (size_t)ELF_ID_MAX), ret);
}

/* 1 when it has one. */
static int find_note(const struct file *f, const struct section *s, char ret[static ELF_ID_HEX])
{
	_cleanup_(freep) uint8_t *data = NULL;
	uint64_t at = 0;

	if (s->size > NOTES_MAX)
		return 0;
	data = malloc(s->size + 1);
	if (!data)
		return -ENOMEM;
	if (read_at(f->fd, data, s->size, s->offset) < 0)
		return -ENOEXEC;
	while (s->size - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name, content, end;
		Elf64_Nhdr note; /* that of 32 bits is the same */

		memcpy(&note, data + at, sizeof(note));
		name = at + sizeof(note);
		content = name + (((uint64_t)note.n_namesz + 3) & ~3ULL);
		end = content + (((uint64_t)note.n_descsz + 3) & ~3ULL);
		if (content + note.n_descsz > s->size)
			return 0;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz > 0 &&
		    note.n_descsz <= ELF_ID_MAX && memcmp(data + name, "GNU", 4) == 0) {
			write_hex(data + content, note.n_descsz, ret);
			return 1;
		}
		at = MIN(end, s->size);
	}
	return 0;
}

/* A file name that a zero ends, then the build-id. */
static int read_link(const struct file *f, const struct section *s, char ret[static ELF_ID_HEX])
{
	uint8_t data[LINK_MAX];
	size_t name;

	if (s->size == 0 || s->size > sizeof(data))
		return 0;
	if (read_at(f->fd, data, s->size, s->offset) < 0)
		return -ENOEXEC;
	name = strnlen((const char *)data, s->size) + 1;
	if (name < s->size && s->size - name <= ELF_ID_MAX)
		write_hex(data + name, s->size - name, ret);
	return 0;
}

int elf_id_read(int fd, char ret[static ELF_ID_HEX], char ret_supplement[static ELF_ID_HEX])
{
	char own[ELF_ID_HEX] = "", supplement[ELF_ID_HEX] = "";
	struct file f = {.fd = fd};
	int r = read_header(&f);

	for (uint64_t i = 0; i < f.n_sections && r >= 0; i++) {
		struct section s;

		r = read_section(&f, i, &s);
		if (r >= 0 && s.type == SHT_NOTE && !own[0])
			r = find_note(&f, &s, own);
		else if (r >= 0 && s.type == SHT_PROGBITS && !supplement[0] &&
			 has_name(&f, &s, ALT_LINK))
			r = read_link(&f, &s, supplement);
	}
	if (r < 0)
		return r;
	if (!own[0])
		return -ENODATA;
	memcpy(ret, own, sizeof(own));
	memcpy(ret_supplement, supplement, sizeof(supplement));
	return 0;
}
