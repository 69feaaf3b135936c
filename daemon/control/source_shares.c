/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_shares.h"

struct source_share *source_shares_of(struct source_shares *s, uint32_t file)
{
	uint32_t *slot = table_get(&s->index, file);

	if (slot)
		return &s->items[*slot];
	if (array_reserve(&s->items, &s->cap, s->n + 1, sizeof(*s->items)) < 0)
		return NULL;
	slot = table_put(&s->index, file, NULL);
	if (!slot)
		return NULL;
	*slot = (uint32_t)s->n;
	s->items[s->n] = (struct source_share){};
	return &s->items[s->n++];
}

void source_shares_release(struct source_shares *s)
{
	free(s->items);
	table_release(&s->index);
	*s = (struct source_shares){};
}
