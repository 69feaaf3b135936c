/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What belongs together in an answer: dense numbers for (name, binary, kind, inlined), and the
 * number of every frame. Names are borrowed and must outlive the groups.
 */
#ifndef SONDE_QUERY_GROUP_H
#define SONDE_QUERY_GROUP_H

#include "query.h"
#include "sonde/base/table.h"

enum { NO_GROUP = UINT32_MAX };

struct group {
	const char *name, *binary;
	uint32_t kind;
	bool inlined;
};

struct groups {
	struct group *items;
	size_t n, cap;
	struct table index;
};

/* Finds or adds a group; 0 or -ENOMEM. */
int groups_put(struct groups *g, const struct group *group, uint32_t *ret_id);
void groups_release(struct groups *g);

/*
 * Groups the frames of that kind of question. ret_of: the group of each frame of the snapshot,
 * NO_GROUP for frames of the other kind; the caller frees it. Unless tell_inlined, a function is
 * one group whether it is inlined or not.
 */
int groups_of_frames(struct groups *g, const struct snapshot *s, enum query_kind kind,
		     bool tell_inlined, uint32_t **ret_of);

/*
 * The same for frames of spans by category. Those without one, and calls of functions, are of their
 * binary, "-" when there is none.
 */
int groups_of_categories(struct groups *g, const struct snapshot *s, uint32_t **ret_of);

const char *frame_function(const struct snapshot_frame *f);
/* The file name of the path, "[kernel]", or "" when there is none. */
const char *frame_binary(const struct snapshot_frame *f);

#endif
