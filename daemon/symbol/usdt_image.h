/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The notes of a file's static probes as one flat block, as the reader process answers them: a
 * header, the numbers of each note, the strings of each note. The reader writes it, the daemon maps
 * it and checks everything again.
 */
#ifndef SONDE_SYMBOL_USDT_IMAGE_H
#define SONDE_SYMBOL_USDT_IMAGE_H

#include "symbol/usdt.h"

enum { USDT_IMAGE_VERSION = 1 };
#define USDT_IMAGE_MAGIC "SONDEnot"

struct usdt_image_header {
	char magic[8];
	uint32_t version, n_notes;
	uint64_t strings_size;
};

struct usdt_image_note {
	uint64_t vaddr, semaphore;
};

/* Writes notes at the position of fd. */
int usdt_image_write(const struct usdt_notes *notes, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG when it is not valid, -ENOMEM. */
int usdt_image_open(int fd, struct error *error, struct usdt_notes **ret);

#endif
