/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows of a running session one by one, beside their total: a comparison needs to know how
 * figures vary. Bounded: when there are too many windows, or rows in them, neighbours are joined,
 * so that what is kept covers all of the session in windows of equal length.
 */
#ifndef SONDE_CONTROL_PAST_H
#define SONDE_CONTROL_PAST_H

#include "model/window.h"

enum {
	PAST_WINDOWS = 120,
	PAST_ROWS = 1 << 15, /* of all windows, as long as these are more than PAST_LEAST */
	PAST_LEAST = 16,
};

struct past {
	struct window windows[PAST_WINDOWS]; /* oldest first; without raw spans */
	size_t n;
	uint64_t each, in_last; /* windows that were joined to one, and to the last one */
};

/* Adds a window that has ended; *past is made when it is NULL. 0 or -ENOMEM. */
int past_add(struct past **past, const struct window *w);
struct past *past_free(struct past *past);

#endif
