/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/perf_map.h"

#include <limits.h>

#include "symbol/code_ranges.h"
#include "symbol/jit_parse.h"

struct perf_map {
	int fd;
	struct jit_cursor cursor;
	bool has_more; /* to read */
	uint32_t n_entries;
	struct code_ranges ranges; /* ids: of names */
	struct jit_names names;
};

int perf_map_new(struct perf_map **ret)
{
	struct perf_map *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->fd = -EBADF;
	*ret = m;
	return 0;
}

int perf_map_open(const struct jit_owner *owner, struct perf_map **ret, const char **ret_reason)
{
	_cleanup_(perf_map_freep) struct perf_map *m = NULL;
	const char *reason = NULL;
	char path[64];
	int r = perf_map_new(&m);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "tmp/perf-%u.map", owner->inner_pid);
	m->fd = jit_file_open(owner, path, &reason);
	if (m->fd < 0) {
		if (ret_reason)
			*ret_reason = reason;
		return m->fd;
	}
	*ret = TAKE_PTR(m);
	return 0;
}

static void forget(struct perf_map *m)
{
	code_ranges_release(&m->ranges);
	free(m->names.text);
	m->names = (struct jit_names){};
	m->n_entries = 0;
}

struct perf_map *perf_map_free(struct perf_map *m)
{
	if (!m)
		return NULL;
	forget(m);
	safe_close(m->fd);
	free(m);
	return NULL;
}

void perf_map_take(struct perf_map *m, const struct jit_image *image)
{
	for (size_t i = 0; i < image->n_records; i++) {
		const struct jit_record *r = &image->records[i];
		const char *text = jit_image_name(image, r->name);
		uint32_t name;

		if (r->kind != JIT_CODE || !text || m->n_entries >= PERF_MAP_MAX_ENTRIES)
			continue;
		name = jit_names_add(&m->names, text, strnlen(text, JIT_NAME_MAX));
		if (name && code_ranges_add(&m->ranges, r->start, r->start + r->size, name) >= 0)
			m->n_entries++;
	}
}

size_t perf_map_feed(struct perf_map *m, const void *data, size_t size)
{
	struct jit_image image _cleanup_(jit_image_release) = {.max_records = PERF_MAP_MAX_ENTRIES -
									      m->n_entries};
	size_t done = perf_map_parse(&image, &m->cursor.flags, data, size);

	perf_map_take(m, &image);
	return done;
}

int perf_map_refresh(struct perf_map *m, struct reader *reader, size_t max, struct error *error)
{
	struct jit_image image _cleanup_(jit_image_release) = {};
	struct jit_question q = {
		.cursor = m->cursor,
		.max = max,
		.max_records = PERF_MAP_MAX_ENTRIES - m->n_entries,
	};
	char path[PATH_MAX];
	int r;

	if (!m->has_more && jit_stream_is_unchanged(m->fd, &m->cursor))
		return 0;
	jit_file_path(m->fd, path, sizeof(path));
	r = jit_read(reader, JIT_PERF_MAP, m->fd, path, &q, error, &image);
	if (r < 0)
		return r;
	if (image.flags & JIT_IMAGE_ANEW)
		forget(m);
	m->cursor = image.cursor;
	m->has_more = image.flags & JIT_IMAGE_MORE;
	perf_map_take(m, &image);
	return m->has_more;
}

bool perf_map_is_unlinked(const struct perf_map *m)
{
	struct stat st;

	return fstat(m->fd, &st) == 0 && st.st_nlink == 0;
}

const char *perf_map_find(const struct perf_map *m, uint64_t address)
{
	return jit_names_get(&m->names, code_ranges_find(&m->ranges, address));
}

size_t perf_map_bytes(const struct perf_map *m)
{
	return m->names.cap + (size_t)m->n_entries * 2 * sizeof(struct code_range);
}

uint32_t perf_map_entries(const struct perf_map *m)
{
	return m->n_entries;
}
