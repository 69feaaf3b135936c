/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/replay_session.h"

#include "control/condition.h"
#include "control/daemon.h"
#include "control/methods.h"
#include "control/recorded_lines.h"
#include "control/replay_feed.h"
#include "control/span_rows.h"
#include "sonde/base/format.h"

enum { RECORDS_A_TURN = 512 };

struct replay {
	struct daemon *daemon;
	struct session *session;
	sd_event_source *turn; /* NULL: not begun, or stopped */
	struct replay_owner owner;
	bool waits, interrupted;

	struct model *from, *model; /* the recording's, the session's */
	struct store_reader *reader;
	struct processes *processes;
	struct span_texts *texts;
	struct session_context context;
	struct recorded_lines *lines;
	struct replay_feed *feed;
	struct replay_source *source;

	struct span_condition *condition; /* NULL: none */
	uint64_t min_duration_ns;
	uint32_t max_depth;
	bool errors_only, unwound_only;
};

struct replay *replay_free(struct replay *r)
{
	if (!r)
		return NULL;
	replay_stop(r);
	replay_source_free(r->source);
	replay_feed_free(r->feed);
	span_condition_free(r->condition);
	recorded_lines_free(r->lines);
	span_texts_free(r->texts);
	processes_free(r->processes);
	store_reader_free(r->reader);
	model_free(r->model);
	model_free(r->from);
	free(r);
	return NULL;
}
DEFINE_CLEANUP(struct replay *, replay_free)

static void before_roll(void *arg, struct session *s, bool final)
{
	struct replay *r = arg;

	(void)s, (void) final;
	if (r->owner.flush)
		r->owner.flush(r->owner.arg);
}

/* A model of its own, with nothing in it but what is fed. */
static int make_context(struct replay *r)
{
	const struct store_session *stored = store_reader_session(r->reader);
	int ret = model_new(&r->model);

	if (ret >= 0)
		ret = model_set_host(r->model, stored->host, stored->boot);
	if (ret >= 0)
		ret = processes_new(r->model, r->daemon->symbolizer, &r->processes);
	if (ret >= 0)
		ret = span_texts_new(r->model, &r->texts);
	if (ret < 0)
		return ret;
	r->context = (struct session_context){
		.model = r->model,
		.processes = r->processes,
		.symbolizer = r->daemon->symbolizer,
		.writer = r->daemon->writer,
		.texts = r->texts,
		.before_roll = before_roll,
		.before_roll_arg = r,
		.monotonic_to_epoch_ns = stored->monotonic_to_epoch_ns,
	};
	return 0;
}

/* What the new recording says it was kept by: what the old one was, and this. */
static int add_condition(struct session *s, const char *where)
{
	char *both;

	if (!where)
		return 0;
	if (!s->options.where)
		return strdup_to(&s->options.where, where);
	if (asprintf(&both, "(%s) && (%s)", s->options.where, where) < 0)
		return -ENOMEM;
	free(s->options.where);
	s->options.where = both;
	return 0;
}

/* The session owns the replay from here on. */
static int make_session(struct replay *r, enum session_kind kind, struct session **ret)
{
	const struct store_session *stored = store_reader_session(r->reader);
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	int code;

	if (!s) {
		replay_free(r);
		return -ENOMEM;
	}
	s->replay = r;
	s->daemon = r->daemon;
	s->context = &r->context;
	s->kind = kind;
	r->session = s;
	code = strdup_to(&s->name, stored->name);
	if (code >= 0)
		code = session_take_row(s, stored);
	if (code < 0)
		return code;
	*ret = TAKE_PTR(s);
	return 0;
}

static int decide_by(struct replay *r, const struct replay_wishes *w, struct error *error)
{
	r->min_duration_ns = w->min_duration_ns;
	r->max_depth = w->max_depth;
	r->errors_only = w->errors_only;
	r->unwound_only = w->unwound_only;
	return w->where ? span_condition_new(w->where, r->model, r->context.monotonic_to_epoch_ns,
					     &r->condition, error)
			: 0;
}

static int write_to(struct session *s, const char *to, const char *where, struct error *error)
{
	struct store_session row;
	int r = add_condition(s, where);

	if (r >= 0)
		r = recorded_lines_new(s->replay->from, &s->replay->lines);
	if (r < 0)
		return r;
	session_describe_row(s, &row);
	/* What the old recording does not say is not made up. */
	if (!row.host)
		row.host = "";
	if (!row.boot)
		row.boot = "";
	return store_create(to, &row, error, &s->writer);
}

