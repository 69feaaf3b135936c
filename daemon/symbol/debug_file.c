/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/debug_file.h"

#include <limits.h>
#include <lzma.h>
#include <sys/mman.h>
#include <zlib.h>

#include "symbol/debug_dirs.h"

#define MINI_SIZE_MAX	  (64ULL << 20)
#define UNPACK_MEMORY_MAX (64ULL << 20)
#define CHECKSUM_SIZE_MAX (1ULL << 30)
enum { CHUNK_SIZE = 65536 };

bool debug_file_fits(const struct elf_image *a, const struct elf_image *b)
{
	return elf_image_has_build_id(a) && elf_image_has_build_id(b) &&
	       memcmp(elf_image_build_id(a), elf_image_build_id(b), BUILD_ID_SIZE) == 0;
}

static int open_by_build_id(const struct elf_image *image, const char *debug_dir,
			    struct elf_image **ret)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF;

	if (debug_dirs_open(debug_dir, elf_image_build_id(image), elf_image_build_id_len(image),
			    &fd) < 0 ||
	    elf_image_open(fd, NULL, &debug) < 0 || !debug_file_fits(image, debug))
		return -ENOENT;
	*ret = TAKE_PTR(debug);
	return 0;
}

static int file_checksum(int fd, uint32_t *ret)
{
	uint8_t *chunk _cleanup_(freep) = malloc(CHUNK_SIZE);
	uint64_t total = 0;
	uLong crc = crc32(0, NULL, 0);
	ssize_t n;

	if (!chunk)
		return -ENOMEM;
	while ((n = pread(fd, chunk, CHUNK_SIZE, (off_t)total)) > 0) {
		crc = crc32(crc, chunk, n);
		total += n;
		if (total > CHECKSUM_SIZE_MAX)
			return -EFBIG;
	}
	if (n < 0)
		return -errno;
	*ret = crc;
	return 0;
}

static int open_link_at(const struct elf_image *image, const char *path, uint32_t checksum,
			struct elf_image **ret)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	uint32_t actual = 0;

	if (elf_image_open_path(path, NULL, &debug) < 0)
		return -ENOENT;
	if (elf_image_has_build_id(image)) {
		if (!debug_file_fits(image, debug))
			return -ENOENT;
	} else if (file_checksum(elf_image_fd(debug), &actual) < 0 || actual != checksum) {
		return -ENOENT;
	}
	*ret = TAKE_PTR(debug);
	return 0;
}

/* .gnu_debuglink: a file name, zeros up to a multiple of four, the CRC-32 of that file. */
static int open_by_link(struct elf_image *image, const char *path, const char *debug_dir,
			struct elf_image **ret)
{
	const struct elf_section *section = elf_image_find_section(image, ".gnu_debuglink");
	const char *slash = path ? strrchr(path, '/') : NULL;
	char candidates[3][PATH_MAX], root[PATH_MAX];
	const uint8_t *data;
	size_t size, len, at;
	uint32_t checksum;
	int directory;

	if (!section || !slash || slash - path >= PATH_MAX ||
	    debug_dirs_first(debug_dir, root, sizeof(root)) < 0 ||
	    elf_image_section_data(image, section, &data, &size) < 0)
		return -ENOENT;
	len = strnlen((const char *)data, size);
	at = (len + 1 + 3) & ~(size_t)3;
	if (len == 0 || len > NAME_MAX || at > size || size - at < sizeof(checksum) ||
	    memchr(data, '/', len))
		return -ENOENT;
	memcpy(&checksum, data + at, sizeof(checksum));
	directory = slash - path;

	snprintf(candidates[0], PATH_MAX, "%.*s/%s", directory, path, (const char *)data);
	snprintf(candidates[1], PATH_MAX, "%.*s/.debug/%s", directory, path, (const char *)data);
	if (snprintf(candidates[2], PATH_MAX, "%s/%.*s/%s", root, directory, path,
		     (const char *)data) >= PATH_MAX)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (open_link_at(image, candidates[i], checksum, ret) == 0)
			return 0;
	return -ENOENT;
}

int debug_file_open(struct elf_image *image, const char *path, const char *debug_dir,
		    struct elf_image **ret)
{
	if (open_by_build_id(image, debug_dir, ret) == 0)
		return 0;
	return open_by_link(image, path, debug_dir, ret);
}

void debug_file_supplement(struct elf_image *image, uint8_t ret[static BUILD_ID_SIZE])
{
	const struct elf_section *section = elf_image_find_section(image, ".gnu_debugaltlink");
	const uint8_t *data;
	size_t size, len;

	memset(ret, 0, BUILD_ID_SIZE);
	if (!section || elf_image_section_data(image, section, &data, &size) < 0)
		return;
	len = strnlen((const char *)data, size);
	if (size == len + 1 + BUILD_ID_SIZE)
		memcpy(ret, data + len + 1, BUILD_ID_SIZE);
}

static void stream_end(lzma_stream *stream)
{
	lzma_end(stream);
}

/* Unpacks piece by piece, so that a bomb is noticed before it takes memory. */
static int unpack(const uint8_t *data, size_t size, int fd)
{
	lzma_stream stream _cleanup_(stream_end) = LZMA_STREAM_INIT;
	uint8_t *chunk _cleanup_(freep) = malloc(CHUNK_SIZE);
	uint64_t total = 0;
	lzma_ret result;
	int r;

	if (!chunk || lzma_stream_decoder(&stream, UNPACK_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = data;
	stream.avail_in = size;
	do {
		size_t n;

		stream.next_out = chunk;
		stream.avail_out = CHUNK_SIZE;
		result = lzma_code(&stream, LZMA_FINISH);
		if (result == LZMA_MEM_ERROR)
			return -ENOMEM;
		if (result == LZMA_MEMLIMIT_ERROR)
			return -EFBIG;
		if (result != LZMA_OK && result != LZMA_STREAM_END)
			return -EBADMSG;
		n = CHUNK_SIZE - stream.avail_out;
		total += n;
		if (total > MINI_SIZE_MAX)
			return -EFBIG;
		r = write_fully(fd, chunk, n);
		if (r < 0)
			return r;
	} while (result != LZMA_STREAM_END);
	return 0;
}

int debug_file_open_mini(struct elf_image *image, struct elf_image **ret)
{
	const struct elf_section *section = elf_image_find_section(image, ".gnu_debugdata");
	int fd _cleanup_(closep) = -EBADF;
	const uint8_t *data;
	size_t size;
	int r;

	if (!section || elf_image_section_data(image, section, &data, &size) < 0)
		return -ENOENT;
	fd = memfd_create("sonde-debugdata", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = unpack(data, size, fd);
	if (r < 0)
		return r;
	return elf_image_open(fd, NULL, ret);
}
