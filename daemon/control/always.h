/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon does by itself: it samples the whole machine and keeps the starts and ends of
 * processes, and starts the sessions of /etc/sonde/sessions.d; all of it goes to the rolling store.
 */
#ifndef SONDE_CONTROL_ALWAYS_H
#define SONDE_CONTROL_ALWAYS_H

#include "control/daemon.h"

#define ALWAYS_NAME "always" /* the session of the machine's samples */

/* After daemon_go_live(). What cannot be started is logged and noted as an event. */
int always_start(struct daemon *d);
/* Begins a session that goes to the rolling store; takes what o has. */
int always_add(struct daemon *d, struct session_options *o, struct error *error,
	       struct session **ret);
/* Hands over the windows that are due. On the daemon's tick. */
void always_tick(struct daemon *d);
/* Calls back when all that has happened until now is in the rolling store, as far as it can be
 * written; at once when there is none. */
void always_settle(struct daemon *d, void (*then)(void *arg), void *arg);
/* Begins a new model when the old one has grown, and nobody but the rolling store has data of it.
 */
void always_renew_model(struct daemon *d);

#endif
