/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_serve.h"

#include "symbol/debug_file.h"
#include "symbol/file_image.h"
#include "symbol/landing_image.h"
#include "symbol/type_writer.h"
#include "symbol/usdt_image.h"

int reader_take_question(int fd, size_t max, void **ret, size_t *ret_size)
{
	uint8_t *data _cleanup_(freep) = NULL;
	off_t end = lseek(fd, 0, SEEK_END);
	size_t size = (size_t)MAX(end, 0), done = 0;

	if (end < 0 || size > max)
		return -EINVAL;
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		done += (size_t)n;
	}
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	data[size] = 0;
	*ret = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

static int serve_file(struct elf_image *image, int fd)
{
	const char *names[FILE_IMAGE_SYMBOLS_MAX];
	void *text _cleanup_(freep) = NULL;
	size_t size, n = 0;
	int r;

	r = reader_take_question(fd, FILE_IMAGE_NAMES_MAX, &text, &size);
	if (r < 0)
		return r;
	for (const char *at = text, *end = at + size; at < end; at += strlen(at) + 1) {
		if (n == ARRAY_SIZE(names))
			return -EINVAL;
		names[n++] = at;
	}
	return file_image_write(image, names, n, fd);
}

static int serve_landings(struct elf_image *image, int fd)
{
	struct landing_table *t _cleanup_(landing_table_freep) = NULL;
	int r = landing_table_new(image, &t);

	return r < 0 ? r : landing_image_write(t, image, fd);
}

static int serve_notes(struct elf_image *image, int fd)
{
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	int r = usdt_notes_read(image, &notes);

	return r < 0 ? r : usdt_image_write(notes, fd);
}

int reader_serve_file(enum reader_kind kind, struct elf_image *image, int answer_fd,
		      struct error *error)
{
	(void)error;
	switch (kind) {
	case READ_FILE:
		return serve_file(image, answer_fd);
	case READ_LANDINGS:
		return serve_landings(image, answer_fd);
	case READ_NOTES:
		return serve_notes(image, answer_fd);
	default:
		return -EINVAL;
	}
}

void kept_types_forget(struct kept_types *kept)
{
	kept->types = function_types_free(kept->types);
}

static int open_types(const int fds[static READER_FDS], struct error *error,
		      struct function_types **ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	int r;

	r = elf_image_open(fds[READER_FD_FILE], error, &image);
	if (r >= 0 && fds[READER_FD_DEBUG] >= 0)
		r = debug_file_use(image, fds[READER_FD_DEBUG], error, &debug);
	if (r < 0)
		return r;
	return function_types_open_confined(image, debug, fds[READER_FD_SUPPLEMENT], error, ret);
}

int reader_serve_types(struct kept_types *kept, const int fds[static READER_FDS],
		       struct error *error)
{
	const size_t most = sizeof(struct type_question) + TYPE_FUNCTIONS_MAX * sizeof(uint64_t) +
			    TYPE_STRUCTS_MAX * sizeof(struct type_key);
	void *data _cleanup_(freep) = NULL;
	const struct type_question *q;
	const uint64_t *vaddrs;
	size_t size;
	int r;

	r = reader_take_question(fds[READER_FD_ANSWER], most, &data, &size);
	if (r < 0)
		return r;
	q = data;
	if (size < sizeof(*q) || q->n_functions > TYPE_FUNCTIONS_MAX ||
	    q->n_structs > TYPE_STRUCTS_MAX ||
	    size != sizeof(*q) + q->n_functions * sizeof(uint64_t) +
			    q->n_structs * sizeof(struct type_key))
		return -EINVAL;
	if (!kept->types || kept->token != q->token) {
		kept_types_forget(kept);
		r = open_types(fds, error, &kept->types);
		if (r < 0)
			return r;
		kept->token = q->token;
	}
	vaddrs = (const void *)(q + 1);
	return type_image_write(kept->types, vaddrs, q->n_functions,
				(const void *)(vaddrs + q->n_functions), q->n_structs,
				fds[READER_FD_ANSWER]);
}
