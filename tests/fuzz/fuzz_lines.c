/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input is a line image, as a reader process that was taken over may answer it, or a file of
 * which the reader makes one.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "symbol/lines.h"

enum { OFFSETS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct line_image *image)
{
	for (size_t i = 0; i < image->n_addresses; i++) {
		const struct line_address *a = &image->addresses[i];

		for (uint32_t k = 0; k < a->count; k++) {
			const struct line_entry *e = &image->entries[a->first + k];

			if (strlen(image->strings + e->function) >= image->strings_size ||
			    strlen(image->strings + e->file) >= image->strings_size)
				abort();
		}
	}
}

/* What the reader writes the daemon must take. */
static void read_file_itself(int fd)
{
	_cleanup_(elf_image_freep) struct elf_image *elf = NULL;
	_cleanup_(dwarf_file_freep) struct dwarf_file *dwarf = NULL;
	_cleanup_(line_image_freep) struct line_image *image = NULL;
	_cleanup_(closep) int answer = memfd_create("fuzz-answer", MFD_CLOEXEC);
	const struct elf_segment *segments;
	uint64_t offsets[OFFSETS];
	size_t n;

	if (answer < 0 || elf_image_open(fd, NULL, &elf) < 0 ||
	    dwarf_file_open_confined(elf, -EBADF, NULL, &dwarf) < 0)
		return;
	segments = elf_image_segments(elf, &n);
	for (size_t i = 0; i < OFFSETS; i++)
		offsets[i] = n ? segments[i % n].offset + i * 5 : i;
	if (lines_write(elf, dwarf, offsets, OFFSETS, answer, NULL) < 0)
		return;
	if (line_image_open(answer, NULL, &image) < 0 || image->n_addresses != OFFSETS)
		abort();
	use(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(line_image_freep) struct line_image *image = NULL;

	if (fd < 0 || write_fully(fd, data, size) < 0)
		return 0;
	if (line_image_open(fd, NULL, &image) >= 0)
		use(image);
	else
		read_file_itself(fd);
	return 0;
}
