/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What frames of answers are called: by their files, or by what a recording says. */
#include "control/methods.h"

#include "control/frame_names.h"
#include "query/inlined.h"

char *methods_name_frame(void *arg, const struct model_file *file, const char *path,
			 uint64_t offset)
{
	struct daemon *d = arg;

	if (file->flags & FILE_KERNEL && daemon_is_replay(d))
		return NULL;
	return processes_name_frame(d->symbolizer, file, path, offset);
}

int methods_name_unnamed(struct daemon *d, struct unnamed_frames *u)
{
	unnamed_frames_prepare(u, d->symbolizer);
	return unnamed_frames_resolve(u, methods_name_frame, d);
}

struct naming {
	struct daemon *daemon;
	enum demangle_style demangle;
};

static char *name_frame(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	struct naming *n = arg;

	if (file->flags & FILE_KERNEL)
		return methods_name_frame(n->daemon, file, path, offset);
	return processes_name_frame_as(n->daemon->symbolizer, file, path, offset, n->demangle);
}

/* Cut off where names of frames are, so that they compare equal. */
static char *show_as(struct symbolizer *s, const char *symbol, enum demangle_style style)
{
	_cleanup_(freep) char *shown = demangler_name(symbolizer_demangler(s), symbol, style);

	return strndup(shown ? shown : symbol, processes_name_max(style));
}

static char *show_plain(void *arg, const char *symbol)
{
	return show_as(arg, symbol, DEMANGLE_SHORT);
}

static char *show_asked(void *arg, const char *symbol)
{
	const struct naming *n = arg;

	return show_as(n->daemon->symbolizer, symbol, n->demangle);
}

/* What frame_lines will show: functions as a recording has them. */
static void prepare_recorded(struct naming *n, const struct snapshot *s)
{
	_cleanup_(frame_names_release) struct frame_names names = {.symbolizer =
									   n->daemon->symbolizer};

	for (size_t i = 0; i < s->n_lines; i++)
		if (s->lines[i].function)
			(void)frame_names_note_symbol(&names, s->lines[i].function);
	frame_names_prepare(&names, n->demangle);
}

/* Names of a recording are compared with what they would be, in the short form. */
static void prepare_names(struct naming *n, struct snapshot *s)
{
	_cleanup_(frame_names_release) struct frame_names names = {.symbolizer =
									   n->daemon->symbolizer};
	const struct snapshot_names note = {frame_names_note, frame_names_note_symbol, &names};

	snapshot_each_unnamed(s, n->demangle != DEMANGLE_SHORT, &note);
	frame_names_prepare(&names, n->demangle);
	if (n->demangle != DEMANGLE_SHORT)
		frame_names_prepare(&names, DEMANGLE_SHORT);
}

int methods_name_snapshot(struct daemon *d, struct snapshot *s, enum query_kind kind,
			  enum demangle_style demangle, bool inlined, bool named_too)
{
	struct naming naming = {d, demangle};
	const struct snapshot_names plain = {processes_name_frame, show_plain, d->symbolizer};
	const struct snapshot_names asked = {name_frame, show_asked, &naming};
	struct source_lines lines;
	int r = 0;

	if (query_is_about_samples(kind) && inlined) {
		prepare_recorded(&naming, s);
		lines = frame_lines_begin(d->lines, demangle);
		r = snapshot_add_inlined(s, named_too, &lines);
	}
	prepare_names(&naming, s);
	if (r >= 0 && demangle != DEMANGLE_SHORT)
		r = snapshot_rename_frames(s, &plain, &asked);
	return r < 0 ? r : snapshot_name_frames(s, name_frame, &naming);
}
