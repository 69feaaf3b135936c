/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of a store, by time and session: what its windows name goes into a new model, their sum
 * into a window. Of the rolling store and of recordings alike. Rows are trusted no more than those
 * of any file.
 */
#ifndef SONDE_STORE_HISTORY_LOAD_H
#define SONDE_STORE_HISTORY_LOAD_H

#include "store.h"

/* Windows that overlap [since_us, until_us) of the epoch; 0: no bound. */
struct history_range {
	uint64_t since_us, until_us;
	const char *session; /* by name; NULL: any */
	bool samples, spans; /* what is asked for: statistics of calls, too, with spans */
	enum sample_kind kind;
	bool raw;	  /* raw spans */
	bool raw_samples; /* of that kind */
};

struct history_part {
	struct window total; /* CPU samples have their total_ns: sessions differ in frequency */
	uint64_t windows, first_us, last_us; /* of those that were found; 0: none was */
	uint64_t missing_us;		     /* between them: no window is of that time */
	uint64_t samples;		     /* before losses */
	uint32_t frequency;		     /* the highest of its sessions */
	/* Raw spans: times are as if all were of the clock that adds this up to the epoch's. */
	int64_t monotonic_to_epoch_ns;
	struct span_set *sets;
	size_t n_sets;
	/* Raw samples likewise; CPU samples have their total_ns, as in total. */
	struct raw_sample_set *sample_sets;
	size_t n_sample_sets;
};
void history_part_release(struct history_part *p);

/*
 * m is new; its processes lack what no question is about: the paths of their programs and their
 * command lines. 0, or BadFile and other errors.
 */
int history_load(const char *path, const struct history_range *range, struct model *m,
		 struct error *error, struct history_part *ret);

/*
 * Calls back with each window of that time, in order of their starts, with all there is of it:
 * each() may take its content over, and ends it when not 0. Times are the epoch's. m is new; of the
 * range what and kind do not matter. *ret_info has no rows; the caller releases it.
 */
int history_each_window(const char *path, const struct history_range *range, struct model *m,
			int (*each)(void *arg, struct window *w), void *arg, struct error *error,
			struct history_part *ret_info);

struct history_event_row {
	uint64_t time_us;
	uint32_t pid, uid; /* pid 0: of no process */
	/* Good during the call; of the process "" where nothing is known. */
	const char *comm, *cgroup, *container;
	const char *session, *kind, *text;
	int64_t detail;
};

struct history_events {
	uint64_t since_us, until_us; /* of the epoch; 0: no bound */
	uint64_t limit;		     /* the newest so many of them; 0: all */
	const char *session;	     /* by name; NULL: any */
	/* Of the row only what it says of the process is set. NULL: all are wanted. */
	bool (*wanted)(void *arg, const struct history_event_row *row);
	void *arg;
};
/* Those events, oldest first, until each() is not 0. What they say of processes but the name is not
 * set. */
int history_each_event(const char *path, const struct history_events *which,
		       int (*each)(void *arg, const struct history_event_row *row), void *arg,
		       struct error *error);

#endif
