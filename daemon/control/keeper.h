/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps what sessions of kind SESSION_KEPT see in the rolling store (store/history.h): the daemon's
 * own samples of everything, and sessions that start with it. They hand a window over every so
 * often and keep nothing of it, so that they may go on for ever.
 *
 * The store is owned by a thread of its own. Windows that cannot be written, as the disk is full,
 * wait there for a while and are written when it can be; what is given up in the end is said by an
 * event. All functions are the main thread's.
 */
#ifndef SONDE_CONTROL_KEEPER_H
#define SONDE_CONTROL_KEEPER_H

#include <systemd/sd-event.h>

#include "control/session.h"
#include "store/history.h"

struct keeper;

struct keeper_options {
	const char *dir;
	struct symbolizer *symbolizer; /* names frames; borrowed */
	uint64_t window_ns;
	struct history_limits limits;
};

/* Opening goes on in the background; a store that cannot be opened is tried again later. */
int keeper_new(sd_event *event, const struct keeper_options *options, struct keeper **ret);
/* Writes what is under way, and notes the end of the sessions. */
struct keeper *keeper_free(struct keeper *k);
DEFINE_CLEANUP(struct keeper *, keeper_free)

/* The session begins, or ends; in between it is borrowed. */
int keeper_add(struct keeper *k, const struct session *s);
void keeper_remove(struct keeper *k, const struct session *s);

/* What comes from now on is of another clock: each session goes on as a row of its own. The windows
 * that were open have been taken. */
void keeper_set_clock(struct keeper *k, int64_t monotonic_to_epoch_ns);

/* Whether the session's open window is as long as windows are to be. */
bool keeper_is_due(const struct keeper *k, const struct window *w);
/* Takes the window over; it is left empty. */
void keeper_take(struct keeper *k, const struct session *s, struct window *w);
/* The ids of the session's model mean nothing any more: another begins. */
void keeper_forget_model(struct keeper *k);

/* text may be NULL. Of sessions NULL stands for the first. */
void keeper_event(struct keeper *k, const struct session *s, const char *kind, int64_t detail,
		  const char *text);
/*
 * The start or end of a process, for the next window of the first session; kind is static. Of many
 * the first ones are kept, and how many more there were.
 */
void keeper_note_life(struct keeper *k, uint32_t process, uint64_t time_ns, const char *kind,
		      int64_t detail);

/* Calls back on the main loop when all that was handed over is written, or cannot be. */
int keeper_settle(struct keeper *k, void (*done)(void *arg), void *arg);

const char *keeper_path(const struct keeper *k);

struct keeper_status {
	struct history_stats store;
	uint64_t written, lost; /* windows */
	uint64_t waiting;	/* windows that could not be written yet */
	char problem[768];	/* of the last write; "" when it went well */
};
void keeper_get_status(const struct keeper *k, struct keeper_status *ret);

#endif
