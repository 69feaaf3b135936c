/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/follow.h"

#include <fnmatch.h>
#include "control/condition.h"
#include "control/span_rows.h"

enum {
	SPANS_A_REPLY = 512,
	BACKLOG = 4 << 20, /* unread or unsent bytes beyond which spans are skipped, and counted */
};

struct follower {
	struct daemon *daemon;
	struct session *session; /* NULL: it has ended */
	struct call *call;	 /* NULL: what was kept is still being sent */
	struct follower *next;
	uint64_t seen; /* as many of the session's spans had come when they were looked at */

	struct selectors selectors;
	uint32_t *pids;					       /* the selectors' */
	char *comm, *cgroup, *container, *host, *name, *where; /* NULL: none */
	uint64_t min_duration_ns, since_ns;
	bool errors_only;
	struct span_condition *condition; /* NULL: none */
	const struct model *model;	  /* what it is of, and what it has learnt of that */
	struct model_counts known;

	struct strbuf out; /* the reply that is being filled */
	struct json_writer writer;
	size_t n; /* spans in it */
	uint64_t skipped, reported;
	struct coverage coverage; /* at the session's end */
	struct error error;	  /* what has ended it otherwise */
};

struct follower *follower_free(struct follower *f)
{
	struct follower **at;

	if (!f)
		return NULL;
	for (at = &f->daemon->followers; *at && *at != f; at = &(*at)->next)
		;
	if (*at)
		*at = f->next;
	if (f->call) {
		call_on_gone(f->call, NULL, NULL);
		call_on_writable(f->call, NULL, NULL);
		call_unref(f->call);
	}
	span_condition_free(f->condition);
	strbuf_release(&f->out);
	free(f->pids);
	free(f->comm);
	free(f->cgroup);
	free(f->container);
	free(f->host);
	free(f->name);
	free(f->where);
	free(f);
	return NULL;
}
DEFINE_CLEANUP(struct follower *, follower_free)

static int copy_filter(struct follower *f, const struct selectors *selectors,
		       const struct spans_filter *filter)
{
	f->selectors = *selectors;
	f->pids = calloc(MAX(selectors->n_pids, 1U), sizeof(*f->pids));
	if (!f->pids || strdup_to(&f->comm, selectors->comm) < 0 ||
	    strdup_to(&f->cgroup, selectors->cgroup) < 0 ||
	    strdup_to(&f->container, selectors->container) < 0 ||
	    strdup_to(&f->host, selectors->host) < 0 || strdup_to(&f->name, filter->name) < 0)
		return -ENOMEM;
	if (selectors->n_pids)
		memcpy(f->pids, selectors->pids, selectors->n_pids * sizeof(*f->pids));
	f->selectors.pids = f->pids;
	f->selectors.comm = f->comm;
	f->selectors.cgroup = f->cgroup;
	f->selectors.container = f->container;
	f->selectors.host = f->host;
	f->min_duration_ns = filter->min_duration_ns;
	f->errors_only = filter->errors_only;
	return 0;
}

static int refuse(const struct session *s, const struct asked *asked, struct error *error)
{
	if (asked->until_us) {
		error_set(error, EINVAL, "BadArgument",
			  "spans that are followed have no end: --until goes with what was kept");
		error_fix(error, "leave out --follow or --until");
		return -EINVAL;
	}
	if (s->options.stats_only) {
		error_set(error, EINVAL, "BadArgument",
			  "session \"%s\" keeps statistics only: there are no spans to follow",
			  s->name);
		error_fix(error, "make the session without --stats-only");
		return -EINVAL;
	}
	if (s->active)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "session \"%s\" has ended: there are no new spans to follow", s->name);
	error_fix(error, "leave out --follow; sonde list shows the sessions that are active");
	return -EINVAL;
}

static int make_condition(struct follower *f, struct error *error)
{
	const struct session_context *context = f->session->context;

	f->model = context->model;
	model_counts(f->model, &f->known);
	f->condition = span_condition_free(f->condition);
	return f->where ? span_condition_new(f->where, context->model,
					     context->monotonic_to_epoch_ns, &f->condition, error)
			: 0;
}

int follower_new(struct daemon *d, const struct asked *asked, const struct spans_filter *filter,
		 struct follower **ret, struct error *error)
{
	_cleanup_(follower_freep) struct follower *f = NULL;
	int r = refuse(asked->session, asked, error);

	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->daemon = d;
	f->session = asked->session;
	f->seen = f->session->n_spans;
	f->since_ns = asked->since_us ? methods_span_clock(f->session, asked->since_us) : 0;
	r = copy_filter(f, &asked->selectors, filter);
	if (r >= 0)
		r = strdup_to(&f->where, asked->where);
	if (r >= 0)
		r = make_condition(f, error);
	if (r < 0)
		return r;
	f->next = d->followers;
	d->followers = f;
	*ret = TAKE_PTR(f);
	return 0;
}

