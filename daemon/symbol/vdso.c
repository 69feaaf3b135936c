/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/vdso.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

int vdso_open(struct error *error, struct elf_image **ret)
{
	const uint8_t *base = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	int fd _cleanup_(closep) = -EBADF;
	const ElfW(Ehdr) * header;
	const ElfW(Phdr) * segments;
	uint64_t size;

	if (!base)
		return error_set(error, ENOENT, "NotSupported", "This process has no vDSO.");
	/* The kernel's own image, so what it says about itself is true: all of it is mapped. */
	header = (const void *)base;
	segments = (const void *)(base + header->e_phoff);
	size = header->e_shoff + (uint64_t)header->e_shnum * header->e_shentsize;
	for (size_t i = 0; i < header->e_phnum; i++)
		size = MAX(size, segments[i].p_offset + segments[i].p_filesz);

	fd = memfd_create("sonde-vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; at < size;) {
		ssize_t n = write(fd, base + at, size - at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
	}
	return elf_image_open(fd, error, ret);
}
