/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay_source.h"

#include "record_check.h"

struct replay_source {
	replay_next_t next;
	void *arg;
	double speed;
	struct replay_record held; /* pulled and not due yet */
	bool holds, began;
	uint64_t first_ns, began_ns; /* the first record's time, and when it was handed on */
};

int replay_source_new(replay_next_t next, void *arg, double speed, struct replay_source **ret)
{
	struct replay_source *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->next = next;
	s->arg = arg;
	s->speed = speed;
	*ret = s;
	return 0;
}

struct replay_source *replay_source_free(struct replay_source *s)
{
	free(s);
	return NULL;
}

/* Records may be a little out of order: those of before are due at once. */
static uint64_t due_ns(const struct replay_source *s, uint64_t now_ns)
{
	double since, wait;

	if (s->speed <= 0 || s->held.time_ns <= s->first_ns)
		return now_ns;
	since = (double)(s->held.time_ns - s->first_ns);
	wait = since / s->speed;
	/* A time that no clock will show: a century. */
	return s->began_ns + (uint64_t)MIN(wait, 3e18);
}

static int pull(struct replay_source *s, uint64_t now_ns)
{
	int r;

	if (s->holds)
		return 1;
	r = s->next(s->arg, &s->held);
	if (r <= 0)
		return r;
	if (!record_valid(s->held.data, s->held.size))
		return -EBADMSG;
	s->holds = true;
	if (!s->began) {
		s->began = true;
		s->first_ns = s->held.time_ns;
		s->began_ns = now_ns;
	}
	return 1;
}

int replay_source_run(struct replay_source *s, uint64_t now_ns, size_t most,
		      void (*take)(void *arg, const void *record, size_t size), void *arg,
		      uint64_t *ret_due_ns)
{
	for (size_t n = 0; n < most; n++) {
		int r = pull(s, now_ns);

		if (r <= 0)
			return r;
		*ret_due_ns = due_ns(s, now_ns);
		if (*ret_due_ns > now_ns)
			return 1;
		s->holds = false;
		take(arg, s->held.data, s->held.size);
	}
	*ret_due_ns = now_ns;
	return 1;
}
