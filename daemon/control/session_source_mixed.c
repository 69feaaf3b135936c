/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans written in source code inside probed functions. Which call such a span is in is known by
 * its place in the thread's batches (struct record_around), and what its own calls have less of
 * their time for it is kept until they come: calls with such spans wait for the batch.
 */
#include "control/session_source_private.h"

#include "sonde/base/format.h"

enum {
	MAX_MARKS = 1 << 12, /* of a thread; calls beyond that have their spans beside them */
	MAX_WAITS = 5, /* for an answer: of a thread whose blocks the kernel side may not know */
	SETTLED = 1 << 15, /* calls whose own record has not come; it may never do */
	SETTLED_WAYS = 4,  /* places for each of them: what was put there first goes */
};

/* The time that spans inside a call have taken. */
struct source_settled {
	uint64_t thread, start_ns, child_ns, stamp; /* stamp 0: free */
};

void session_sources_around(struct session *s, const struct record_around *r)
{
	struct source_thread *t = session_sources_thread(s, r->pid, r->tid, r->control);
	struct source_mark mark = {r->from, r->to, r->path, r->start_ns, r->h.flags & AROUND_OPEN};

	if (!t) {
		s->window.losses[LOSS_NO_MEMORY]++;
		return;
	}
	if (mark.open && !mark.path) {
		t->answers += t->answers != t->asked;
		return;
	}
	if (mark.open)
		mark.to = t->noted;
	if (mark.open && mark.from >= mark.to)
		return;
	session_sources_heard(s, t);
	/* The call waits for what is in the thread's memory now. */
	if (t->idle_ns > FLUSH_NS && !mark.open) {
		t->idle_ns = FLUSH_NS;
		t->heard_ns = now_monotonic_ns();
	}
	if (!r->to)
		t->single = mark;
	else if (t->n_marks < MAX_MARKS &&
		 array_reserve(&t->marks, &t->marks_cap, t->n_marks + 1, sizeof(*t->marks)) >= 0)
		t->marks[t->n_marks++] = mark;
	else
		s->window.losses[LOSS_NO_MEMORY]++;
}

const struct source_mark *session_sources_mark(const struct source_thread *t, uint64_t at)
{
	if (!at)
		return t->single.start_ns ? &t->single : NULL;
	/* They are in the order in which the calls have ended: the innermost is the first. */
	for (size_t i = t->first_mark; i < t->n_marks; i++)
		if (t->marks[i].from <= at && at < t->marks[i].to)
			return &t->marks[i];
	return NULL;
}

void session_sources_pass(struct source_thread *t, uint64_t at)
{
	while (t->first_mark < t->n_marks && t->marks[t->first_mark].to <= at)
		t->first_mark++;
}

void session_sources_taken(struct source_thread *t, uint64_t at)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_marks; i++)
		if (t->marks[i].to > at)
			t->marks[kept++] = t->marks[i];
	t->n_marks = kept;
	t->first_mark = 0;
	t->single = (struct source_mark){};
}

void session_sources_note(struct session *s, struct source_thread *t, uint64_t at)
{
	t->noted = at;
	t->n_waits = 0;
	/* A kernel that cannot say it has said all that it will. */
	if (s->program && span_program_look(s->program, t->tid) >= 0)
		t->asked++;
}

bool session_sources_must_wait(struct source_thread *t)
{
	if (t->answers == t->asked)
		return false;
	if (++t->n_waits < MAX_WAITS)
		return true;
	t->answers = t->asked;
	return false;
}

void session_sources_unnote(struct source_thread *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_marks; i++)
		if (!t->marks[i].open)
			t->marks[kept++] = t->marks[i];
	t->n_marks = kept;
	t->first_mark = 0;
	t->noted = 0;
}

/* The places where a call can be. */
static struct source_settled *places_of(struct session_sources *sources, uint64_t thread,
					uint64_t start_ns)
{
	size_t set = hash_mix(hash_mix(0, thread), start_ns) % (SETTLED / SETTLED_WAYS);

	return sources->settled ? &sources->settled[set * SETTLED_WAYS] : NULL;
}

void session_sources_owe(struct session *s, const struct source_thread *t,
			 const struct source_mark *mark, uint64_t ns)
{
	struct session_sources *sources = s->sources;
	const uint64_t thread = source_tid_key(t->pid, t->tid);
	struct source_settled *places, *place;

	if (!sources->settled)
		sources->settled = calloc(SETTLED, sizeof(*sources->settled));
	places = places_of(sources, thread, mark->start_ns);
	if (!places)
		return;
	place = &places[0];
	for (size_t i = 0; i < SETTLED_WAYS; i++) {
		if (places[i].stamp && places[i].thread == thread &&
		    places[i].start_ns == mark->start_ns) {
			place = &places[i];
			break;
		}
		if (places[i].stamp < place->stamp)
			place = &places[i];
	}
	if (place->thread != thread || place->start_ns != mark->start_ns)
		*place = (struct source_settled){.thread = thread, .start_ns = mark->start_ns};
	place->stamp = ++sources->stamp;
	place->child_ns += ns;
}

uint64_t session_sources_settle(struct session *s, const struct record_span *r)
{
	const uint64_t thread = source_tid_key(r->pid, r->tid);
	struct source_settled *places = places_of(s->sources, thread, r->start_ns);
	uint64_t ns;

	for (size_t i = 0; places && i < SETTLED_WAYS; i++) {
		if (!places[i].stamp || places[i].thread != thread ||
		    places[i].start_ns != r->start_ns)
			continue;
		ns = places[i].child_ns;
		places[i] = (struct source_settled){};
		return ns;
	}
	return 0;
}
