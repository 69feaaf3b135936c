/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the input as an ELF file and uses everything that comes of it. */
#include <stdint.h>
#include <sys/mman.h>

#include "symbol/demangle.h"
#include "symbol/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int use(const struct symbol *symbol, void *data)
{
	struct symtab *st = data;
	const char *found;
	uint64_t start;

	free(demangle_full(symbol->name));
	/* A function that was given out is found by its own address, unless it is empty. */
	if (symbol->size > 0 &&
	    (symtab_lookup(st, symbol->vaddr, &found, &start) < 0 || start > symbol->vaddr))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = memfd_create("fuzz", MFD_CLOEXEC);
	const struct elf_segment *segments;
	const char *near[4], *name;
	uint64_t value;
	size_t n;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	if (elf_image_open(fd, NULL, &image) < 0)
		return 0;
	if (symtab_load(image, NULL, "/nonexistent", NULL, &st) < 0)
		return 0;
	symtab_each(st, use, st);
	symtab_find_near(st, "main", near, ARRAY_SIZE(near));
	segments = elf_image_segments(image, &n);
	for (size_t i = 0; i < n; i++)
		for (uint64_t at = 0; at < 4096; at += 37) {
			symtab_lookup(st, segments[i].vaddr + at, &name, &value);
			symtab_lookup_offset(st, segments[i].offset + at, &name, &value);
		}
	return 0;
}
