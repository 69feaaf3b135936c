/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk through everything that a type leads to, for fuzzers that make types. */
#ifndef SONDE_FUZZ_TYPE_WALK_H
#define SONDE_FUZZ_TYPE_WALK_H

#include "symbol/function_type.h"

static size_t budget; /* of types walked, as their number grows with each level */

/* The length of all names that were met. */
static inline size_t walk(const struct ctype *t, int depth)
{
	size_t n = strlen(t->name);

	if (depth == 0 || budget == 0)
		return n;
	budget--;
	ctype_complete(t);
	if (t->target)
		n += walk(t->target, depth - 1);
	for (size_t i = 0; i < t->n_members; i++) {
		const struct ctype_member *m = &t->members[i];

		if (m->bits > 64 || m->shift > 63)
			abort();
		n += strlen(m->name) + walk(m->type, depth - 1);
	}
	for (size_t i = 0; i < t->n_values; i++)
		n += strlen(t->values[i].name);
	return n;
}

#endif
