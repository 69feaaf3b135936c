/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recording is to have of all that the daemon knows: the processes that the session is
 * about, its probes, and what its windows name. It is put into a model of the recording's own,
 * which is what gets written; the daemon's may be of the whole machine and of many days.
 */
#ifndef SONDE_CONTROL_RECORDED_H
#define SONDE_CONTROL_RECORDED_H

#include "store/store.h"

struct session;
struct recorded;

/* For a session of which nothing has been written. */
int recorded_new(struct session *s, struct recorded **ret);
struct recorded *recorded_free(struct recorded *r);
DEFINE_CLEANUP(struct recorded *, recorded_free)

/* A process the session is about ends: it is in the recording whether it was seen or not. */
void recorded_exited(struct recorded *r, uint32_t process);
/*
 * As store_batch_new() of the session's model; the window is left without what is raw, and when it
 * fails as it was but for that.
 */
int recorded_batch(struct recorded *r, struct window *w, struct store_batch **ret);

#endif
