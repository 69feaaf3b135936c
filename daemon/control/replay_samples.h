/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The samples of a recording, window by window, for the session that it is fed to: one by one with
 * their times where the recording has them so, else added up.
 */
#ifndef SONDE_CONTROL_REPLAY_SAMPLES_H
#define SONDE_CONTROL_REPLAY_SAMPLES_H

#include "control/session.h"
#include "model/translate.h"

struct replay_samples;

/* Whose samples are wanted, and when they were taken. All is borrowed. */
struct replay_samples_of {
	struct store_reader *reader; /* has its windows apart */
	struct translator *translator;
	const uint32_t *processes;   /* by id of the recording; 0: not wanted */
	uint64_t since_ns, until_ns; /* on the clock of spans; 0: no limit */
};
int replay_samples_new(const struct replay_samples_of *of, struct replay_samples **ret);
struct replay_samples *replay_samples_free(struct replay_samples *r);
DEFINE_CLEANUP(struct replay_samples *, replay_samples_free)

/*
 * Adds those of a window to the session's; each window once, in their order. What was added up is
 * of no time but the window's: all of it counts when a part of the window is wanted. May roll the
 * session, so that memory is bounded whatever the recording says.
 */
int replay_samples_add(struct replay_samples *r, size_t window, struct session *s,
		       struct error *error);

#endif
