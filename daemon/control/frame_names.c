/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/frame_names.h"

#include "control/processes.h"

/* Takes the name. Without memory it is asked for when it is needed. */
static void keep(struct frame_names *n, char *name)
{
	if (name && demangle_is_mangled(name) &&
	    array_reserve(&n->items, &n->cap, n->n + 1, sizeof(*n->items)) >= 0)
		n->items[n->n++] = name;
	else
		free(name);
}

char *frame_names_note(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	struct frame_names *n = arg;

	if (!(file->flags & FILE_KERNEL))
		keep(n, processes_name_frame_as(n->symbolizer, file, path, offset, DEMANGLE_NONE));
	return NULL;
}

char *frame_names_note_symbol(void *arg, const char *symbol)
{
	keep(arg, strdup(symbol));
	return NULL;
}

void frame_names_prepare(struct frame_names *n, enum demangle_style style)
{
	(void)demangler_prepare(symbolizer_demangler(n->symbolizer), (const char *const *)n->items,
				n->n, style);
}

void frame_names_release(struct frame_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->items[i]);
	free(n->items);
	*n = (struct frame_names){};
}
