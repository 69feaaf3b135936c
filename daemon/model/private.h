/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the source files of the model share. Elements of arrays are indexed by id; [0] is unused. */
#ifndef SONDE_MODEL_PRIVATE_H
#define SONDE_MODEL_PRIVATE_H

#include "model.h"
#include "sonde/base/table.h"
#include "strings.h"

struct process_slot {
	struct model_process process;
	uint32_t older; /* the process that had the pid before, or 0 */
};

struct model {
	struct strings strings;

	struct model_file *files;
	struct process_slot *processes;
	struct model_frame *frames;
	struct model_stack *stacks;
	struct model_probe *probes;
	struct model_path *paths;
	struct model_line *lines; /* those of a frame in a row */
	uint32_t *late;		  /* ids of frames, in the order in which they became others */
	size_t late_cap;
	uint32_t n_late;
	size_t files_cap, processes_cap, frames_cap, stacks_cap, probes_cap, paths_cap, lines_cap;
	uint32_t n_files, n_processes, n_frames, n_stacks, n_probes, n_paths, n_lines;
	uint32_t lined;	     /* the frame of the last line */
	uint32_t host, boot; /* strings */

	/* Files and frames are found by a hash that is compared; stacks and paths by exact keys. */
	struct table file_index, frame_index, stack_index, path_index;
	struct table line_index; /* frame to its first line */
	struct table live;	 /* pid to its newest process */
};

#define MODEL_RESERVE(m, what)                                                                     \
	((m)->n_##what == UINT32_MAX                                                               \
		 ? -ENOMEM                                                                         \
		 : array_reserve(&(m)->what, &(m)->what##_cap, (size_t)(m)->n_##what + 2,          \
				 sizeof(*(m)->what)))

void model_release_processes(struct model *m);

#endif
