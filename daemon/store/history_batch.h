/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window on its way from the model into the rolling store: with what it names and the store has
 * not been sent yet, so that the thread that writes needs no model. Items carry the model's ids;
 * the store finds or makes ids of its own for them.
 */
#ifndef SONDE_STORE_HISTORY_BATCH_H
#define SONDE_STORE_HISTORY_BATCH_H

#include "model/model.h"
#include "model/window.h"

/* What was sent of one model, by id. Starts as all zero. */
struct history_sent {
	uint8_t *strings, *files, *frames, *stacks, *probes, *paths;
	size_t strings_cap, files_cap, frames_cap, stacks_cap, probes_cap, paths_cap;
	struct table processes; /* to the hash of what was sent */
	uint32_t late;		/* of model_late_frame(): those up to it are known */
	/* Changes with the model, and when something that was sent was not written: ids that the
	 * store remembers of a generation before mean nothing. */
	uint32_t generation;
};
/* All will be sent again. */
void history_sent_reset(struct history_sent *s);
void history_sent_release(struct history_sent *s);

struct history_string {
	uint32_t id;
	char *text;
};
struct history_file {
	uint32_t id;
	struct model_file file;
};
struct history_process {
	uint32_t id;
	struct model_process process; /* without mappings */
};
struct history_frame {
	uint32_t id;
	bool changed; /* it was sent before, as another: model_frame_become() */
	struct model_frame frame;
};
struct history_node { /* of a stack or a call path; parents come before their children */
	uint32_t id, parent, item;
};
struct history_probe {
	uint32_t id;
	struct model_probe probe;
};

struct history_event_item {
	uint64_t time_ns;
	uint32_t process;
	const char *kind; /* static */
	int64_t detail;
};

struct history_batch {
	uint32_t generation;
	struct history_string *strings;
	struct history_file *files;
	struct history_process *processes;
	struct history_frame *frames;
	struct history_node *stacks, *paths;
	struct history_probe *probes;
	struct history_event_item *events;
	size_t n_strings, n_files, n_processes, n_frames, n_stacks, n_paths, n_probes, n_events;
	size_t strings_cap, files_cap, processes_cap, frames_cap, stacks_cap, paths_cap, probes_cap;
	size_t events_cap;
	struct window window;
};

/*
 * Takes the window's content over (it is left empty). 0, -EBADMSG for a window that names what the
 * model does not have, -ENOMEM: then window is as it was, and `sent` has been reset.
 */
int history_batch_new(const struct model *m, struct window *w, struct history_sent *sent,
		      struct history_batch **ret);
/* Sends a process again that was sent before, as it has ended. 0, -EBADMSG, -ENOMEM. */
int history_batch_update_process(struct history_batch *b, const struct model *m, uint32_t process,
				 struct history_sent *sent);
/* Adds an event of a process. 0, -EBADMSG, -ENOMEM. */
int history_batch_add_event(struct history_batch *b, const struct model *m,
			    const struct history_event_item *event, struct history_sent *sent);
struct history_batch *history_batch_free(struct history_batch *b);
DEFINE_CLEANUP(struct history_batch *, history_batch_free)

#endif
