/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits of a session's threads: the stack is known when one begins, its length when it ends, two
 * records. Those that have not ended when the session does count for what has passed of them.
 */
#ifndef SONDE_CONTROL_SESSION_WAITS_H
#define SONDE_CONTROL_SESSION_WAITS_H

#include "control/session.h"

/* Where the kernel switches threads; read once a context. */
struct switch_function session_switch_function(struct session_context *context);

void session_add_wait(struct session *s, const struct record_sample *r);
/*
 * Those that go on, for what has passed of them: a window the caller releases. Raw as well when the
 * session keeps samples so.
 */
int session_waits_now(struct session *s, uint64_t now_ns, struct window *ret);
void session_end_wait(struct session *s, const struct record_wait_end *r);
/* At the end of the session: no wait goes on any more. */
void session_end_all_waits(struct session *s, uint64_t now_ns);
void session_waits_release(struct session_waits *w);

#endif
