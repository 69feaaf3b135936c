/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flame graph from the answer of Stacks, in the format a file's name asks for. */
#ifndef SONDE_RENDER_PICTURE_H
#define SONDE_RENDER_PICTURE_H

#include "output.h"

struct timeline;

enum picture_format { PICTURE_FOLDED, PICTURE_HTML, PICTURE_SVG };

struct picture_options {
	enum picture_format format;
	const char *title;	/* NULL: one is made */
	const char *order;	/* of a page: as struct flame_info has it */
	struct timeline *times; /* raw spans, for the order by time of a page; NULL: none */
};

/* By the extension of a file's name; NULL is folded. 0, or -EINVAL when it has none that fits. */
int picture_format_of(const char *path, enum picture_format *ret);

/*
 * Appends the picture to out. before: NULL, or the answer that it is compared with. 0, -ENOMEM,
 * -E2BIG, -EOVERFLOW.
 */
int picture_write(struct strbuf *out, reply_t *reply, reply_t *before,
		  const struct picture_options *options);

#endif
