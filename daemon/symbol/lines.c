/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/lines.h"

#include <sys/mman.h>

#include "symbol/line_builder.h"
#include "symbol/line_units.h"

/* All addresses of a unit stand side by side. */
static int add_units(struct line_builder *b)
{
	size_t end;
	int r = 0;

	for (size_t i = 0; i < b->n && r >= 0; i = end) {
		for (end = i + 1; end < b->n && b->addresses[end].unit == b->addresses[i].unit;)
			end++;
		if (b->addresses[i].unit != 0)
			r = line_units_add(b, b->addresses[i].unit, i, end);
	}
	return r;
}

int lines_write(const struct elf_image *image, const struct dwarf_file *dwarf,
		const uint64_t *offsets, size_t n, int fd, struct error *error)
{
	struct line_builder b _cleanup_(line_builder_release) = {.file = dwarf};
	int r;

	if (n > LINE_ADDRESSES_MAX)
		return -EINVAL;
	r = line_builder_begin(&b, image, offsets, n);
	if (r >= 0)
		r = line_units_find(&b);
	if (r >= 0)
		r = add_units(&b);
	if (r == -E2BIG)
		return error_set(error, E2BIG, "BadFile",
				 "The debug information of the file leads in circles.");
	return r < 0 ? r : line_builder_write(&b, n, fd);
}

int lines_new(struct elf_image *image, const char *path, const char *debug_dir,
	      const uint64_t *offsets, size_t n, struct error *error, struct line_image **ret)
{
	struct dwarf_file *dwarf _cleanup_(dwarf_file_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF, r;

	r = dwarf_file_open(image, path, debug_dir, error, &dwarf);
	if (r < 0)
		return r;
	fd = memfd_create("sonde-lines", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = lines_write(image, dwarf, offsets, n, fd, error);
	return r < 0 ? r : line_image_open(fd, error, ret);
}
