/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ELF executable or shared library, opened for reading: identity, segments, sections. Files
 * belong to users and may be hostile: they are read with pread (a file that is truncated while it
 * is read gives an error, never SIGBUS), every size and offset is checked against the file, and
 * sections beyond a fixed size are refused. Only the byte order of this machine is accepted.
 */
#ifndef SONDE_SYMBOL_ELF_IMAGE_H
#define SONDE_SYMBOL_ELF_IMAGE_H

#include "sonde/base/error.h"
#include "sonde/base/util.h"

enum { BUILD_ID_SIZE = 20 };

enum elf_type { ELF_TYPE_EXEC, ELF_TYPE_DYN };

/* A PT_LOAD segment. */
struct elf_segment {
	uint64_t vaddr, offset;
	uint64_t file_size, memory_size;
	bool executable;
};

/* A section header. The name is valid as long as the image; "" when it has none. */
struct elf_section {
	const char *name;
	uint64_t vaddr, offset, size, flags;
	uint32_t index, type, link;
};

struct elf_image;

/*
 * Opens what fd refers to; fd is duplicated and stays the caller's. Errors: -EINVAL (not a regular
 * file), -ENOEXEC (not an ELF file, or a damaged one), -EFBIG, -ENOMEM, or that of reading.
 */
int elf_image_open(int fd, struct error *error, struct elf_image **ret);
/* Opens a path for reading, unless it leads to anything but a regular file. */
int elf_open_file(const char *path, struct error *error, int *ret);
/* As above by path; anything but a regular file is refused before it is opened for reading. */
int elf_image_open_path(const char *path, struct error *error, struct elf_image **ret);
struct elf_image *elf_image_free(struct elf_image *image);
DEFINE_CLEANUP(struct elf_image *, elf_image_free)

/*
 * The GNU build-id, zero padded; where the file has none, a hash of its size, first 64 KiB and
 * last 4 KiB, and elf_image_has_build_id() is false. Owned by the image.
 */
const uint8_t *elf_image_build_id(const struct elf_image *image);
/* Length of the GNU build-id in bytes, 1 to 20; 0 when the file has none. */
size_t elf_image_build_id_len(const struct elf_image *image);
bool elf_image_has_build_id(const struct elf_image *image);

enum elf_type elf_image_type(const struct elf_image *image);
bool elf_image_is_64bit(const struct elf_image *image);
bool elf_image_is_x86_64(const struct elf_image *image);
/* True when the file itself has no .symtab; a separate debug file may still have one. */
bool elf_image_is_stripped(const struct elf_image *image);
bool elf_image_has_eh_frame(const struct elf_image *image);
uint64_t elf_image_file_size(const struct elf_image *image);
int elf_image_fd(const struct elf_image *image); /* stays the image's */

/* The PT_LOAD table in file order, owned by the image. */
const struct elf_segment *elf_image_segments(const struct elf_image *image, size_t *ret_n);
const struct elf_section *elf_image_sections(const struct elf_image *image, size_t *ret_n);
/* The first section of that name, or NULL. */
const struct elf_section *elf_image_find_section(const struct elf_image *image, const char *name);
/*
 * The bytes of a section, valid until the image is freed; not aligned. -ENODATA when the section
 * occupies no space in the file, -ENOEXEC when it lies outside it, -EFBIG, -ENOMEM.
 */
int elf_image_section_data(struct elf_image *image, const struct elf_section *section,
			   const uint8_t **ret_data, size_t *ret_size);

/*
 * Address in the file's own address space to file offset and back; -ENOENT outside what the file
 * backs. Where segments overlap in the file, the executable one wins, as offsets come from code.
 */
int elf_segments_to_offset(const struct elf_segment *segments, size_t n, uint64_t vaddr,
			   uint64_t *ret_offset);
int elf_segments_to_vaddr(const struct elf_segment *segments, size_t n, uint64_t offset,
			  uint64_t *ret_vaddr);

#endif
