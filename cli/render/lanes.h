/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans in time, a lane a thread: a head, a bar that shows how much of each part of the range was
 * spent in spans, and a line for each span, indented by its depth.
 */
#ifndef SONDE_RENDER_LANES_H
#define SONDE_RENDER_LANES_H

#include "output.h"

struct lanes;

struct lanes_options {
	uint64_t zero_us;	    /* what the starts of spans are relative to */
	uint64_t from_us, until_us; /* of the bars; until_us 0: to the end of the last span */
	uint64_t limit;		    /* lines a lane; 0: all */
};

struct lanes *lanes_new(struct output *o,
			const struct lanes_options *options); /* NULL: no memory */
struct lanes *lanes_free(struct lanes *l);
DEFINE_CLEANUP(struct lanes *, lanes_free)

/*
 * Spans come in the order in which they began. As JSON each is written at once: a line, with the
 * members "lane" (from 1 on, in the order in which threads appear) and "offset_us".
 */
void lanes_add(struct lanes *l, reply_t *span);
/* Text: appends the lanes to the output. Nothing when there are none. */
void lanes_print(struct lanes *l);

/*
 * A bar of width characters for the share (0 to 1) of each part: the more, the higher; the least
 * bit shows. plain: in ASCII.
 */
void lanes_bar(struct strbuf *out, const double *shares, size_t width, bool plain);

#endif
