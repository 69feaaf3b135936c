/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "private.h"

int model_new(struct model **ret)
{
	_cleanup_(model_freep) struct model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	if (model_file(m, NULL, "[kernel]", FILE_KERNEL) != FILE_ID_KERNEL)
		return -ENOMEM;
	*ret = TAKE_PTR(m);
	return 0;
}

struct model *model_free(struct model *m)
{
	if (!m)
		return NULL;
	strings_release(&m->strings);
	model_release_processes(m);
	free(m->files);
	free(m->frames);
	free(m->late);
	free(m->stacks);
	free(m->probes);
	free(m->paths);
	free(m->lines);
	table_release(&m->file_index);
	table_release(&m->frame_index);
	table_release(&m->stack_index);
	table_release(&m->path_index);
	table_release(&m->line_index);
	free(m);
	return NULL;
}

uint32_t model_string(struct model *m, const char *s)
{
	return s ? strings_add(&m->strings, s, strlen(s)) : 0;
}

uint32_t model_stringn(struct model *m, const char *s, size_t len)
{
	return strings_add(&m->strings, s, len);
}

const char *model_string_get(const struct model *m, uint32_t id)
{
	return strings_get(&m->strings, id);
}

uint32_t model_file(struct model *m, const uint8_t *build_id, const char *path, uint32_t flags)
{
	struct model_file file = {.path = model_string(m, path), .flags = flags};
	uint64_t key;
	uint32_t *slot;

	if (!file.path)
		return 0;
	if (build_id)
		memcpy(file.build_id, build_id, BUILD_ID_LEN);
	key = hash_bytes(file.build_id, BUILD_ID_LEN,
			 file.path ^ (uint64_t)(flags & FILE_PYTHON) << 32);
	while ((slot = table_get(&m->file_index, key))) {
		const struct model_file *have = &m->files[*slot];

		if (have->path == file.path &&
		    (have->flags & FILE_PYTHON) == (flags & FILE_PYTHON) &&
		    memcmp(have->build_id, file.build_id, BUILD_ID_LEN) == 0)
			return *slot;
		key = hash_mix(key, 1);
	}
	if (MODEL_RESERVE(m, files) < 0)
		return 0;
	slot = table_put(&m->file_index, key, NULL);
	if (!slot)
		return 0;
	*slot = ++m->n_files;
	m->files[m->n_files] = file;
	return m->n_files;
}

const struct model_file *model_file_get(const struct model *m, uint32_t id)
{
	return id && id <= m->n_files ? &m->files[id] : NULL;
}

uint32_t model_frame(struct model *m, uint32_t file, uint64_t offset)
{
	return model_named_frame(m, file, offset, 0);
}

uint32_t model_frame_append(struct model *m, uint32_t file, uint64_t offset, uint32_t function)
{
	if (file > m->n_files || function > m->strings.count || MODEL_RESERVE(m, frames) < 0)
		return 0;
	m->frames[++m->n_frames] =
		(struct model_frame){.file = file, .function = function, .offset = offset};
	return m->n_frames;
}

uint32_t model_named_frame(struct model *m, uint32_t file, uint64_t offset, uint32_t function)
{
	uint64_t key = hash_mix(hash_mix(function, file), offset);
	uint32_t *slot;

	if (file > m->n_files || function > m->strings.count)
		return 0;
	while ((slot = table_get(&m->frame_index, key))) {
		const struct model_frame *have = &m->frames[*slot];

		if (have->offset == offset && have->file == file && have->function == function)
			return *slot;
		key = hash_mix(key, 1);
	}
	if (MODEL_RESERVE(m, frames) < 0)
		return 0;
	slot = table_put(&m->frame_index, key, NULL);
	if (!slot)
		return 0;
	*slot = m->n_frames + 1;
	return model_frame_append(m, file, offset, function);
}

/* The index keeps the frame where its old identity was: looking for that finds another from now
 * on, as what is found is compared. */
void model_frame_become(struct model *m, uint32_t id, const struct model_frame *what)
{
	struct model_frame *f = model_frame_get(m, id);

	if (!f || f->function || what->file > m->n_files || what->function > m->strings.count ||
	    MODEL_RESERVE(m, late) < 0)
		return;
	*f = *what;
	m->late[++m->n_late] = id;
}

