/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/line_image.h"

#include <assert.h>

static_assert(sizeof(struct line_image_header) == 32, "no holes");
static_assert(sizeof(struct line_address) == 8, "no holes");
static_assert(sizeof(struct line_entry) == 12, "no holes");

#define ENTRIES_MAX ((uint64_t)LINE_ADDRESSES_MAX * LINE_DEPTH_MAX)

int line_image_write(const struct line_image *image, int fd)
{
	struct line_image_header h = {
		.magic = LINE_IMAGE_MAGIC,
		.version = LINE_IMAGE_VERSION,
		.n_addresses = (uint32_t)image->n_addresses,
		.n_entries = image->n_entries,
		.strings_size = image->strings_size,
	};
	int r;

	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, image->addresses, h.n_addresses * sizeof(*image->addresses));
	if (r >= 0)
		r = write_fully(fd, image->entries, h.n_entries * sizeof(*image->entries));
	if (r >= 0)
		r = write_fully(fd, image->strings, image->strings_size);
	return r;
}

static int check(const struct line_image *image, struct error *error)
{
	for (size_t i = 0; i < image->n_addresses; i++) {
		const struct line_address *a = &image->addresses[i];

		if (a->count > LINE_DEPTH_MAX || a->first > image->n_entries ||
		    a->count > image->n_entries - a->first)
			return flat_bad(error, "an address has functions that are not there");
	}
	for (size_t i = 0; i < image->n_entries; i++) {
		const struct line_entry *e = &image->entries[i];

		if (e->function >= image->strings_size || e->file >= image->strings_size ||
		    e->line > INT32_MAX)
			return flat_bad(error, "a function has a text that is not there");
	}
	if (image->strings[0] != '\0' || image->strings[image->strings_size - 1] != '\0')
		return flat_bad(error, "its texts have no end");
	return 0;
}

static int use(struct line_image *image, struct error *error)
{
	const struct line_image_header *h = (const void *)image->flat.data;

	if (memcmp(h->magic, LINE_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != LINE_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n_addresses > LINE_ADDRESSES_MAX || h->n_entries > ENTRIES_MAX ||
	    h->strings_size == 0 || h->strings_size > LINE_STRINGS_MAX ||
	    image->flat.size != sizeof(*h) + h->n_addresses * sizeof(*image->addresses) +
					h->n_entries * sizeof(*image->entries) + h->strings_size)
		return flat_bad(error, "it has another size than it says");
	image->addresses = (const void *)(h + 1);
	image->n_addresses = h->n_addresses;
	image->entries = (const void *)(image->addresses + image->n_addresses);
	image->n_entries = h->n_entries;
	image->strings = (const void *)(image->entries + image->n_entries);
	image->strings_size = h->strings_size;
	return check(image, error);
}

int line_image_open(int fd, struct error *error, struct line_image **ret)
{
	struct line_image *image _cleanup_(line_image_freep) = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct line_image_header), error, &image->flat);
	if (r < 0)
		return r;
	r = use(image, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(image);
	return 0;
}

struct line_image *line_image_free(struct line_image *image)
{
	if (!image)
		return NULL;
	flat_unmap(&image->flat);
	free(image);
	return NULL;
}
