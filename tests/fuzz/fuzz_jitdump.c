/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A jitdump file in pieces, as it is read while it grows. The first byte says how long they are. */
#include "symbol/jitdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const struct jitdump *j, uint64_t address, uint64_t time_ns)
{
	struct jitdump_place place;

	if (!jitdump_find(j, address, time_ns, &place))
		return;
	if (!place.name || !*place.name || strlen(place.name) > 1023)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(jitdump_freep) struct jitdump *j = NULL;
	size_t piece, at = 0;

	if (size < 1 || jitdump_new(&j) < 0)
		return 0;
	piece = 1 + data[0] * 4;
	data++;
	size--;
	for (size_t end = 0; end < size && at < size;) {
		end = MIN(end + piece, size);
		if (end > at)
			at += jitdump_feed(j, data + at, end - at);
	}
	for (size_t i = 0; i + sizeof(uint64_t) <= size && i < 512; i += 8) {
		uint64_t address;

		memcpy(&address, data + i, sizeof(address));
		find(j, address, UINT64_MAX / 2);
		find(j, address + 1, i);
		find(j, 0x1000 + i, i);
	}
	return 0;
}
