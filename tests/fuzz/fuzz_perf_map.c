/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A perf map in pieces, as it is read while it grows; the last line has an address to look for. */
#include "symbol/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const struct perf_map *m, uint64_t address)
{
	const char *name = perf_map_find(m, address);

	if (name && (!*name || strlen(name) > PERF_MAP_MAX_LINE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(perf_map_freep) struct perf_map *m = NULL, *whole = NULL;
	size_t piece = size ? 1 + data[0] : 1, at = 0, taken;

	if (perf_map_new(&m) < 0 || perf_map_new(&whole) < 0)
		return 0;
	taken = perf_map_feed(whole, data, size);
	if (taken > size)
		abort();
	for (size_t end = 0; end < size;) {
		end = MIN(end + piece, size);
		at += perf_map_feed(m, data + at, end - at);
		if (at > end)
			abort();
	}
	/* What is read does not depend on how it comes, but for the length at which lines are given
	 * up. */
	if (size < PERF_MAP_MAX_LINE &&
	    (at != taken || perf_map_entries(m) != perf_map_entries(whole)))
		abort();
	for (size_t i = 0; i + sizeof(uint64_t) <= size && i < 64; i++) {
		uint64_t address;

		memcpy(&address, data + i, sizeof(address));
		find(m, address);
		find(m, i * 16);
	}
	return 0;
}