uint32_t model_late_frame(const struct model *m, uint32_t i)
{
	return i && i <= m->n_late ? m->late[i] : 0;
}

struct model_frame *model_frame_get(struct model *m, uint32_t id)
{
	return id && id <= m->n_frames ? &m->frames[id] : NULL;
}

const struct model_frame *model_frame_peek(const struct model *m, uint32_t id)
{
	return id && id <= m->n_frames ? &m->frames[id] : NULL;
}

uint32_t model_stack(struct model *m, uint32_t parent, uint32_t frame)
{
	uint32_t *slot, depth;
	bool is_new;

	if (parent > m->n_stacks || !frame || frame > m->n_frames || MODEL_RESERVE(m, stacks) < 0)
		return 0;
	depth = parent ? m->stacks[parent].depth + 1 : 1;
	if (depth > MODEL_MAX_DEPTH)
		return 0;
	slot = table_put(&m->stack_index, (uint64_t)parent << 32 | frame, &is_new);
	if (!slot)
		return 0;
	if (!is_new)
		return *slot;
	*slot = ++m->n_stacks;
	m->stacks[m->n_stacks] =
		(struct model_stack){.parent = parent, .frame = frame, .depth = depth};
	return m->n_stacks;
}

const struct model_stack *model_stack_get(const struct model *m, uint32_t id)
{
	return id && id <= m->n_stacks ? &m->stacks[id] : NULL;
}

uint32_t model_probe(struct model *m, const struct model_probe *probe)
{
	if (probe->file > m->n_files || MODEL_RESERVE(m, probes) < 0)
		return 0;
	m->probes[++m->n_probes] = *probe;
	return m->n_probes;
}

void model_probe_sign(struct model *m, uint32_t id, uint32_t signature)
{
	if (id && id <= m->n_probes)
		m->probes[id].signature = signature;
}

void model_probe_rename(struct model *m, uint32_t id, const struct model_probe *names)
{
	struct model_probe *p = id && id <= m->n_probes ? &m->probes[id] : NULL;

	if (!p)
		return;
	p->spec = names->spec;
	p->symbol = names->symbol;
	p->name = names->name;
	p->strategy = names->strategy;
	p->signature = names->signature;
}

const struct model_probe *model_probe_get(const struct model *m, uint32_t id)
{
	return id && id <= m->n_probes ? &m->probes[id] : NULL;
}

/* The symbol of such a span is CATEGORY/NAME, in both of which may be a /. */
size_t model_probe_category(const struct model *m, const struct model_probe *p, const char **ret)
{
	const char *symbol = model_string_get(m, p->symbol);
	size_t len = strlen(symbol), name_len = strlen(model_string_get(m, p->name));

	*ret = symbol;
	if (!streq(model_string_get(m, p->strategy), "span") || len < name_len + 2)
		return 0;
	return len - name_len - 1;
}

uint32_t model_path(struct model *m, uint32_t parent, uint32_t probe)
{
	uint32_t *slot, depth;
	bool is_new;

	if (parent > m->n_paths || !probe || probe > m->n_probes || MODEL_RESERVE(m, paths) < 0)
		return 0;
	depth = parent ? m->paths[parent].depth + 1 : 0;
	if (depth >= MODEL_MAX_DEPTH)
		return 0;
	slot = table_put(&m->path_index, (uint64_t)parent << 32 | probe, &is_new);
	if (!slot)
		return 0;
	if (!is_new)
		return *slot;
	*slot = ++m->n_paths;
	m->paths[m->n_paths] =
		(struct model_path){.parent = parent, .probe = probe, .depth = depth};
	return m->n_paths;
}

const struct model_path *model_path_get(const struct model *m, uint32_t id)
{
	return id && id <= m->n_paths ? &m->paths[id] : NULL;
}

void model_counts(const struct model *m, struct model_counts *ret)
{
	*ret = (struct model_counts){
		.strings = m->strings.count,
		.files = m->n_files,
		.processes = m->n_processes,
		.frames = m->n_frames,
		.stacks = m->n_stacks,
		.probes = m->n_probes,
		.paths = m->n_paths,
		.late = m->n_late,
	};
}
