/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's part in spans written in source code: who is told, and when memory is looked at. */
#include "control/daemon.h"
#include "control/follow.h"
#include "control/session_source.h"
#include "control/source_control.h"
#include "control/source_held.h"
#include "sonde/base/format.h"

#include <signal.h>

enum { PERIOD_USEC = SONDE_FLUSH_MS * 1000 };

static bool any_active(const struct daemon *d)
{
	for (const struct session *s = d->sessions; s; s = s->next)
		if (s->active && s->sources)
			return true;
	return false;
}

static void tell_pending(struct daemon *d)
{
	for (size_t i = 0; i < d->n_sources_pending; i++)
		source_control_update_process(d->context.source_control, d->sessions,
					      d->sources_pending[i]);
	d->n_sources_pending = 0;
}

static bool is_there(uint32_t pid)
{
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

static int on_period(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *d = arg;
	uint64_t now = usec;

	tell_pending(d);
	source_names_tend(d->context.source_names, now_monotonic_ns(), is_there);
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->active && s->sources) {
			session_sources_drain(s, false);
			source_held_release(s, false, daemon_take_record, d);
		}
	for (struct stream *t = d->streams; t; t = t->next)
		stream_flush(d, t);
	follow_spans(d);
	/* Periods that were missed are not made up for: what came meanwhile is looked at first. */
	(void)sd_event_now(d->event, CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(source, MAX(usec, now) + PERIOD_USEC);
	return sd_event_source_set_enabled(source, any_active(d) ? SD_EVENT_ON : SD_EVENT_OFF);
}

void daemon_sources_record(void *arg, const void *record, size_t size)
{
	struct daemon *d = arg;
	const struct record_header *h = record;
	struct session *s = d->by_slot[h->session];

	if (s && source_held_take(s, h, size))
		return;
	daemon_take_record(d, record, size);
	if (h->kind == RECORD_SOURCE && s && s->sources)
		source_held_release(s, false, daemon_take_record, d);
}

void daemon_sources_finish(struct daemon *d, struct session *s)
{
	if (!s->sources)
		return;
	session_sources_drain(s, true);
	source_held_release(s, true, daemon_take_record, d);
}

int daemon_sources_start(struct daemon *d)
{
	int r = source_control_new(&d->context.source_control);

	if (r >= 0)
		r = sd_event_add_time_relative(d->event, &d->sources_timer, CLOCK_MONOTONIC,
					       PERIOD_USEC, 10000, on_period, d);
	return r < 0 ? r : sd_event_source_set_enabled(d->sources_timer, SD_EVENT_OFF);
}

void daemon_sources_changed(struct daemon *d, const struct session *asking)
{
	if (!d->context.source_control)
		return;
	source_control_update(d->context.source_control, d->sessions, asking);
	if (!any_active(d))
		return;
	(void)sd_event_source_set_time_relative(d->sources_timer, PERIOD_USEC);
	(void)sd_event_source_set_enabled(d->sources_timer, SD_EVENT_ON);
}

/* What is mapped first is the code; the rest of the file is there a little later. */
void daemon_sources_mapped(struct daemon *d, uint32_t pid)
{
	bool asked = false;

	for (const struct session *s = d->sessions; s && !asked; s = s->next)
		asked = source_control_is_about(s, pid);
	if (!asked)
		return;
	for (size_t i = 0; i < d->n_sources_pending; i++)
		if (d->sources_pending[i] == pid)
			return;
	if (d->n_sources_pending == ARRAY_SIZE(d->sources_pending))
		tell_pending(d);
	d->sources_pending[d->n_sources_pending++] = pid;
}

void daemon_sources_exited(struct daemon *d, uint32_t pid)
{
	if (!d->context.source_control)
		return;
	source_control_forget(d->context.source_control, pid);
	source_names_gone(d->context.source_names, pid, now_monotonic_ns());
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->sources)
			session_sources_exited(s, pid);
}

/* The same program may be at the same addresses again, and has been told nothing. */
void daemon_sources_execed(struct daemon *d, uint32_t pid)
{
	if (!d->context.source_control)
		return;
	source_control_forget(d->context.source_control, pid);
	source_names_gone(d->context.source_names, pid, now_monotonic_ns());
	daemon_sources_mapped(d, pid);
}

void daemon_sources_free(struct daemon *d)
{
	if (d->context.source_control)
		source_control_update(d->context.source_control, NULL, NULL);
	d->context.source_control = source_control_free(d->context.source_control);
	d->sources_timer = sd_event_source_unref(d->sources_timer);
	d->context.source_names = source_names_free(d->context.source_names);
}
