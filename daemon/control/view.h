/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of a file as if it were a session: of the rolling store or of the open recording, by the
 * times that a question asks about. It is loaded by a worker into a model of its own and hangs on
 * the call; the question's method then runs as on any session that has ended.
 */
#ifndef SONDE_CONTROL_VIEW_H
#define SONDE_CONTROL_VIEW_H

#include "control/daemon.h"

struct view;

/*
 * When the call's query is about a part of a file: loads it and calls then(d, call), which finds it
 * by view_of(); or answers the call with an error. False: the question is about a session as it
 * is, and nothing was done. raw: the answer is made of raw spans, whatever is asked.
 */
bool view_begin(struct daemon *d, struct call *call, bool raw,
		void (*then)(struct daemon *d, struct call *call));
/* NULL: the call has none. */
struct view *view_of(const struct call *call);
struct session *view_session(struct view *v);

/* The file that questions about times are answered from; NULL: there is none. */
const char *view_path(const struct daemon *d);

#endif
