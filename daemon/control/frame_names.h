/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that are about to be named, so that their names are demangled by a few questions to the
 * reader: collected one by one, then prepared.
 */
#ifndef SONDE_CONTROL_FRAME_NAMES_H
#define SONDE_CONTROL_FRAME_NAMES_H

#include "model/model.h"
#include "symbol/symbolizer.h"

/* Starts with the symbolizer alone. */
struct frame_names {
	struct symbolizer *symbolizer;
	char **items;
	size_t n, cap;
};

/* Notes the name of a frame. Has the shape of what names frames, but returns NULL. */
char *frame_names_note(void *arg, const struct model_file *file, const char *path, uint64_t offset);
/* Likewise the name in its file that a recording has of a frame. */
char *frame_names_note_symbol(void *arg, const char *symbol);
/* Asks for all of them in that style; one that is not there is no error. */
void frame_names_prepare(struct frame_names *n, enum demangle_style style);
void frame_names_release(struct frame_names *n);

#endif
