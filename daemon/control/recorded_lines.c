/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/recorded_lines.h"

#include "sonde/base/table.h"

struct recorded_lines {
	const struct model *model;
	struct table
		frames; /* those with lines, by a hash of build-id and offset that is compared */
	struct source_lines source;
};

/* Lines are those of a build-id, wherever the file was. */
static uint64_t place_key(const uint8_t *build_id, uint64_t offset)
{
	return hash_bytes(build_id, BUILD_ID_LEN, hash_mix(1, offset));
}

static const struct model_line *find(const struct recorded_lines *l, const struct model_file *file,
				     uint64_t offset, size_t *ret_n)
{
	uint64_t key = place_key(file->build_id, offset);
	const uint32_t *id;

	for (; (id = table_get(&l->frames, key)); key = hash_mix(key, 1)) {
		const struct model_frame *f = model_frame_peek(l->model, *id);
		const struct model_file *have = model_file_get(l->model, f->file);

		if (f->offset == offset &&
		    memcmp(have->build_id, file->build_id, BUILD_ID_LEN) == 0)
			return model_lines_get(l->model, *id, ret_n);
	}
	return NULL;
}

static int prepare(void *arg, const struct model_file *file, const char *path,
		   const uint64_t *offsets, size_t n)
{
	(void)arg, (void)file, (void)path, (void)offsets, (void)n;
	return 0;
}

static const char *text_of(const struct model *m, uint32_t id)
{
	return id ? model_string_get(m, id) : NULL;
}

/* A recording has the outermost function first. */
static int get_line(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
		    struct source_line *ret)
{
	const struct recorded_lines *l = arg;
	const struct model_line *lines, *line;
	size_t n = 0;

	lines = find(l, file, offset, &n);
	if (!lines || depth >= n)
		return 0;
	line = &lines[n - 1 - depth];
	*ret = (struct source_line){.line = line->line};
	if (strdup_to(&ret->function, text_of(l->model, line->function)) >= 0 &&
	    strdup_to(&ret->file, text_of(l->model, line->source)) >= 0)
		return 1;
	free(TAKE_PTR(ret->function));
	return -ENOMEM;
}

/* The frame's own function, as its file has it. */
static char *get_symbol(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	const struct recorded_lines *l = arg;
	const struct model_line *lines;
	size_t n = 0;

	(void)path;
	lines = find(l, file, offset, &n);
	return lines && lines[0].function ? strdup(model_string_get(l->model, lines[0].function))
					  : NULL;
}

int recorded_lines_new(const struct model *m, struct recorded_lines **ret)
{
	_cleanup_(recorded_lines_freep) struct recorded_lines *l = calloc(1, sizeof(*l));
	struct model_counts have;
	size_t n;

	if (!l)
		return -ENOMEM;
	l->model = m;
	l->source = (struct source_lines){.prepare = prepare, .get = get_line, .arg = l};
	model_counts(m, &have);
	for (uint32_t id = 1; id <= have.frames; id++) {
		const struct model_frame *f = model_frame_peek(m, id);
		const struct model_file *file = model_file_get(m, f->file);
		bool is_new = false;
		uint64_t key;
		uint32_t *slot;

		if (!file || !model_lines_get(m, id, &n) || find(l, file, f->offset, &n))
			continue;
		key = place_key(file->build_id, f->offset);
		do {
			slot = table_put(&l->frames, key, &is_new);
			if (!slot)
				return -ENOMEM;
			key = hash_mix(key, 1);
		} while (!is_new);
		*slot = id;
	}
	*ret = TAKE_PTR(l);
	return 0;
}

struct recorded_lines *recorded_lines_free(struct recorded_lines *l)
{
	if (!l)
		return NULL;
	table_release(&l->frames);
	free(l);
	return NULL;
}

void recorded_lines_names(struct recorded_lines *l, struct store_names *ret)
{
	*ret = (struct store_names){
		.symbol = get_symbol, .arg = l, .lines = &l->source, .named_too = true};
}
