/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of code and the sections that unwinding reads, for fuzzers that make these. */
#ifndef SONDE_FUZZ_EH_FILE_H
#define SONDE_FUZZ_EH_FILE_H

#include <elf.h>
#include <sys/mman.h>

#include "symbol/elf_image.h"

/* Addresses are offsets in the file. */
enum { CODE = 0x1000, CODE_SIZE = 0x1000, DATA = 0x2000, DATA_MAX = 0x8000, SECTIONS = 4 };
static const char names[] = "\0.eh_frame\0.gcc_except_table\0.shstrtab";

static struct {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Shdr sections[SECTIONS];
	char names[sizeof(names)];
} head;

static inline Elf64_Shdr section(uint32_t name, uint32_t type, uint64_t at, uint64_t size)
{
	return (Elf64_Shdr){.sh_name = name,
			    .sh_type = type,
			    .sh_flags = SHF_ALLOC,
			    .sh_addr = at,
			    .sh_offset = at,
			    .sh_size = size,
			    .sh_addralign = 1};
}

static inline void make_head(size_t frame, size_t all)
{
	memset(&head, 0, sizeof(head));
	memcpy(head.header.e_ident, ELFMAG, SELFMAG);
	head.header.e_ident[EI_CLASS] = ELFCLASS64;
	head.header.e_ident[EI_DATA] = ELFDATA2LSB;
	head.header.e_ident[EI_VERSION] = EV_CURRENT;
	head.header.e_type = ET_DYN;
	head.header.e_machine = EM_X86_64;
	head.header.e_version = EV_CURRENT;
	head.header.e_ehsize = sizeof(Elf64_Ehdr);
	head.header.e_phoff = sizeof(Elf64_Ehdr);
	head.header.e_phentsize = sizeof(Elf64_Phdr);
	head.header.e_phnum = 2;
	head.header.e_shoff = (uint64_t)((char *)head.sections - (char *)&head);
	head.header.e_shentsize = sizeof(Elf64_Shdr);
	head.header.e_shnum = SECTIONS;
	head.header.e_shstrndx = SECTIONS - 1;
	head.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
					.p_flags = PF_R | PF_X,
					.p_offset = CODE,
					.p_vaddr = CODE,
					.p_filesz = CODE_SIZE,
					.p_memsz = CODE_SIZE};
	head.segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
					.p_flags = PF_R,
					.p_offset = DATA,
					.p_vaddr = DATA,
					.p_filesz = all,
					.p_memsz = all};
	head.sections[1] = section(1, SHT_PROGBITS, DATA, frame);
	head.sections[2] = section(11, SHT_PROGBITS, DATA + frame, all - frame);
	head.sections[3] =
		section(29, SHT_STRTAB, (uint64_t)(head.names - (char *)&head), sizeof(names));
	memcpy(head.names, names, sizeof(names));
}

/* A file around an input: `frame` bytes of .eh_frame, then .gcc_except_table. */
static inline struct elf_image *make_image(const uint8_t *data, size_t frame, size_t size)
{
	struct elf_image *image = NULL;
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("eh", MFD_CLOEXEC);
	make_head(frame, size);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    pwrite(fd, data, size, DATA) != (ssize_t)size ||
	    ftruncate(fd, (off_t)(DATA + size)) < 0)
		abort();
	if (elf_image_open(fd, NULL, &image) < 0)
		abort();
	return image;
}

#endif
