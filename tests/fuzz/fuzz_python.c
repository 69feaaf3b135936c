/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPython processes are read for: the input is a table of lines; what 3.13 and 3.14 publish
 * of their fields, behind the cookie; and an ELF file.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "symbol/python_file.h"
#include "symbol/python_lines.h"
#include "symbol/python_offsets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line once found stays the same when the table goes on. */
static void use_lines(const uint8_t *data, size_t size)
{
	for (int32_t offset = -2; offset < 600; offset += 2) {
		uint32_t line = 0, again = 0;

		if (python_lines_find(data, size, 100, offset, &line) < 0)
			break;
		if (line > 1U << 30 ||
		    python_lines_find(data, size / 2, 100, offset, &again) == -EBADMSG)
			continue;
		if (again && again != line)
			abort();
	}
}

static void use_offsets(const uint8_t *data, size_t size)
{
	uint8_t start[PYTHON_PUBLISHED_BYTES] = "xdebugpy";
	struct error e = {};

	memcpy(start + 16, data, MIN(size, sizeof(start) - 16));
	for (uint32_t minor = 13; minor <= 14; minor++) {
		uint32_t version = 3U << 24 | minor << 16, interpreters;
		struct python_offsets o;

		memcpy(start + 8, &(uint64_t){version}, 8);
		if (python_offsets_find(version, start, sizeof(start), &e, &o, &interpreters) < 0)
			continue;
		if (o.frame_code > PYTHON_FRAME_BYTES - 8 || o.frame_owner >= PYTHON_FRAME_BYTES ||
		    o.frame_previous % 8 || o.code_lines < o.code_file ||
		    o.code_lines - o.code_file > PYTHON_TEXTS_BYTES - 8 || interpreters > 16 << 20)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct python_file f;

	use_lines(data, MIN(size, 4096));
	use_offsets(data, size);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    elf_image_open(fd, NULL, &image) < 0)
		return 0;
	python_file_read(image, &f);
	if (f.n_eval > PYTHON_MAX_EVAL || (f.found && !f.n_eval))
		abort();
	(void)python_file_evaluates(&f, size);
	return 0;
}
