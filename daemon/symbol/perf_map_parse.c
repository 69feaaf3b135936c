/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/jit_parse.h"
#include "symbol/perf_map.h"

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

static void take_line(struct jit_image *out, const char *s, const char *end)
{
	struct jit_record record = {.kind = JIT_CODE};

	if (end > s && end[-1] == '\r')
		end--;
	s = take_number(s, end, &record.start);
	if (s)
		s = take_number(s, end, &record.size);
	if (!s || s == end || record.size == 0 || record.start + record.size < record.start ||
	    out->n_records >= out->max_records)
		return;
	record.name = jit_names_add(&out->names, s, (size_t)(end - s));
	if (record.name)
		(void)jit_image_add(out, &record);
}

size_t perf_map_parse(struct jit_image *out, uint32_t *flags, const uint8_t *data, size_t size)
{
	const char *begin = (const char *)data, *s = begin, *all = begin + size;

	while (s < all) {
		const char *end = memchr(s, '\n', (size_t)(all - s));
		bool is_long = (end ? end : all) - s > PERF_MAP_MAX_LINE;

		if (!end && !is_long && !(*flags & JIT_SKIPPING))
			break;
		if (end && !is_long && !(*flags & JIT_SKIPPING))
			take_line(out, s, end);
		*flags = end ? *flags & ~(uint32_t)JIT_SKIPPING : *flags | JIT_SKIPPING;
		s = end ? end + 1 : all;
	}
	return (size_t)(s - begin);
}
