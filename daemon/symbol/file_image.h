/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be known of an ELF file before its functions are probed, as one flat block that the
 * reader process answers: a header, segments, sections, a byte for each symbol that was asked for,
 * the sections' names. The reader writes it, the daemon maps it and checks every number again.
 *
 * What the file's code is the daemon reads itself, from the descriptor, where the segments say it
 * is: bytes, which are data to whoever decodes the instructions in them.
 */
#ifndef SONDE_SYMBOL_FILE_IMAGE_H
#define SONDE_SYMBOL_FILE_IMAGE_H

#include "symbol/flat.h"

enum {
	FILE_IMAGE_VERSION = 1,
	FILE_IMAGE_SECTIONS_MAX = 65536,
	FILE_IMAGE_SYMBOLS_MAX = 64,
	FILE_IMAGE_NAMES_MAX = 4096, /* bytes of their names, each with its NUL */
};
#define FILE_IMAGE_MAGIC "SONDEfil"

enum file_image_flags {
	FILE_IMAGE_X86_64 = 1 << 0,
	FILE_IMAGE_64BIT = 1 << 1,
};

/* What .dynsym has of a name. */
enum file_symbol {
	FILE_SYMBOL_THERE = 1 << 0,
	FILE_SYMBOL_DEFINED = 1 << 1, /* and not only imported */
};

struct file_image_header {
	char magic[8];
	uint32_t version, flags;
	uint32_t n_segments, n_sections, n_symbols, zero;
	uint64_t strings_size;
};

struct file_section {
	uint64_t vaddr, size;
	uint64_t name; /* in the strings */
};

/* Immutable; any number of threads may read it. */
struct file_image {
	bool is_x86_64, is_64bit;
	struct elf_segment *segments; /* PT_LOAD, in the file's order */
	size_t n_segments;
	const struct file_section *sections;
	size_t n_sections;
	const uint8_t *symbols; /* enum file_symbol, in the order of the question */
	size_t n_symbols;
	const char *strings;
	size_t strings_size;
	struct flat flat; /* what the above point into, but for the segments */
};

/* Writes what the image has, and of the symbols of n names, at the position of fd. */
int file_image_write(struct elf_image *image, const char *const *names, size_t n, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG when it is not valid, -ENOMEM. */
int file_image_open(int fd, struct error *error, struct file_image **ret);
struct file_image *file_image_free(struct file_image *f);
DEFINE_CLEANUP(struct file_image *, file_image_free)

/* The first section of that name, or NULL. */
const struct file_section *file_image_section(const struct file_image *f, const char *name);

#endif
