/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A long answer that is sent batch by batch: each is made by a worker and then sent; the next one
 * is begun when the caller has read most of what was sent. So memory is that of one batch, and
 * other questions have their turn in between.
 */
#ifndef SONDE_CONTROL_BATCHES_H
#define SONDE_CONTROL_BATCHES_H

#include "control/daemon.h"
#include "control/worker.h"
#include "sonde/base/error.h"

/* What a method's own struct begins with. */
struct batches {
	struct daemon *daemon;
	struct call *call;
	struct error error;		 /* once there is one, it is the answer */
	void (*step)(struct batches *b); /* on the main thread: begins a batch, by batches_run() */
	void (*free)(struct batches *b); /* when all is over, however it ended */
	/* Private. */
	bool running;
	void (*run)(struct batches *b), (*done)(struct batches *b);
};

/*
 * Begins the first batch, unless r, what preparing for it came to, is below 0: then the call fails.
 * Everything above is set; b is freed when the call ends, also in here.
 */
void batches_begin(struct batches *b, int r);
/* r < 0: the call is answered with the error, and b freed. */
void batches_fail(struct batches *b, int r);
/*
 * Has run() done by the worker, and then done() on the main thread, unless it is over by then: an
 * error was found, or there is nobody to answer any more. 0, or -errno: neither will run.
 */
int batches_run(struct batches *b, struct worker *worker, void (*run)(struct batches *b),
		void (*done)(struct batches *b));
/* Sends a reply and goes on to the next step; the last one ends the call and frees b. */
void batches_reply(struct batches *b, const struct strbuf *out, bool last);

#endif
