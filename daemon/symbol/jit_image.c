/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/jit_image.h"

#include <assert.h>

static_assert(sizeof(struct jit_record) == 56, "no holes");
static_assert(sizeof(struct jit_line) == 16, "no holes");
static_assert(sizeof(struct jit_cursor) == 104, "no holes");
static_assert(sizeof(struct jit_image_header) == 144, "no holes");

/* Bytes of a file that there are at least for one of them: "0 1 a\n", and an entry's. */
enum { RECORD_BYTES = 6, LINE_BYTES = 17 };

bool jit_image_add(struct jit_image *image, const struct jit_record *record)
{
	if (image->n_records >= image->max_records ||
	    array_reserve(&image->records, &image->records_cap, image->n_records + 1,
			  sizeof(*record)) < 0)
		return false;
	image->records[image->n_records++] = *record;
	return true;
}

bool jit_image_add_line(struct jit_image *image, const struct jit_line *line)
{
	if (image->n_lines >= image->max_lines ||
	    array_reserve(&image->lines, &image->lines_cap, image->n_lines + 1, sizeof(*line)) < 0)
		return false;
	image->lines[image->n_lines++] = *line;
	return true;
}

const char *jit_image_name(const struct jit_image *image, uint32_t name)
{
	return jit_names_get(&image->names, name);
}

int jit_image_write(const struct jit_image *image, int fd)
{
	struct jit_image_header h = {
		.magic = JIT_IMAGE_MAGIC,
		.version = JIT_IMAGE_VERSION,
		.flags = image->flags,
		.cursor = image->cursor,
		.n_records = image->n_records,
		.n_lines = image->n_lines,
		.names_size = image->names.len,
	};
	int r;

	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, image->records, h.n_records * sizeof(*image->records));
	if (r >= 0)
		r = write_fully(fd, image->lines, h.n_lines * sizeof(*image->lines));
	if (r >= 0)
		r = write_fully(fd, image->names.text, h.names_size);
	return r;
}

static bool is_name(const struct jit_image *image, uint32_t name)
{
	return name == 0 || name < image->names.len;
}

static int check(const struct jit_image *image, struct error *error)
{
	if (image->names.len > 0 && image->names.text[image->names.len - 1] != '\0')
		return flat_bad(error, "its names have no end");
	for (size_t i = 0; i < image->n_records; i++) {
		const struct jit_record *r = &image->records[i];

		if (r->kind < JIT_CODE || r->kind > JIT_LINES)
			return flat_bad(error, "a record is of no known kind");
		if (!is_name(image, r->name))
			return flat_bad(error, "a code has a name that is not there");
		if (r->first_line > image->n_lines || r->n_lines > image->n_lines - r->first_line)
			return flat_bad(error, "a code has lines that are not there");
	}
	for (size_t i = 0; i < image->n_lines; i++)
		if (!is_name(image, image->lines[i].file))
			return flat_bad(error, "a line has a file that is not there");
	return 0;
}

static int use(struct jit_image *image, size_t max, struct error *error)
{
	const struct jit_image_header *h = (const void *)image->flat.data;

	if (memcmp(h->magic, JIT_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != JIT_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->cursor.last_len > sizeof(h->cursor.last) || h->cursor.offset > INT64_MAX ||
	    h->cursor.last_len > h->cursor.offset)
		return flat_bad(error, "it ends at an impossible place");
	/* It says no more than can be in what was to be read. */
	max = MIN(max, SIZE_MAX / 2) + JIT_STREAM_BLOCK;
	if (h->n_records > MIN(max / RECORD_BYTES, (size_t)JIT_RECORDS_MAX) ||
	    h->n_lines > MIN(max / LINE_BYTES, (size_t)JIT_LINES_MAX) ||
	    h->names_size > MIN(max, (size_t)JIT_NAMES_MAX) ||
	    image->flat.size != sizeof(*h) + h->n_records * sizeof(*image->records) +
					h->n_lines * sizeof(*image->lines) + h->names_size)
		return flat_bad(error, "it has another size than it says");
	image->flags = h->flags;
	image->cursor = h->cursor;
	image->records = (struct jit_record *)(h + 1);
	image->n_records = h->n_records;
	image->lines = (struct jit_line *)(image->records + image->n_records);
	image->n_lines = h->n_lines;
	image->names.text = (char *)(image->lines + image->n_lines);
	image->names.len = h->names_size;
	return check(image, error);
}

int jit_image_open(int fd, size_t max, struct error *error, struct jit_image *ret)
{
	struct jit_image image _cleanup_(jit_image_release) = {};
	int r;

	r = flat_map(fd, sizeof(struct jit_image_header), error, &image.flat);
	if (r < 0)
		return r;
	r = use(&image, max, error);
	if (r < 0)
		return r;
	*ret = image;
	image = (struct jit_image){};
	return 0;
}

void jit_image_release(struct jit_image *image)
{
	if (image->flat.data) {
		flat_unmap(&image->flat);
	} else {
		free(image->records);
		free(image->lines);
		free(image->names.text);
	}
	*image = (struct jit_image){};
}
