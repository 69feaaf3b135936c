/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session that a recording is fed through again. Its raw spans become records, in the order in
 * which the calls ended, and go the way of live ones into a model of the session's own, its windows
 * being those of the recording. Samples and what was lost follow with the end of each window. All
 * on the main thread, in turns; nobody reads /proc.
 */
#ifndef SONDE_CONTROL_REPLAY_SESSION_H
#define SONDE_CONTROL_REPLAY_SESSION_H

#include "control/session.h"
#include "query/selectors.h"
#include "sonde/base/json.h"

struct replay;

/* What is wanted of the recording. Borrowed while the replay is made. */
struct replay_wishes {
	struct selectors selectors;
	const char *name; /* glob over functions' names; NULL: any */
	uint64_t since_us, until_us;
	/* What decides about calls, as it does of live ones: those left out are counted. */
	const char *where; /* a condition; NULL: none */
	uint64_t min_duration_ns;
	uint32_t max_depth; /* 0: any */
	bool errors_only, unwound_only;
	double speed; /* as of replay_source_new() */
};

/* Whom a replay works for. */
struct replay_owner {
	void *arg;
	/* Spans are in the session's window: they are sent, or will be with the window. */
	void (*flush)(void *arg);
	/* Whether what was flushed is to be read, or written, before there is more. */
	bool (*is_congested)(void *arg);
	/* All has been fed, or the error says why not. From the main loop, once. */
	void (*ended)(void *arg, const struct error *error);
};

/*
 * Opens the recording once more and makes a session of it, which has its name; to: the recording
 * that the session writes, NULL: none, it is a trace. Nothing is fed before replay_begin().
 */
int replay_open(struct daemon *d, const char *file, const struct replay_wishes *wishes,
		const char *to, struct error *error, struct session **ret);
void replay_begin(struct replay *r, const struct replay_owner *owner);
/* What was congested is not any more. */
void replay_go_on(struct replay *r);
/* No more is fed: ended() comes from the main loop. */
void replay_interrupt(struct replay *r);
/* The same, and nobody is told. */
void replay_stop(struct replay *r);
struct replay *replay_free(struct replay *r);

/* For the session: whether the call passes what decides, and is one of those that are wanted. */
bool replay_passes(struct replay *r, const struct raw_span *span, const struct span_more *more);
/* For its end: when the window that is open ends; false: none is. */
bool replay_window_end(const struct replay *r, uint64_t *ret_end_ns);
/* When the recording's session ended, microseconds since the epoch. */
uint64_t replay_ended_us(const struct replay *r);
/* How its frames are named in a recording; from any thread. */
struct store_names;
void replay_names(const struct replay *r, struct store_names *ret);
/* Calls that the recording has only statistics of. */
uint64_t replay_not_kept(const struct replay *r);
/* After the end: the member "notes", of the condition, if there are any. */
void replay_write_notes(const struct replay *r, struct json_writer *w);

#endif
