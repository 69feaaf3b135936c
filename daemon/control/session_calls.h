/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside session: a call_plan put into force. Conditions become programs in the kernel, each
 * distinct one once; calls that come up are decided about as far as the kernel could not, and get
 * the exception and the stack that were sent ahead of them.
 */
#ifndef SONDE_CONTROL_SESSION_CALLS_H
#define SONDE_CONTROL_SESSION_CALLS_H

#include "control/session.h"

struct session_calls;

/* Takes the plan over, also on failure. */
int session_calls_new(struct call_plan *plan, struct session_calls **ret);
struct session_calls *session_calls_free(struct session_calls *c);
DEFINE_CLEANUP(struct session_calls *, session_calls_free)

const struct call_plan *session_calls_plan(const struct session_calls *c);

/* Whether what the kernel side assumes of a probe is not true of some: they need probe_infos. */
bool session_infos_matter(const struct probe_set *set, const struct call_plan *plan);

/* Tells the kernel side all about the session's probes; its programs are loaded, not active. */
int session_calls_apply(struct session *s, struct error *e);
/*
 * Puts another plan into force while the session goes on. The plan must be for the same probes,
 * with the captures of the one before at their places. Taken over, also on failure, which leaves
 * the old one in force.
 */
int session_calls_replace(struct session *s, struct call_plan *plan, struct error *e);

#endif
