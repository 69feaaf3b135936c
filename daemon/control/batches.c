/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/batches.h"

#include "control/methods.h"

enum { BACKLOG = 1 << 20 /* unread bytes beyond which the next step waits */ };

/* The call is about to end, and what it is answered with. */
static void forget_call(struct batches *b)
{
	call_on_writable(b->call, NULL, NULL);
	call_on_gone(b->call, NULL, NULL);
}

/* True: there is nobody to answer any more, or an error was the answer. */
static bool is_over(struct batches *b, bool cancelled)
{
	if (cancelled)
		error_set(&b->error, ECANCELED, "Internal", "the daemon is ending");
	if (!b->error.name[0] && !call_gone(b->call))
		return false;
	forget_call(b);
	if (call_gone(b->call))
		call_unref(b->call);
	else
		methods_fail(b->call, &b->error);
	b->free(b);
	return true;
}

void batches_fail(struct batches *b, int r)
{
	error_set(&b->error, -r, "Internal", "%s", strerror(-r));
	is_over(b, false);
}

static void run(void *arg)
{
	struct batches *b = arg;

	b->run(b);
}

static void done(void *arg, bool cancelled)
{
	struct batches *b = arg;

	b->running = false;
	if (!is_over(b, cancelled))
		b->done(b);
}

int batches_run(struct batches *b, struct worker *worker, void (*to_run)(struct batches *b),
		void (*to_do)(struct batches *b))
{
	int r;

	b->run = to_run;
	b->done = to_do;
	b->running = true;
	r = worker_submit(worker, run, done, b);
	if (r < 0)
		b->running = false;
	return r;
}

/* Unless the caller has much to read: then it is called again when that is read. */
static void next_step(void *arg)
{
	struct batches *b = arg;

	if (!b->running && call_backlog(b->call) < BACKLOG)
		b->step(b);
}

/* A step that is at work ends first, and finds that nobody is there any more. */
static void on_gone(void *arg)
{
	struct batches *b = arg;

	if (!b->running)
		is_over(b, false);
}

void batches_begin(struct batches *b, int r)
{
	if (r < 0) {
		batches_fail(b, r);
		return;
	}
	call_on_gone(b->call, on_gone, b);
	call_on_writable(b->call, next_step, b);
	next_step(b);
}

void batches_reply(struct batches *b, const struct strbuf *out, bool last)
{
	if (!last) {
		call_reply(b->call, out, true);
		next_step(b);
		return;
	}
	forget_call(b);
	methods_reply(b->call, out);
	b->free(b);
}
