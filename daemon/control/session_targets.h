/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside session: the processes it is about. */
#ifndef SONDE_CONTROL_SESSION_TARGETS_H
#define SONDE_CONTROL_SESSION_TARGETS_H

#include "control/session.h"

/* Whether the session is about some processes only. */
bool session_has_targets(const struct session_options *o);
/* Makes them targets in the kernel; those selected by what they are are looked up first. */
int session_add_targets(struct session *s, struct error *error);
/* For people: "pid 12,13", "command /bin/ls", "all". The caller frees it. */
char *session_describe_targets(const struct session_options *o);

#endif
