/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rolling store: one file of the schema that recordings have, in a directory of the daemon's,
 * written for as long as the machine lives. Windows come in by the dozen of seconds; older ones
 * are merged into longer ones, the oldest are dropped, and what nobody names any more goes with
 * them. Killed at any moment it holds every window that was written; one that is damaged is set
 * aside, never deleted, and another is begun.
 *
 * Each run of a session in one life of the daemon is a row of `session`, with the clock that its
 * times are of. One thread owns it; readers have connections of their own (history_load.h).
 */
#ifndef SONDE_STORE_HISTORY_H
#define SONDE_STORE_HISTORY_H

#include "history_batch.h"
#include "store.h"

#define HISTORY_FILE "history.sonde"

struct history_limits {
	uint64_t max_bytes;	     /* of the file; exceeded by 10 % at most */
	uint64_t max_age_us;	     /* windows that ended longer ago are dropped */
	uint64_t fine_us, medium_us; /* windows older than that are merged: to 1 min, to 10 min */
};

struct history;

/* What was there, for the event that says so. */
struct history_found {
	bool was_there;	       /* a store that could be used */
	uint64_t last_seen_us; /* end of its last window, 0: it has none */
	bool unclean;	       /* its daemon was killed */
	char *set_aside;       /* where a damaged one is now; NULL: none was. Owned by the caller */
	char damage[768];      /* what was wrong with it */
};

/*
 * Opens or makes dir/HISTORY_FILE; dir is made, too (0700). WriteFailed when that cannot be, or
 * BadFile when another program holds it.
 */
int history_open(const char *dir, const struct history_limits *limits, struct error *error,
		 struct history_found *ret_found, struct history **ret);
struct history *history_free(struct history *h);
DEFINE_CLEANUP(struct history *, history_free)

/* Notes a run of a session: its row's id. */
int history_begin_session(struct history *h, const struct store_session *s, struct error *error,
			  int64_t *ret);
int history_end_session(struct history *h, int64_t session, uint64_t ended_us, struct error *error);

/* Calls resolve for each frame that history_write() will call it for, and drops what it returns. */
void history_each_unnamed(struct history *h, const struct history_batch *b, store_resolve_t resolve,
			  void *arg);
/*
 * Writes a batch in one transaction. -ENOSPC and others set the error, and nothing of it is
 * written: the caller may try again, in the order of the batches; if it gives up it resets what it
 * has sent. -ESTALE: of a generation before. -EBADMSG: the file has turned out to be damaged, and
 * is to be opened anew, which sets it aside.
 */
int history_write(struct history *h, int64_t session, const struct history_batch *b,
		  store_resolve_t resolve, void *arg, struct error *error);

/* An event of no process: kind is a word, text may be NULL. */
int history_event(struct history *h, int64_t session, uint64_t time_ns, const char *kind,
		  int64_t detail, const char *text, struct error *error);

/*
 * Merges, drops, and gives back space: a bounded part at a time; 1 when there is more to do now.
 * now_us: the epoch's time.
 */
int history_maintain(struct history *h, uint64_t now_us, struct error *error);

struct history_stats {
	uint64_t bytes, windows;
	uint64_t first_us, last_us; /* start of the oldest, end of the newest window; 0: none */
};
int history_stats(struct history *h, struct history_stats *ret);

#endif
