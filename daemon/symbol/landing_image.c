/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/landing_image.h"

#include <assert.h>

#include "symbol/landing_internal.h"

static_assert(sizeof(struct landing_image_header) == 32, "no holes");
static_assert(sizeof(struct landing_range) == 24, "no holes");

int landing_image_write(const struct landing_table *t, const struct elf_image *image, int fd)
{
	struct landing_image_header h = {
		.magic = LANDING_IMAGE_MAGIC,
		.version = LANDING_IMAGE_VERSION,
		.n_parts = t->n,
		.n_landings = t->n_landings,
	};
	struct flat_segment flat[FLAT_SEGMENTS_MAX];
	size_t n;
	const struct elf_segment *segments = elf_image_segments(image, &n);
	int r;

	for (size_t i = 0; i < n && h.n_segments < FLAT_SEGMENTS_MAX; i++)
		if (segments[i].executable)
			flat_segment_from(&segments[i], &flat[h.n_segments++]);
	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, flat, h.n_segments * sizeof(*flat));
	if (r >= 0)
		r = write_fully(fd, t->parts, t->n * sizeof(*t->parts));
	if (r >= 0)
		r = write_fully(fd, t->landings, t->n_landings * sizeof(*t->landings));
	return r;
}

static bool is_code(const struct elf_segment *segments, size_t n, uint64_t vaddr)
{
	for (size_t i = 0; i < n; i++)
		if (segments[i].executable && vaddr >= segments[i].vaddr &&
		    vaddr - segments[i].vaddr < segments[i].file_size)
			return true;
	return false;
}

static int check(const struct landing_table *t, const struct elf_segment *segments,
		 size_t n_segments, struct error *error)
{
	uint64_t last = 0, at = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct landing_range *p = &t->parts[i];

		if (p->vaddr < last || p->zero != 0)
			return flat_bad(error, "its parts are not in order");
		last = p->vaddr;
		if (!is_code(segments, n_segments, p->vaddr) || p->size > UINT64_MAX - p->vaddr)
			return flat_bad(error, "a part of it is no code");
		if (p->first != at || p->n > t->n_landings - at)
			return flat_bad(error, "a part has landings that are not there");
		for (uint64_t k = at; k < at + p->n; k++) {
			if (k > at && t->landings[k] <= t->landings[k - 1])
				return flat_bad(error, "its landings are not in order");
			if (!is_code(segments, n_segments, t->landings[k]))
				return flat_bad(error, "a landing is not in code");
		}
		at += p->n;
	}
	return at == t->n_landings ? 0 : flat_bad(error, "there are landings of nothing");
}

static int use(struct landing_table *t, struct error *error)
{
	struct elf_segment *segments _cleanup_(freep) = NULL;
	const struct landing_image_header *h = (const void *)t->flat.data;
	const struct flat_segment *flat = (const void *)(h + 1);
	int r;

	if (memcmp(h->magic, LANDING_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != LANDING_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n_segments > FLAT_SEGMENTS_MAX || h->n_parts > LANDING_PARTS_MAX ||
	    h->n_landings > LANDINGS_MAX ||
	    t->flat.size != sizeof(*h) + h->n_segments * sizeof(*flat) +
				    h->n_parts * sizeof(*t->parts) +
				    h->n_landings * sizeof(*t->landings))
		return flat_bad(error, "it has another size than it says");
	r = flat_segments_load(flat, h->n_segments, error, &segments);
	if (r < 0)
		return r;
	t->parts = (struct landing_range *)(flat + h->n_segments);
	t->n = h->n_parts;
	t->landings = (uint64_t *)(t->parts + t->n);
	t->n_landings = h->n_landings;
	return check(t, segments, h->n_segments, error);
}

int landing_image_open(int fd, struct error *error, struct landing_table **ret)
{
	struct landing_table *t _cleanup_(landing_table_freep) = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct landing_image_header), error, &t->flat);
	if (r < 0)
		return r;
	r = use(t, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}
