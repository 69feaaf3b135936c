/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside session: its functions, from specifications to probes that are in place. */
#ifndef SONDE_CONTROL_SESSION_PROBES_H
#define SONDE_CONTROL_SESSION_PROBES_H

#include "control/session.h"

/* Resolves, loads, attaches. What has been done when it fails is the session's to take down. */
int session_start_spans(struct session *s, struct error *error);

#endif
