/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbol_image.h"

#include <assert.h>

#include "sonde/base/table.h"
#include "symbol/symtab_internal.h"

static_assert(sizeof(struct symtab_entry) == 16, "entries have no holes");
static_assert(sizeof(struct symbol_image_header) == 72, "the header has none");

/* What a table's names and entries are at most: see symtab_builder.c. */
enum { ENTRIES_MAX = 4 << 20, FLAGS_KNOWN = 0x1f };

static uint64_t checksum_of(const void *entries, size_t entries_size, const void *segments,
			    size_t segments_size, const void *names, size_t names_size)
{
	uint64_t sum = hash_bytes(entries, entries_size, SYMBOL_IMAGE_VERSION);

	sum = hash_bytes(segments, segments_size, sum);
	return hash_bytes(names, names_size, sum);
}

uint64_t symbol_image_checksum(const struct symbol_image_header *h)
{
	const struct symtab_entry *entries = (const void *)(h + 1);
	const struct flat_segment *segments = (const void *)(entries + h->n_entries);

	return checksum_of(entries, h->n_entries * sizeof(*entries), segments,
			   h->n_segments * sizeof(*segments), segments + h->n_segments,
			   h->names_size);
}

int symbol_image_write(const struct symtab *st, const struct elf_image *image, int fd)
{
	struct flat_segment segments[FLAT_SEGMENTS_MAX];
	struct symbol_image_header h = {
		.magic = SYMBOL_IMAGE_MAGIC,
		.version = SYMBOL_IMAGE_VERSION,
		.flags = st->stripped ? SYMBOL_IMAGE_STRIPPED : 0,
		.build_id_len = elf_image_build_id_len(image),
		.n_entries = st->len,
		.n_segments = MIN(st->n_segments, FLAT_SEGMENTS_MAX),
		.names_size = st->names_size,
	};
	size_t entries_size = st->len * sizeof(*st->entries), segments_size;
	int r;

	memcpy(h.build_id, elf_image_build_id(image), BUILD_ID_SIZE);
	for (size_t i = 0; i < h.n_segments; i++)
		flat_segment_from(&st->segments[i], &segments[i]);
	segments_size = h.n_segments * sizeof(*segments);
	h.checksum = checksum_of(st->entries, entries_size, segments, segments_size, st->names,
				 st->names_size);
	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, st->entries, entries_size);
	if (r >= 0)
		r = write_fully(fd, segments, segments_size);
	if (r >= 0)
		r = write_fully(fd, st->names, st->names_size);
	return r;
}

/*
 * Each name lies right behind the one before, so that reading them all is one walk over them: names
 * that overlap could make it take for ever.
 */
static int check_entries(const struct symtab *st, struct error *error)
{
	uint64_t at = 0, last = 0;

	for (size_t i = 0; i < st->len; i++) {
		const struct symtab_entry *e = &st->entries[i];
		const char *end;

		if (e->vaddr < last)
			return flat_bad(error, "its functions are not in order");
		last = e->vaddr;
		if (e->flags & ~(uint64_t)FLAGS_KNOWN)
			return flat_bad(error, "a function has an unknown flag");
		if (e->name != at || at >= st->names_size)
			return flat_bad(error, "a name is not where it should be");
		end = memchr(st->names + at, '\0', st->names_size - at);
		if (!end)
			return flat_bad(error, "a name has no end");
		at = (uint64_t)(end - st->names) + 1;
	}
	return at == st->names_size ? 0 : flat_bad(error, "there are names of nothing");
}

static int check_header(const struct symbol_image_header *h, size_t size, struct error *error)
{
	if (memcmp(h->magic, SYMBOL_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != SYMBOL_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n_entries > ENTRIES_MAX || h->n_segments > FLAT_SEGMENTS_MAX ||
	    h->names_size > FLAT_SIZE_MAX || h->build_id_len > BUILD_ID_SIZE ||
	    size != sizeof(*h) + h->n_entries * sizeof(struct symtab_entry) +
			    h->n_segments * sizeof(struct flat_segment) + h->names_size)
		return flat_bad(error, "it has another size than it says");
	return 0;
}

static int use(struct symtab *st, struct error *error)
{
	const struct symbol_image_header *h = (const void *)st->flat.data;
	const struct flat_segment *segments;
	int r;

	r = check_header(h, st->flat.size, error);
	if (r < 0)
		return r;
	st->entries = (struct symtab_entry *)(h + 1);
	st->len = h->n_entries;
	segments = (const void *)(st->entries + st->len);
	st->names = (char *)(segments + h->n_segments);
	st->names_size = h->names_size;
	st->stripped = h->flags & SYMBOL_IMAGE_STRIPPED;
	if (h->checksum != symbol_image_checksum(h))
		return flat_bad(error, "its checksum is wrong");
	r = flat_segments_load(segments, h->n_segments, error, &st->segments);
	if (r < 0)
		return r;
	st->n_segments = h->n_segments;
	return check_entries(st, error);
}

int symbol_image_open(int fd, struct error *error, struct symtab **ret)
{
	struct symtab *st _cleanup_(symtab_freep) = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct symbol_image_header), error, &st->flat);
	if (r < 0)
		return r;
	r = use(st, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(st);
	return 0;
}

const struct symbol_image_header *symbol_image_header(const struct symtab *st, size_t *ret_size)
{
	*ret_size = st->flat.size;
	return (const void *)st->flat.data;
}
