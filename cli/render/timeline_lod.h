/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levels of detail of one row of a timeline. What is too short to be told apart at a zoom is merged
 * into one box, so that a picture costs what there is to see, not what there is. Level 0 is the
 * spans; in each further level boxes shorter than 2^shift ns that begin in the same 2^shift ns are
 * one. A level is kept only where it has at most a quarter of the boxes of the one before: all
 * levels together have at most a third of what level 0 has.
 */
#ifndef SONDE_RENDER_TIMELINE_LOD_H
#define SONDE_RENDER_TIMELINE_LOD_H

#include "sonde/base/util.h"

/* Boxes of a row come in order and do not overlap. */
struct timeline_box {
	uint64_t start_ns, end_ns;
	uint64_t covered_ns; /* how much of it is in spans */
	uint32_t function;   /* the one that takes most of it, about */
	uint32_t count;	     /* how many spans */
};

/* Fewer boxes than this are drawn as they are. */
enum { LOD_LEAST = 256 };

/* Merges n boxes to out, where there is room for n; how many it has become. */
size_t lod_merge(const struct timeline_box *boxes, size_t n, unsigned int shift,
		 struct timeline_box *out);

/*
 * Calls each() with every further level of a row, from the finest to the coarsest. boxes is
 * overwritten. 0, -ENOMEM, or what each() returned below 0.
 */
int lod_levels(struct timeline_box *boxes, size_t n,
	       int (*each)(void *arg, unsigned int shift, const struct timeline_box *boxes,
			   size_t n),
	       void *arg);

#endif
