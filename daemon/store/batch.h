/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a batch holds: copies of the model's new elements, in the order of their ids. */
#ifndef SONDE_STORE_BATCH_H
#define SONDE_STORE_BATCH_H

#include "store.h"

struct batch_file {
	struct model_file file;
	char *path;
};

struct batch_process {
	uint32_t id;
	struct model_process process; /* without mappings */
};

struct batch_late {
	uint32_t id;
	struct model_frame frame;
	char *function;
};

struct store_batch {
	struct store_marks first, last; /* element i of an array has the id first + 1 + i */
	char **strings;
	struct batch_file *files;
	struct batch_process *processes; /* the new ones and those that may have changed */
	size_t n_processes, processes_cap;
	struct model_frame *frames;
	char **functions;	 /* of frames that have a name already, else NULL */
	struct batch_late *late; /* frames of batches before that have become others */
	size_t n_late;
	struct model_stack *stacks;
	struct model_probe *probes;
	struct model_path *paths;
	struct window window;
};

#endif
