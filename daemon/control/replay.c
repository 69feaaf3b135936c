/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that answers from one recording, or compares two. */
#include "control/daemon.h"

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

int daemon_open_recording(struct daemon *d, const char *path, const char *second,
			  struct error *error)
{
	struct session *s = NULL;
	int r;

	d->recording = path;
	r = daemon_use_reader(d);
	if (r >= 0)
		r = session_from_recording(&d->context, path, second != NULL, &d->recording_error,
					   &s);
	if (r >= 0) {
		s->next = d->sessions;
		d->sessions = s;
		if (second)
			r = open_second(d, second);
	}
	if (r < 0) {
		error_set(&d->recording_error, -r, "BadFile", "%s cannot be opened: %s",
			  s ? second : path, strerror(-r));
		*error = d->recording_error;
	}
	return r;
}

struct session *daemon_find_compared(struct daemon *d, const char *name)
{
	struct session *s = daemon_find_session(d, name);

	return s ? s : d->second && streq(d->second->name, name) ? d->second : NULL;
}
