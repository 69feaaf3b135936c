/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/unwind_image.h"

#include <sys/mman.h>

static_assert(sizeof(struct unwind_image_header) == 56 + 24 + 16 * PYTHON_MAX_EVAL, "no holes");

int unwind_image_write(const struct unwind_table *table, struct elf_image *image, int fd)
{
	struct unwind_image_header h = {
		.magic = UNWIND_IMAGE_MAGIC,
		.version = UNWIND_IMAGE_VERSION,
		.n_rows = table->len,
		.base = table->base,
		.functions = table->functions,
		.bad = table->bad,
		.unsaid = table->unsaid,
	};
	struct flat_segment flat[FLAT_SEGMENTS_MAX];
	size_t n;
	const struct elf_segment *segments = elf_image_segments(image, &n);
	int r;

	python_file_read(image, &h.python);
	for (size_t i = 0; i < n && h.n_segments < FLAT_SEGMENTS_MAX; i++)
		if (segments[i].executable)
			flat_segment_from(&segments[i], &flat[h.n_segments++]);
	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, flat, h.n_segments * sizeof(*flat));
	if (r >= 0)
		r = write_fully(fd, table->rows, table->len * sizeof(*table->rows));
	return r;
}

static bool is_row(const struct unwind_row *row)
{
	return (row->rule & 0xf) <= UNWIND_SIGNAL && row->rule >> 4 <= UNWIND_RBP_UNDEFINED;
}

static int check_rows(const struct unwind_table *t, struct error *error)
{
	for (size_t i = 0; i < t->len; i++) {
		if (!is_row(&t->rows[i]))
			return flat_bad(error, "a row has an unknown rule");
		if (i > 0 && t->rows[i].pc <= t->rows[i - 1].pc)
			return flat_bad(error, "its rows are not in order");
	}
	/* It says where the last function ends. */
	if (t->rows[t->len - 1].rule != UNWIND_NONE)
		return flat_bad(error, "it has no end");
	return 0;
}

static int use(struct unwind_image *u, struct error *error)
{
	const struct unwind_image_header *h = (const void *)u->flat.data;
	const struct flat_segment *segments = (const void *)(h + 1);
	int r;

	if (memcmp(h->magic, UNWIND_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != UNWIND_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n_segments > FLAT_SEGMENTS_MAX || h->n_rows == 0 || h->n_rows > UNWIND_MAX_ROWS ||
	    u->flat.size != sizeof(*h) + h->n_segments * sizeof(*segments) +
				    h->n_rows * sizeof(struct unwind_row))
		return flat_bad(error, "it has another size than it says");
	r = flat_segments_load(segments, h->n_segments, error, &u->segments);
	if (r < 0)
		return r;
	u->n_segments = h->n_segments;
	u->table = (struct unwind_table){
		.base = h->base,
		.rows = (struct unwind_row *)(segments + h->n_segments),
		.len = h->n_rows,
		.functions = h->functions,
		.bad = h->bad,
		.unsaid = h->unsaid,
	};
	u->python = h->python;
	if (!python_file_valid(&u->python))
		return flat_bad(error, "what it says of Python is impossible");
	if (u->table.base > UINT64_MAX - UINT32_MAX)
		return flat_bad(error, "its base is impossible");
	return check_rows(&u->table, error);
}

int unwind_image_open(int fd, struct error *error, struct unwind_image **ret)
{
	struct unwind_image *u _cleanup_(unwind_image_freep) = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct unwind_image_header), error, &u->flat);
	if (r < 0)
		return r;
	r = use(u, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(u);
	return 0;
}

int unwind_image_new(struct elf_image *image, struct error *error, struct unwind_image **ret)
{
	struct unwind_table *table _cleanup_(unwind_table_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF, r;

	r = unwind_table_new(image, error, &table);
	if (r < 0)
		return r;
	fd = memfd_create("sonde-unwind", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = unwind_image_write(table, image, fd);
	return r < 0 ? r : unwind_image_open(fd, error, ret);
}

struct unwind_image *unwind_image_free(struct unwind_image *u)
{
	if (!u)
		return NULL;
	flat_unmap(&u->flat);
	free(u->segments);
	free(u);
	return NULL;
}
