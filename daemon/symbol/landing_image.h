/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A landing table as one flat block, as the reader process answers it: a header, the executable
 * segments, the parts, the landings. The reader writes it, the daemon maps it and checks every
 * number again; look-ups then work on the mapping as it is.
 */
#ifndef SONDE_SYMBOL_LANDING_IMAGE_H
#define SONDE_SYMBOL_LANDING_IMAGE_H

#include "symbol/landing.h"

enum { LANDING_IMAGE_VERSION = 1 };
#define LANDING_IMAGE_MAGIC "SONDElnd"

struct landing_image_header {
	char magic[8];
	uint32_t version, n_segments;
	uint64_t n_parts, n_landings;
};

/* Writes a table of the image's at the position of fd. */
int landing_image_write(const struct landing_table *t, const struct elf_image *image, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG when it is not valid, -ENOMEM. */
int landing_image_open(int fd, struct error *error, struct landing_table **ret);

#endif
