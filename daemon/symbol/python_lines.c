/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/python_lines.h"

enum { UNIT = 2, MAX_LINE = 1 << 30, FIRST_LINE_CODE = 10 };
enum { ENTRY_NO_COLUMNS = 13, ENTRY_LONG = 14, ENTRY_NONE = 15 };

struct cursor {
	const uint8_t *at, *end;
};

/* Six bits a byte, the lowest first; bit 6: more follow. */
static bool get_number(struct cursor *c, uint64_t *ret)
{
	uint64_t n = 0;
	uint8_t b;

	for (unsigned int shift = 0; shift < 60; shift += 6) {
		if (c->at == c->end)
			return false;
		b = *c->at++;
		n |= (uint64_t)(b & 63) << shift;
		if (!(b & 64)) {
			*ret = n;
			return true;
		}
	}
	return false;
}

/* What an entry adds to the line; */
static bool get_entry(struct cursor *c, unsigned int code, int64_t *ret_delta)
{
	uint64_t n = 0, unused;
	size_t skip = 0;

	*ret_delta = 0;
	if (code < FIRST_LINE_CODE) {
		skip = 1;
	} else if (code < ENTRY_NO_COLUMNS) {
		*ret_delta = code - FIRST_LINE_CODE;
		skip = 2;
	} else if (code != ENTRY_NONE) {
		if (!get_number(c, &n))
			return false;
		*ret_delta = n & 1 ? -(int64_t)(n >> 1) : (int64_t)(n >> 1);
	}
	if (code == ENTRY_LONG &&
	    !(get_number(c, &unused) && get_number(c, &unused) && get_number(c, &unused)))
		return false;
	if ((size_t)(c->end - c->at) < skip)
		return false;
	c->at += skip;
	return true;
}

int python_lines_find(const uint8_t *table, size_t size, uint32_t first_line, int32_t offset,
		      uint32_t *ret_line)
{
	struct cursor c = {table, table + size};
	int64_t line = first_line, delta, end = 0;

	if (first_line > MAX_LINE)
		return -EBADMSG;
	while (c.at < c.end && offset >= 0) {
		uint8_t head = *c.at++;

		if (!(head & 0x80) || !get_entry(&c, head >> 3 & 15, &delta))
			return -EBADMSG;
		line += delta;
		if (line < 0 || line > MAX_LINE)
			return -EBADMSG;
		end += ((head & 7) + 1) * UNIT;
		if (offset < end)
			break;
	}
	if (offset >= end && offset >= 0)
		return -ENOENT;
	*ret_line = (uint32_t)line;
	return 0;
}
