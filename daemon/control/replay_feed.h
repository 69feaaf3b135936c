/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw spans of a recording as records of a session, window by window, in the order in which the
 * calls ended. What records cannot carry, as frames are not addresses any more, is laid ready in
 * the session before the record that it belongs to: the process, the stack, the exception. Memory
 * is bounded by one packed chunk, whatever the file says.
 */
#ifndef SONDE_CONTROL_REPLAY_FEED_H
#define SONDE_CONTROL_REPLAY_FEED_H

#include "collect/replay_source.h"
#include "control/replay_session.h"

struct replay_feed;

/*
 * from: the model of the reader, which has its windows apart. Both are borrowed, as is the session,
 * whose model gets all functions and call paths, and the processes that are wanted.
 */
int replay_feed_new(struct store_reader *reader, const struct model *from, struct session *s,
		    const struct replay_wishes *wishes, struct replay_feed **ret);
struct replay_feed *replay_feed_free(struct replay_feed *f);
DEFINE_CLEANUP(struct replay_feed *, replay_feed_free)

/* A replay_next_t; rolls the session's window where one of the recording ends. */
int replay_feed_next(void *feed, struct replay_record *ret);
/* What next() has failed with. */
const struct error *replay_feed_error(const struct replay_feed *f);
/* As replay_window_end(). */
bool replay_feed_window_end(const struct replay_feed *f, uint64_t *ret_end_ns);
/* Raw spans of the recording, those that are not wanted included. */
uint64_t replay_feed_count(const struct replay_feed *f);

#endif
