/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symtab as one flat block: what the reader process answers and the cache keeps on disk. A
 * header, the entries by address, the segments, the names in the order of the entries. Whoever
 * maps one checks all of it; look-ups then work on the mapping as it is.
 */
#ifndef SONDE_SYMBOL_SYMBOL_IMAGE_H
#define SONDE_SYMBOL_SYMBOL_IMAGE_H

#include "symbol/flat.h"
#include "symbol/symtab.h"

/* To be raised whenever a table of the same file would be another one. */
enum { SYMBOL_IMAGE_VERSION = 1 };
#define SYMBOL_IMAGE_MAGIC "SONDEsym"

enum symbol_image_flags {
	SYMBOL_IMAGE_STRIPPED = 1 << 0, /* as symtab_is_stripped() */
};

struct symbol_image_header {
	char magic[8];
	uint32_t version;
	uint32_t flags;
	uint8_t build_id[BUILD_ID_SIZE]; /* of the file; as in struct reader_identity */
	uint32_t build_id_len;
	uint64_t n_entries, n_segments, names_size;
	uint64_t checksum; /* of all behind the header: notices an incomplete file of the cache */
};

/* Writes a table of the image's functions at the position of fd. */
int symbol_image_write(const struct symtab *st, const struct elf_image *image, int fd);
/*
 * Maps what fd holds, which nobody may be able to change any more. Takes time in proportion to the
 * size, whatever the content. -EBADMSG when it is not valid, -ENOMEM.
 */
int symbol_image_open(int fd, struct error *error, struct symtab **ret);
/* What the checksum should be of a block that is as long as its header says. */
uint64_t symbol_image_checksum(const struct symbol_image_header *h);
/* Of a table that symbol_image_open() made, else NULL. The block begins with it. */
const struct symbol_image_header *symbol_image_header(const struct symtab *st, size_t *ret_size);

#endif
