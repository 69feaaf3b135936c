/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_map.h"

#include "code_ranges.h"
#include "jit_names.h"

struct perf_map {
	struct jit_stream stream;
	bool skipping; /* in the middle of a line that is too long */
	uint32_t n_entries;
	struct code_ranges ranges; /* ids: of names */
	struct jit_names names;
};

int perf_map_new(struct perf_map **ret)
{
	struct perf_map *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->stream.fd = -EBADF;
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
	m->stream.fd = jit_file_open(owner, path, &reason);
	if (m->stream.fd < 0) {
		if (ret_reason)
			*ret_reason = reason;
		return m->stream.fd;
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
	m->skipping = false;
}

struct perf_map *perf_map_free(struct perf_map *m)
{
	if (!m)
		return NULL;
	forget(m);
	safe_close(m->stream.fd);
	free(m);
	return NULL;
}

/* A hexadecimal number with or without 0x, ended by blanks; NULL when it is none. */
static const char *take_number(const char *s, const char *end, uint64_t *ret)
{
	const char *first;
	uint64_t v = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	for (first = s; s < end && s - first <= 16; s++) {
		int digit = *s >= '0' && *s <= '9'   ? *s - '0'
			    : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10
			    : *s >= 'A' && *s <= 'F' ? *s - 'A' + 10
						     : -1;
		if (digit < 0)
			break;
		v = v << 4 | (uint64_t)digit;
	}
	if (s == first || s - first > 16 || s == end || (*s != ' ' && *s != '\t'))
		return NULL;
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	*ret = v;
	return s;
}

static void take_line(struct perf_map *m, const char *s, const char *end)
{
	uint64_t start, size;
	uint32_t name;

	if (end > s && end[-1] == '\r')
		end--;
	s = take_number(s, end, &start);
	if (s)
		s = take_number(s, end, &size);
	if (!s || s == end || size == 0 || start + size < start ||
	    m->n_entries >= PERF_MAP_MAX_ENTRIES)
		return;
	name = jit_names_add(&m->names, s, (size_t)(end - s));
	if (name && code_ranges_add(&m->ranges, start, start + size, name) >= 0)
		m->n_entries++;
}

size_t perf_map_feed(struct perf_map *m, const void *data, size_t size)
{
	const char *begin = data, *s = begin, *all = begin + size;

	while (s < all) {
		const char *end = memchr(s, '\n', (size_t)(all - s));
		bool is_long = (end ? end : all) - s > PERF_MAP_MAX_LINE;

		if (!end && !is_long && !m->skipping)
			break;
		if (end && !is_long && !m->skipping)
			take_line(m, s, end);
		m->skipping = !end;
		s = end ? end + 1 : all;
	}
	return (size_t)(s - begin);
}

static size_t take(void *arg, const uint8_t *data, size_t size, bool *ret_stop)
{
	struct perf_map *m = arg;

	*ret_stop = m->stream.offset >= PERF_MAP_MAX_BYTES || m->n_entries >= PERF_MAP_MAX_ENTRIES;
	return *ret_stop ? 0 : perf_map_feed(m, data, size);
}

int perf_map_refresh(struct perf_map *m, size_t max)
{
	int r = jit_stream_read(&m->stream, max, take, m);

	if (r != -ESTALE)
		return r;
	forget(m);
	m->stream = (struct jit_stream){.fd = m->stream.fd};
	return jit_stream_read(&m->stream, max, take, m);
}

bool perf_map_is_unlinked(const struct perf_map *m)
{
	struct stat st;

	return fstat(m->stream.fd, &st) == 0 && st.st_nlink == 0;
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
