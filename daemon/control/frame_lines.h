/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where frames are in the source: asks the symbolizer for all that is not known of a file at once,
 * and keeps what it says, within a bound. One thread at a time: that which answers questions, and
 * that which writes a recording, have each their own.
 */
#ifndef SONDE_CONTROL_FRAME_LINES_H
#define SONDE_CONTROL_FRAME_LINES_H

#include "model/source_lines.h"
#include "query/missing.h"
#include "symbol/symbolizer.h"

struct frame_lines;

/* The symbolizer is borrowed and must outlive it. */
int frame_lines_new(struct symbolizer *symbolizer, struct frame_lines **ret);
struct frame_lines *frame_lines_free(struct frame_lines *l);
DEFINE_CLEANUP(struct frame_lines *, frame_lines_free)

/*
 * For one question, or one batch of a recording, whose names are to be in that style. Some seconds
 * later files are not read any more on its behalf: then what is known already is all there is.
 */
struct source_lines frame_lines_begin(struct frame_lines *l, enum demangle_style style);

/* What became of the file of a build-id that the latest questions were about. */
enum query_lines frame_lines_state(const struct frame_lines *l,
				   const uint8_t build_id[static BUILD_ID_LEN]);
/* Forgets all: there is more to be read by now. */
void frame_lines_forget(struct frame_lines *l);

#endif
