/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/unclaimed.h"

void unclaimed_keep(struct unclaimed *u, uint32_t pid, const struct record_header *record,
		    size_t size)
{
	size_t at = u->next++ % UNCLAIMED_MAX;

	free(u->items[at].record);
	u->items[at].pid = pid;
	u->items[at].record = malloc(size);
	if (u->items[at].record)
		memcpy(u->items[at].record, record, size);
}

void unclaimed_take(struct unclaimed *u, uint32_t pid,
		    void (*each)(void *arg, const struct record_header *record), void *arg)
{
	for (size_t i = 0; i < UNCLAIMED_MAX; i++) {
		size_t at = (u->next + i) % UNCLAIMED_MAX;

		if (!u->items[at].record || u->items[at].pid != pid)
			continue;
		each(arg, u->items[at].record);
		free(TAKE_PTR(u->items[at].record));
	}
}

void unclaimed_release(struct unclaimed *u)
{
	for (size_t i = 0; i < UNCLAIMED_MAX; i++)
		free(u->items[i].record);
	memset(u, 0, sizeof(*u));
}
