/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows of a session made anew, of those of its raw spans for which a condition holds: for
 * comparisons, which need windows. Of sessions that end: a recording, a part of a file.
 */
#ifndef SONDE_CONTROL_MATCH_WINDOWS_H
#define SONDE_CONTROL_MATCH_WINDOWS_H

#include "control/raw_spans.h"

/* Starts as all zero. A span is of the window in which it ended. */
struct match_windows {
	struct raw_spans raw;
	struct window *windows;
	const struct window **list; /* the same, for snapshot_take_apart() */
	size_t n;
};

/* On the main thread: as raw_spans_take(), of all windows of the session's file. */
int match_windows_take(struct daemon *d, struct session *s, const struct selectors *selectors,
		       const char *where, struct match_windows *ret, struct error *error);
/* On a worker: asks all raw spans; 0, or -errno with the error set. */
int match_windows_ask(struct match_windows *m, struct error *error);
void match_windows_release(struct match_windows *m);

#endif
