/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/flat.h"

#include <sys/mman.h>
#include <sys/stat.h>

int flat_map(int fd, size_t min, struct error *error, struct flat *ret)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (uint64_t)st.st_size < min || (uint64_t)st.st_size > FLAT_SIZE_MAX)
		return flat_bad(error, "it has an impossible size");
	/* Private: before 6.7, the kernel takes a shared mapping of a sealed file for writable. */
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	*ret = (struct flat){data, (size_t)st.st_size};
	return 0;
}

void flat_unmap(struct flat *flat)
{
	if (flat->data)
		munmap((void *)flat->data, flat->size);
	*flat = (struct flat){};
}

void flat_segment_from(const struct elf_segment *s, struct flat_segment *ret)
{
	*ret = (struct flat_segment){
		.vaddr = s->vaddr,
		.offset = s->offset,
		.file_size = s->file_size,
		.memory_size = s->memory_size,
		.executable = s->executable,
	};
}

int flat_segments_load(const struct flat_segment *segments, size_t n, struct error *error,
		       struct elf_segment **ret)
{
	struct elf_segment *made _cleanup_(freep) = calloc(n + 1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct flat_segment *s = &segments[i];

		if (s->offset > INT64_MAX || s->file_size > INT64_MAX ||
		    s->vaddr + s->file_size < s->vaddr || s->executable > 1)
			return flat_bad(error, "its segments are impossible");
		made[i] = (struct elf_segment){
			.vaddr = s->vaddr,
			.offset = s->offset,
			.file_size = s->file_size,
			.memory_size = s->memory_size,
			.executable = s->executable,
		};
	}
	*ret = TAKE_PTR(made);
	return 0;
}

int flat_bad(struct error *error, const char *what)
{
	return error_set(error, EBADMSG, "BadFile", "The table of the file is not valid: %s.",
			 what);
}
