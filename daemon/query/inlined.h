/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inlined functions become frames of their own: a frame of a snapshot is an address, at which
 * several functions of the source may be running.
 */
#ifndef SONDE_QUERY_INLINED_H
#define SONDE_QUERY_INLINED_H

#include "model/source_lines.h"
#include "snapshot.h"

/*
 * Says where in the source frames of files are, and puts those that are inlined there into the
 * stacks. What a recording has of a frame is taken for it, its file is not looked at. Frames that
 * have a name already keep it; their files are looked at only if named_too.
 */
int snapshot_add_inlined(struct snapshot *s, bool named_too, const struct source_lines *lines);

#endif