int replay_open(struct daemon *d, const char *file, const struct replay_wishes *wishes,
		const char *to, struct error *error, struct session **ret)
{
	_cleanup_(session_freep) struct session *s = NULL;
	_cleanup_(replay_freep) struct replay *made = calloc(1, sizeof(*made));
	struct replay *r = made;
	int code;

	if (!r)
		return -ENOMEM;
	r->daemon = d;
	code = model_new(&r->from);
	if (code >= 0)
		code = store_open_apart(file, r->from, error, &r->reader);
	if (code >= 0)
		code = make_context(r);
	if (code >= 0)
		code = make_session(TAKE_PTR(made), to ? SESSION_RECORD : SESSION_TRACE, &s);
	if (code >= 0)
		code = replay_feed_new(r->reader, r->from, s, wishes, &r->feed);
	if (code >= 0)
		code = replay_source_new(replay_feed_next, r->feed, wishes->speed, &r->source);
	if (code >= 0)
		code = decide_by(r, wishes, error);
	if (code >= 0 && to)
		code = write_to(s, to, wishes->where, error);
	if (code < 0)
		return code;
	s->active = true;
	*ret = TAKE_PTR(s);
	return 0;
}

static void end(struct replay *r, int code)
{
	const struct error *failed = replay_feed_error(r->feed);
	struct error error = {};

	replay_stop(r);
	if (code >= 0 && r->condition && !r->interrupted)
		code = span_condition_finish(r->condition, &error);
	if (code < 0 && failed->name[0])
		error = *failed;
	if (code < 0)
		error_set(&error, -code, "Internal", "the replay failed: %s", strerror(-code));
	r->owner.ended(r->owner.arg, code < 0 ? &error : NULL);
}

static void set_turn(struct replay *r, uint64_t at_ns)
{
	/* A little later than due, so that it is due then. */
	(void)sd_event_source_set_time(r->turn, (at_ns + 999) / 1000);
	(void)sd_event_source_set_enabled(r->turn, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *arg)
{
	struct replay *r = arg;
	uint64_t due_ns = 0;
	int code;

	(void)source, (void)usec;
	if (r->interrupted) {
		end(r, 0);
		return 0;
	}
	r->waits = r->owner.is_congested(r->owner.arg);
	if (r->waits)
		return 0;
	code = replay_source_run(r->source, now_monotonic_ns(), RECORDS_A_TURN, daemon_take_record,
				 r->daemon, &due_ns);
	r->owner.flush(r->owner.arg);
	if (code > 0)
		set_turn(r, due_ns);
	else
		end(r, code);
	return 0;
}

void replay_begin(struct replay *r, const struct replay_owner *owner)
{
	r->owner = *owner;
	if (sd_event_add_time(r->daemon->event, &r->turn, CLOCK_MONOTONIC, 0, 1, on_turn, r) < 0)
		end(r, -ENOMEM);
}

void replay_go_on(struct replay *r)
{
	if (r->turn && r->waits)
		set_turn(r, 0);
}

void replay_interrupt(struct replay *r)
{
	r->interrupted = true;
	if (r->turn)
		set_turn(r, 0);
}

void replay_stop(struct replay *r)
{
	if (r)
		r->turn = sd_event_source_disable_unref(r->turn);
}

bool replay_passes(struct replay *r, const struct raw_span *span, const struct span_more *more)
{
	static const struct span_more nothing;
	struct span_row row;

	if (span->duration_ns < r->min_duration_ns ||
	    (r->max_depth && span->depth >= r->max_depth) ||
	    (r->errors_only && !(span->flags & SPAN_ERROR)) ||
	    (r->unwound_only && !(span->flags & SPAN_UNWOUND)))
		return false;
	if (!r->condition)
		return true;
	return span_row_of(r->model, span, more ? more : &nothing, &row) &&
	       span_condition_match(r->condition, &row);
}

bool replay_window_end(const struct replay *r, uint64_t *ret_end_ns)
{
	return replay_feed_window_end(r->feed, ret_end_ns);
}

uint64_t replay_ended_us(const struct replay *r)
{
	return store_reader_session(r->reader)->ended_us;
}

void replay_names(const struct replay *r, struct store_names *ret)
{
	recorded_lines_names(r->lines, ret);
}

uint64_t replay_not_kept(const struct replay *r)
{
	uint64_t calls = window_calls(store_reader_total(r->reader));
	uint64_t raw = replay_feed_count(r->feed);

	return calls > raw ? calls - raw : 0;
}

void replay_write_notes(const struct replay *r, struct json_writer *w)
{
	methods_write_condition_notes(w, r->condition);
}
