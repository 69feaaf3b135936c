/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that answers from one recording or from several as one, or compares two. */
#include "control/daemon.h"
#include "control/merged.h"

static int open_second(struct daemon *d, const char *path)
{
	struct model *model = NULL;
	int r = model_new(&model);

	if (r < 0)
		return r;
	d->second_context = (struct session_context){.model = model};
	return session_from_recording(&d->second_context, path, true, &d->recording_error,
				      &d->second);
}

static void add_session(struct daemon *d, struct session *s)
{
	s->next = d->sessions;
	d->sessions = s;
}

static int open_one(struct daemon *d, const char *path, bool apart)
{
	struct session *s = NULL;
	int r = session_from_recording(&d->context, path, apart, &d->recording_error, &s);

	if (r >= 0)
		add_session(d, s);
	return r;
}

static int open_several(struct daemon *d)
{
	struct session *s, *next;
	int r = merged_open(&d->context, d->recordings, d->n_recordings, &d->recording_error,
			    &d->merged);

	if (r < 0)
		return r;
	for (s = merged_take_sessions(d->merged); s; s = next) {
		next = s->next;
		add_session(d, s);
	}
	return 0;
}

int daemon_open_recordings(struct daemon *d, const char *const *paths, size_t n,
			   const char *compared, struct error *error)
{
	const char *wrong = paths[0];
	int r;

	d->recordings = paths;
	d->n_recordings = n;
	r = daemon_use_reader(d);
	if (r >= 0)
		r = n > 1 ? open_several(d) : open_one(d, paths[0], compared != NULL);
	if (r >= 0 && compared) {
		wrong = compared;
		r = open_second(d, compared);
	}
	if (r < 0) {
		error_set(&d->recording_error, -r, "BadFile", "%s cannot be opened: %s", wrong,
			  strerror(-r));
		*error = d->recording_error;
	}
	return r;
}

struct session *daemon_find_compared(struct daemon *d, const char *name)
{
	struct session *s = daemon_find_session(d, name);

	return s ? s : d->second && streq(d->second->name, name) ? d->second : NULL;
}
