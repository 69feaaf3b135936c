/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds which members make an all-or-nothing operation fail, by halving. A multi link fails as a
 * whole when one of its functions cannot be probed, and the kernel does not say which.
 */
#ifndef SONDE_PROBE_BISECT_H
#define SONDE_PROBE_BISECT_H

#include "sonde/base/util.h"

struct bisect {
	/* Tries the members, without lasting effect: 0, or -errno. */
	int (*attempt)(const uint32_t *members, size_t n, void *data);
	/* Whether a failure may be the fault of a member; others end the search. */
	bool (*is_members)(int code);
	/* A member that fails alone. code is 0 when the search ended before it could be told. */
	int (*report)(uint32_t member, int code, void *data);
	void *data;
	size_t max_attempts;
};

/*
 * Searches members that have failed as a whole with code (negative). 0 when every offender was
 * reported; the code when nothing at all succeeds, then reports are incomplete; or another -errno.
 */
int bisect_run(const struct bisect *b, const uint32_t *members, size_t n, int code);

#endif
