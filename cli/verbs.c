/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verbs.h"

#include "render/text.h"

const struct verb verbs[VERB_COUNT] = {
#define VERB(name, function, needs, operands, summary)                                             \
	[VERB_##name] = {#name, function, NEEDS_##needs, operands, summary},
#include "verbs.def"
#undef VERB
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (streq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

const char *verb_nearest(const char *name)
{
	struct nearest n = nearest_to(name);

	for (size_t i = 0; i < VERB_COUNT; i++)
		nearest_try(&n, verbs[i].name);
	return nearest_get(&n);
}
