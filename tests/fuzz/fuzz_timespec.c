/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text is a point in time that JSON keeps exactly, or is refused with a reason. */
#include "timespec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	const uint64_t now_us = 1796040497250000;
	struct range range = {};
	const char *why = NULL;
	uint64_t us = UINT64_MAX;
	int r;

	if (!text)
		return 0;
	r = timespec_parse(text, now_us, &us, &why);
	if (r < 0 ? us != UINT64_MAX || !why || !*why : us >= 1ULL << 53)
		abort();
	r = timespec_parse_range(text, now_us, &range, &why);
	if (r < 0 ? range.set || !why || !*why : !range.set || (!range.from.kind && !range.to.kind))
		abort();
	return 0;
}
