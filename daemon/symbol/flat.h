/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the flat formats have in common (symbol_image.h, unwind_image.h, file_image.h and so on):
 * one contiguous block that is written once, then mapped read-only by a process that does not trust
 * who wrote it. Numbers have the size and the order of this machine: such a block never leaves it.
 */
#ifndef SONDE_SYMBOL_FLAT_H
#define SONDE_SYMBOL_FLAT_H

#include "symbol/elf_image.h"

/* More than any file's functions or unwind rows take by their own limits. */
#define FLAT_SIZE_MAX (384ULL << 20)
enum { FLAT_SEGMENTS_MAX = 64 };

/* A block as it is mapped. */
struct flat {
	const uint8_t *data;
	size_t size;
};

struct flat_segment {
	uint64_t vaddr, offset, file_size, memory_size;
	uint64_t executable; /* 0 or 1 */
};

/* Maps all of a file that can no longer change. -EBADMSG: its size is not min to FLAT_SIZE_MAX. */
int flat_map(int fd, size_t min, struct error *error, struct flat *ret);
void flat_unmap(struct flat *flat);

void flat_segment_from(const struct elf_segment *s, struct flat_segment *ret);
/* Checks and converts n segments; -EBADMSG when one says what no ELF file may, -ENOMEM. */
int flat_segments_load(const struct flat_segment *segments, size_t n, struct error *error,
		       struct elf_segment **ret);

/* Says that a block is not valid: -EBADMSG, with what is wrong of it. */
int flat_bad(struct error *error, const char *what);

#endif
