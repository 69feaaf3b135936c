/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "private.h"
#include "source_lines.h"

bool source_lines_may_know(const struct model_file *file, const char *path)
{
	return (file->flags & ~(uint32_t)FILE_CONTENT_HASH) == 0 && path[0] == '/' &&
	       path[1] != '/' && model_file_has_id(file);
}

void source_lines_release(struct source_line (*lines)[SOURCE_DEPTH_MAX])
{
	for (size_t i = 0; i < SOURCE_DEPTH_MAX; i++) {
		free((*lines)[i].function);
		free((*lines)[i].file);
	}
}

int source_lines_get(const struct source_lines *lines, const struct model_file *file,
		     uint64_t offset, struct source_line ret[static SOURCE_DEPTH_MAX])
{
	int n = 0, r = 1;

	while (n < SOURCE_DEPTH_MAX && r > 0) {
		r = lines->get(lines->arg, file, offset, (size_t)n, &ret[n]);
		n += r > 0;
	}
	return r < 0 ? r : n;
}

int model_line_append(struct model *m, uint32_t frame, uint32_t level, const struct model_line *l)
{
	const struct model_line *last = m->n_lines ? &m->lines[m->n_lines] : NULL;
	bool is_new = false;
	uint32_t *slot;

	if (!frame || frame > m->n_frames || level >= MODEL_MAX_LINES ||
	    l->function > m->strings.count || l->source > m->strings.count)
		return -EINVAL;
	if (level && (!last || m->lined != frame || last->level + 1 != level))
		return -EINVAL;
	if (MODEL_RESERVE(m, lines) < 0)
		return -ENOMEM;
	if (!level) {
		slot = table_put(&m->line_index, frame, &is_new);
		if (!slot)
			return -ENOMEM;
		if (!is_new)
			return -EINVAL;
		*slot = m->n_lines + 1;
		m->lined = frame;
	}
	m->lines[++m->n_lines] = *l;
	m->lines[m->n_lines].level = level;
	return 0;
}

const struct model_line *model_lines_get(const struct model *m, uint32_t frame, size_t *ret_n)
{
	const uint32_t *first = table_get(&m->line_index, frame);
	size_t n = 0;

	if (!first)
		return NULL;
	while (*first + n <= m->n_lines && m->lines[*first + n].level == n)
		n++;
	*ret_n = n;
	return &m->lines[*first];
}
