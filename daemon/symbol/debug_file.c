/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/debug_file.h"

#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

#include "symbol/debug_dirs.h"

#define MINI_SIZE_MAX	  (64ULL << 20)
#define UNPACK_MEMORY_MAX (64ULL << 20)
#define CHECKSUM_SIZE_MAX (1ULL << 30)
enum { CHUNK_SIZE = 65536 };

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

/* Whether it is the name of something in a directory, and not of another one. */
static bool is_bare(const char *name)
{
	return *name && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

/* .gnu_debuglink: a file name, zeros up to a multiple of four, the CRC-32 of that file. */
int debug_file_link(struct elf_image *image, char *ret_name, size_t size, uint32_t *ret_checksum)
{
	const struct elf_section *section = elf_image_find_section(image, ".gnu_debuglink");
	const uint8_t *data;
	size_t data_size, len, at;

	if (!section || elf_image_section_data(image, section, &data, &data_size) < 0)
		return -ENOENT;
	len = strnlen((const char *)data, data_size);
	at = (len + 1 + 3) & ~(size_t)3;
	if (len > NAME_MAX || len >= size || at > data_size ||
	    data_size - at < sizeof(*ret_checksum) || !is_bare((const char *)data))
		return -ENOENT;
	memcpy(ret_name, data, len + 1);
	memcpy(ret_checksum, data + at, sizeof(*ret_checksum));
	return 0;
}

static bool belongs(struct elf_image *image, const struct elf_image *debug)
{
	uint32_t checksum = 0, actual = 0;
	char name[NAME_MAX + 1];

	if (elf_image_has_build_id(image))
		return elf_image_has_build_id(debug) &&
		       memcmp(elf_image_build_id(image), elf_image_build_id(debug),
			      BUILD_ID_SIZE) == 0;
	return debug_file_link(image, name, sizeof(name), &checksum) == 0 &&
	       file_checksum(elf_image_fd(debug), &actual) == 0 && actual == checksum;
}

int debug_file_use(struct elf_image *image, int fd, struct error *error, struct elf_image **ret)
{
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	int r = elf_image_open(fd, error, &debug);

	if (r < 0)
		return r;
	if (!belongs(image, debug))
		return -ENODATA;
	*ret = TAKE_PTR(debug);
	return 0;
}

static int open_by_build_id(struct elf_image *image, const char *debug_dir, struct elf_image **ret)
{
	int fd _cleanup_(closep) = -EBADF;

	if (debug_dirs_open(debug_dir, elf_image_build_id(image), elf_image_build_id_len(image),
			    &fd) < 0)
		return -ENOENT;
	return debug_file_use(image, fd, NULL, ret);
}

/* Regular files alone, without a link to elsewhere; opening other things has side effects. */
static int open_in(int directory, const char *name)
{
	int handle _cleanup_(closep) = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char self[64];
	int fd;

	if (handle < 0)
		return -errno;
	if (!debug_dirs_is_ours(handle, S_IFREG))
		return -EPERM;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int debug_file_open_link(const char *name, const char *path, const char *debug_dir, unsigned where)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	int directory _cleanup_(closep) = -EBADF, fd;
	char place[PATH_MAX], root[PATH_MAX] = "";
	int len;

	if (!slash || path[0] != '/' || !is_bare(name))
		return -ENOENT;
	if (where == 2 && debug_dirs_first(debug_dir, root, sizeof(root)) < 0)
		return -ENOENT;
	len = snprintf(place, sizeof(place), "%s%.*s%s", root, (int)(slash - path), path,
		       where == 1 ? "/.debug" : "/");
	if (len >= (int)sizeof(place))
		return -ENOENT;
	directory = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	if (where < 2 && !debug_dirs_is_ours(directory, S_IFDIR))
		return -EPERM;
	/* Distributions may link what is below the directory of debug files. */
	if (where < 2)
		return open_in(directory, name);
	if (snprintf(place + len, sizeof(place) - (size_t)len, "/%s", name) >=
	    (int)(sizeof(place) - (size_t)len))
		return -ENOENT;
	return elf_open_file(place, NULL, &fd) < 0 ? -ENOENT : fd;
}

static int open_by_link(struct elf_image *image, const char *path, const char *debug_dir,
			struct elf_image **ret)
{
	char name[NAME_MAX + 1];
	uint32_t checksum;

	if (debug_file_link(image, name, sizeof(name), &checksum) < 0)
		return -ENOENT;
	for (unsigned i = 0; i < DEBUG_LINK_PLACES; i++) {
		int fd _cleanup_(closep) = debug_file_open_link(name, path, debug_dir, i);

		if (fd >= 0 && debug_file_use(image, fd, NULL, ret) >= 0)
			return 0;
	}
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
