/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session's window has raw is packed by the worker: into memory, or into the recording. */
#ifndef SONDE_CONTROL_SESSION_PACK_H
#define SONDE_CONTROL_SESSION_PACK_H

#include "control/session.h"

/*
 * Hands the raw spans and samples of the window (and, for a recording, all of it) to the worker.
 * What cannot be handed on is counted as dropped, as is what the memory has no room for.
 */
void session_pack(struct session *s);

#endif
