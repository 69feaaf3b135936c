/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the history says of sessions besides their windows: who began them, how they ended, what was
 * lost. Without a history nothing is said. */
#ifndef SONDE_CONTROL_SESSION_EVENTS_H
#define SONDE_CONTROL_SESSION_EVENTS_H

#include "control/daemon.h"

/* "attach": detail is the uid of who asked. */
void session_event_attached(struct daemon *d, const struct session *s, uid_t uid);
/* "detach": with what it has seen and lost. */
void session_event_detached(struct daemon *d, struct session *s);
/* "loss": detail is how many spans, samples and events a window lacks; none when it lacks none. */
void session_event_losses(struct keeper *k, const struct session *s, const struct window *w);

#endif
