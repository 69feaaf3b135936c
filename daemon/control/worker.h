/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that must not hold up the main loop: answering questions from snapshots, writing
 * recordings. Jobs of one queue run one after the other, in order, on the queue's own thread; the
 * result comes back to the main loop.
 */
#ifndef SONDE_CONTROL_WORKER_H
#define SONDE_CONTROL_WORKER_H

#include <systemd/sd-event.h>
#include "sonde/base/util.h"

struct worker;

int worker_new(sd_event *event, const char *thread_name, struct worker **ret);
/* Waits for the running job; jobs that have not begun are dropped: only their done() runs, with
 * cancelled true. */
struct worker *worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker *, worker_free)

/* run() on the worker's thread, then done() on the main loop's. -ENOMEM, or
 * -ESHUTDOWN, as the worker is being freed or NULL: neither will run. */
int worker_submit(struct worker *w, void (*run)(void *arg), void (*done)(void *arg, bool cancelled),
		  void *arg);
size_t worker_pending(const struct worker *w);
/* Waits until every job has run, and runs their done(). For a Stop that must answer when all is on
 * disk, and for teardown. */
void worker_drain(struct worker *w);

#endif
