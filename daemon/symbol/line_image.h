/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What debug information says of addresses of one file, as one flat block that the reader process
 * answers: a header, the addresses in the order of the question, their functions, strings. The
 * reader writes it, the daemon maps it and checks every number again.
 */
#ifndef SONDE_SYMBOL_LINE_IMAGE_H
#define SONDE_SYMBOL_LINE_IMAGE_H

#include "symbol/flat.h"

enum {
	LINE_IMAGE_VERSION = 1,
	LINE_ADDRESSES_MAX = 65536, /* of one question */
	LINE_DEPTH_MAX = 64,	    /* functions of one address */
	LINE_STRINGS_MAX = 64 << 20,
};
#define LINE_IMAGE_MAGIC "SONDElin"

struct line_image_header {
	char magic[8];
	uint32_t version, n_addresses;
	uint64_t n_entries, strings_size;
};

/* The functions of an address, innermost first: all but the last one are inlined. */
struct line_address {
	uint32_t first, count;
};

/* Texts are offsets into the strings, of which the first is "": not known. */
struct line_entry {
	uint32_t function;   /* as the linker knows it, mangled, else as the source does */
	uint32_t file, line; /* where in the function; 0: not known */
};

/* Immutable; any number of threads may read it. */
struct line_image {
	const struct line_address *addresses;
	size_t n_addresses;
	const struct line_entry *entries;
	size_t n_entries;
	const char *strings;
	size_t strings_size;
	struct flat flat; /* what the above point into */
};

/* Writes the first six at the position of fd. */
int line_image_write(const struct line_image *image, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG when it is not valid, -ENOMEM. */
int line_image_open(int fd, struct error *error, struct line_image **ret);
struct line_image *line_image_free(struct line_image *image);
DEFINE_CLEANUP(struct line_image *, line_image_free)

#endif