/* False: it is not wanted, before the condition is asked. */
static bool fill_row(struct follower *f, const struct raw_span *span, const struct span_more *more,
		     struct span_row *ret)
{
	struct model *m = f->session->context->model;

	return span->duration_ns >= f->min_duration_ns && span->start_ns >= f->since_ns &&
	       (!f->errors_only || span->flags & SPAN_ERROR) && span_row_of(m, span, more, ret) &&
	       selectors_match(&f->selectors, m, model_process_peek(m, span->process)) &&
	       (!f->name || fnmatch(f->name, ret->name, 0) == 0);
}

/* The condition's part of the model, where that has grown, or is another one: the daemon begins a
 * new one when no window has spans, so that all have been looked at. */
static int learn(struct follower *f)
{
	struct model *m = f->session->context->model;
	struct model_counts now;

	if (f->model != m)
		return make_condition(f, &f->error);
	if (!f->condition)
		return 0;
	model_counts(m, &now);
	if (now.paths == f->known.paths && now.processes == f->known.processes &&
	    now.probes == f->known.probes)
		return 0;
	f->known = now;
	return span_condition_learn(f->condition, m);
}

static void open_reply(struct follower *f)
{
	json_begin(&f->writer, &f->out);
	json_object_begin(&f->writer, NULL);
	json_array_begin(&f->writer, "spans");
}

static void close_reply(struct follower *f)
{
	if (!f->out.len)
		open_reply(f);
	json_array_end(&f->writer);
	json_u64(&f->writer, "skipped", f->skipped - f->reported);
	f->reported = f->skipped;
}

static void send_reply(struct follower *f)
{
	close_reply(f);
	json_object_end(&f->writer);
	call_reply(f->call, &f->out, true);
	strbuf_reset(&f->out);
	f->n = 0;
}

static void add_span(struct follower *f, const struct span_row *row)
{
	const struct answer_span_options options = {
		.monotonic_to_epoch_ns = f->session->context->monotonic_to_epoch_ns,
		.args = true,
		.texts = f->session->context->texts,
	};

	if (f->out.len > BACKLOG || (f->call && call_backlog(f->call) > BACKLOG)) {
		f->skipped++;
		return;
	}
	if (!f->out.len)
		open_reply(f);
	methods_name_stack(f->daemon, f->session->context->texts, row);
	answer_span(&f->writer, row, &options);
	if (++f->n >= SPANS_A_REPLY && f->call)
		send_reply(f);
}

/* What has come since the last time is at the window's end: nothing leaves it unseen. */
static void look(struct follower *f)
{
	const struct window *w = &f->session->window;
	uint64_t n = MIN(f->session->n_spans - f->seen, w->n_spans);
	struct span_row row;

	f->seen = f->session->n_spans;
	if (!f->error.name[0] && learn(f) < 0)
		error_set(&f->error, ENOMEM, "Internal", "out of memory");
	for (size_t i = w->n_spans - n; i < w->n_spans; i++) {
		const struct span_more more = more_pool_get(&w->more, i);

		if (!f->error.name[0] && fill_row(f, &w->spans[i], &more, &row) &&
		    (!f->condition || span_condition_match(f->condition, &row)))
			add_span(f, &row);
	}
	if (f->call && f->n)
		send_reply(f);
}

void follow_spans(struct daemon *d)
{
	for (struct follower *f = d->followers; f; f = f->next)
		if (f->session)
			look(f);
}

/* The last reply; frees the follower. */
static void finish(struct follower *f)
{
	struct call *call = call_ref(f->call);

	if (!f->error.name[0] && f->condition && span_condition_finish(f->condition, &f->error) < 0)
		error_set(&f->error, ENOMEM, "Internal", "out of memory");
	if (f->error.name[0]) {
		call_fail(call, &f->error);
	} else {
		close_reply(f);
		methods_write_end(&f->writer, &f->coverage, NULL, f->condition);
		json_object_end(&f->writer);
		call_reply(call, &f->out, false);
	}
	follower_free(f);
	call_unref(call);
}

void follow_roll(void *arg, struct session *s, bool final)
{
	struct daemon *d = arg;
	struct follower *f, *next;

	for (f = d->followers; f; f = next) {
		uint64_t losses[LOSS_COUNTERS];

		next = f->next;
		if (f->session != s)
			continue;
		look(f);
		if (!final)
			continue;
		methods_coverage(s, &f->coverage, losses);
		f->session = NULL;
		if (f->call)
			finish(f);
	}
}

static void on_gone(void *arg)
{
	follower_free(arg);
}

/* The caller has read what there was: now it can be told what it has missed. */
static void on_writable(void *arg)
{
	struct follower *f = arg;

	if (f->skipped > f->reported)
		send_reply(f);
}

void follower_begin(struct follower *f, struct call *call)
{
	f->call = call;
	if (!f->session) {
		finish(f);
		return;
	}
	if (f->n || f->skipped)
		send_reply(f);
	call_on_gone(call, on_gone, f);
	call_on_writable(call, on_writable, f);
}
