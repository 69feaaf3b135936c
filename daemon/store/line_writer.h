/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames a recording must tell the source lines of, and what was found out about them. The
 * model is that of all sessions, and reading debug information takes time: only frames of stacks
 * that the recording's own samples and spans have are looked up, those of a file together; what
 * there was no time for is taken up again with the next batch.
 */
#ifndef SONDE_STORE_LINE_WRITER_H
#define SONDE_STORE_LINE_WRITER_H

#include "batch.h"
#include "model/strings.h"

/* A row of the table frame_line; names are ids of symbols. */
struct line_row {
	uint32_t frame, level, function, source, line;
};

struct line_writer {
	/* By id; [0] is unused. A frame's function is a symbol here. */
	struct model_frame *frames;
	struct model_stack *stacks;
	uint8_t *frame_states;
	bool *stacks_used;
	size_t frames_cap, stacks_cap, states_cap, used_cap;
	uint32_t *pending; /* frames, those that have waited longest first */
	size_t n_pending, pending_cap;
	struct line_row *rows; /* levels of a frame in a row; not committed yet */
	size_t n_rows, rows_cap;
};

/*
 * Before the transaction: takes note of the batch, whose new frames and then its late ones have
 * those symbols as names, and looks frames up. files: by id. 0 or -ENOMEM; may be called again
 * with the same batch.
 */
int line_writer_take(struct line_writer *l, const struct store_batch *b,
		     const struct batch_file *files, const uint32_t *names,
		     const struct store_names *sources, struct strings *symbols);
/* Whether there are rows in the file for what the frame was before it became another. */
bool line_writer_is_stale(const struct line_writer *l, uint32_t frame);
/* The rows and the batch are in the file. */
void line_writer_committed(struct line_writer *l, const struct store_batch *b);
void line_writer_release(struct line_writer *l);

#endif
